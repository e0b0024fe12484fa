//! The links of one principal.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use roles::limits::DIRECTORIES_MAX;
use serde::Serialize;

use super::check::{Facts, refuse, refuse_name};
use super::errors::WorkspaceError;
use crate::setup;

/// Below a root.
const DIRECTORIES: &str = "etc/directories";
/// Below a principal's: whether what is in it may be changed.
const LEAVES: [(&str, bool); 2] = [("read-only", true), ("read-write", false)];

/// One principal's directories.
pub struct Registry {
    root: PathBuf,
    /// Whose: the slot of their executor.
    pub principal: u32,
}

/// A directory that was added.
#[derive(Debug, Serialize)]
pub struct Added {
    /// Its name inside.
    pub name: String,
    /// What it is.
    pub path: PathBuf,
    /// Nothing in it may be changed.
    pub read_only: bool,
    /// Whose files it has.
    pub uid: u32,
    /// Their group.
    pub gid: u32,
    /// The running executor has it.
    pub in_use: bool,
    /// Why the launcher leaves it out.
    pub trouble: Option<String>,
}

impl Added {
    /// Where the executor has it.
    pub fn inside(&self) -> String {
        let leaf = if self.read_only { LEAVES[0].0 } else { LEAVES[1].0 };
        format!("/directories/{leaf}/{}", self.name)
    }
}

impl Registry {
    /// Of the principal of that name; of the owner without one.
    pub fn of(root: &Path, principal: Option<&str>) -> Result<Registry, WorkspaceError> {
        let (number, owner) = super::owner(root)?;
        match principal {
            Some(wanted) if wanted != owner => Err(WorkspaceError::NoPrincipal { wanted: wanted.to_owned(), owner }),
            Some(_) | None => Ok(Registry { root: root.to_path_buf(), principal: number }),
        }
    }

    fn leaf(&self, leaf: &str) -> PathBuf {
        self.root.join(DIRECTORIES).join(self.principal.to_string()).join(leaf)
    }

    /// All that were added, by name.
    pub fn read(&self) -> Result<Vec<Added>, WorkspaceError> {
        let mut all = Vec::new();
        for (leaf, read_only) in LEAVES {
            for link in links(&self.leaf(leaf))? {
                all.push(look(&link, read_only)?);
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Adds one.
    pub fn add(&self, directory: &Path, name: Option<&str>, read_only: bool) -> Result<Added, WorkspaceError> {
        let directory = directory.canonicalize().map_err(|e| WorkspaceError::io("find", directory, e))?;
        let info = fs::metadata(&directory).map_err(|e| WorkspaceError::io("look at", &directory, e))?;
        if !info.is_dir() {
            return Err(refused(&directory, "it is not a directory; add the one that it is in".to_owned()));
        }
        let own = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (roots, added) = self.everywhere()?;
        let facts = Facts {
            directory: &directory,
            uid: info.uid(),
            gid: info.gid(),
            roots: &roots,
            added: &added,
            own_ids: setup::reserved_range().ok(),
        };
        if let Some(why) = refuse(&facts) {
            return Err(refused(&directory, why));
        }
        if let Some(why) = unmapped(&directory) {
            return Err(refused(&directory, why));
        }
        let there = self.read()?;
        let name = name.map_or(own, str::to_owned);
        let taken = there.iter().any(|one| one.name == name).then_some("another directory has it");
        if let Some(why) = refuse_name(&name).or(taken) {
            return Err(WorkspaceError::Name { name, why });
        }
        if there.len() >= DIRECTORIES_MAX {
            return Err(WorkspaceError::TooMany { limit: DIRECTORIES_MAX });
        }
        let link = self.make_leaf(read_only)?.join(&name);
        // Root's until it is whole: the launcher takes none of root's.
        symlink(&directory, &link).map_err(|e| WorkspaceError::io("link", &link, e))?;
        if let Err(error) = lchown(&link, Some(info.uid()), Some(info.gid())) {
            drop(fs::remove_file(&link));
            return Err(WorkspaceError::io("give the link to the directory's owner", &link, error));
        }
        look(&link, read_only)
    }

    fn make_leaf(&self, read_only: bool) -> Result<PathBuf, WorkspaceError> {
        let leaf = self.leaf(if read_only { LEAVES[0].0 } else { LEAVES[1].0 });
        let mut above: Vec<&Path> = leaf.ancestors().take(3).collect();
        above.reverse();
        for path in above {
            match DirBuilder::new().mode(0o755).create(path) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(WorkspaceError::io("make the directory", path, e)),
            }
        }
        Ok(leaf)
    }

    /// Takes one away.
    pub fn remove(&self, name: &str) -> Result<Added, WorkspaceError> {
        let found = self.read()?.into_iter().find(|one| one.name == name);
        let found = found.ok_or_else(|| WorkspaceError::Unknown { name: name.to_owned() })?;
        let link = self.leaf(if found.read_only { LEAVES[0].0 } else { LEAVES[1].0 }).join(name);
        fs::remove_file(&link).map_err(|e| WorkspaceError::io("remove", &link, e))?;
        Ok(found)
    }

    /// Every root of this host, and every directory that was added in one of them.
    fn everywhere(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), WorkspaceError> {
        let mut roots = setup::roots()?;
        if !roots.contains(&self.root) {
            roots.push(self.root.clone());
        }
        let mut added = Vec::new();
        for root in &roots {
            let Ok(principals) = fs::read_dir(root.join(DIRECTORIES)) else { continue };
            for principal in principals.flatten() {
                for (leaf, _) in LEAVES {
                    let targets = links(&principal.path().join(leaf))?;
                    added.extend(targets.iter().filter_map(|link| fs::read_link(link).ok()));
                }
            }
        }
        Ok((roots, added))
    }
}

/// Why its files can't be handed over as their owner's; `None` where they can, or where nobody can say.
fn unmapped(directory: &Path) -> Option<String> {
    let can = super::sys::can_map(directory).unwrap_or(true);
    (!can).then(|| {
        "its file system has no id-mapped mounts, which keep its files their owner's; put the files on another one (ext4, XFS, \
         btrfs or tmpfs can), or copy them with `chela files put`"
            .to_owned()
    })
}

fn refused(directory: &Path, why: String) -> WorkspaceError {
    WorkspaceError::Refused { directory: directory.to_path_buf(), why }
}

fn links(leaf: &Path) -> Result<Vec<PathBuf>, WorkspaceError> {
    match fs::read_dir(leaf) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(WorkspaceError::io("list", leaf, e)),
    }
}

/// A link, and what the launcher will say of what it leads to.
fn look(link: &Path, read_only: bool) -> Result<Added, WorkspaceError> {
    let io = |e| WorkspaceError::io("look at", link, e);
    let path = fs::read_link(link).map_err(io)?;
    let owner = fs::symlink_metadata(link).map_err(io)?;
    let trouble = match (fs::metadata(&path), path.canonicalize()) {
        (Err(e), _) | (_, Err(e)) => Some(format!("left out: {e}")),
        (Ok(info), _) if !info.is_dir() => Some("left out: it is no directory any more".to_owned()),
        (Ok(_), Ok(real)) if real != path => Some("left out: a link is on the way to it now".to_owned()),
        (Ok(info), Ok(_)) if (info.uid(), info.gid()) != (owner.uid(), owner.gid()) => {
            Some("left out: it belongs to somebody else now; remove it and add it again".to_owned())
        }
        (Ok(_), Ok(_)) => unmapped(&path).map(|why| format!("left out: {why}")),
    };
    let name = link.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Added { name, path, read_only, uid: owner.uid(), gid: owner.gid(), in_use: false, trouble })
}
