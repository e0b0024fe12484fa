//! Directories beside the workspace that an action may change with it, wholly or not at all: one journal, one record, and
//! in each directory a staging directory of its own, since a rename leaves neither a filesystem nor a mount.
//!
//! Their paths are `/directories/NAME/…` wherever a person sees one; inside a plan each has a part of its own.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::apply::Apply;
use crate::area::Area;
use crate::beneath;
use crate::effects::ChangeKind;
use crate::error::{AreaError, At, Conflict, Failed};
use crate::limits::Limits;
use crate::plan::Plan;
use crate::store::made_dir;

/// Where a directory's staging directory is, in itself. No command sees it, and no action has it in its effects.
pub const STAGING: &str = ".chela-staging";
/// What the paths of all of them begin with.
pub const DIRECTORIES: &str = "/directories/";

/// One of them, open.
pub(crate) struct Root {
    pub name: Vec<u8>,
    pub top: OwnedFd,
    pub staging: OwnedFd,
}

impl Root {
    /// Opens a directory, named as its path's last part, and makes what is missing in it.
    pub fn open(path: &Path) -> Result<Root, AreaError> {
        let shown = path.as_os_str().as_encoded_bytes();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let top = rustix::fs::open(path, flags, Mode::empty()).at("open", shown)?;
        let staging = made_dir(&top, STAGING.as_bytes())?;
        let stat = rustix::fs::fstat(&staging).at("look at", STAGING.as_bytes())?;
        // Somebody else who may write to the directory could have made it.
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
            let why = format!("{STAGING} in it is another's, or open to others: remove it");
            return Err(AreaError::Unusable { directory: crate::error::shown(shown), why });
        }
        Ok(Root { name, top, staging })
    }

    /// Makes the directory of a new action.
    pub fn begin(&self, action: u64) -> Result<OwnedFd, Failed> {
        let name = action.to_string();
        beneath::remove_tree(&self.staging, name.as_bytes())?;
        made_dir(&self.staging, name.as_bytes())
    }
}

/// What an action does in one directory, and where.
pub(crate) struct Part<'p> {
    /// Empty: the workspace.
    pub name: &'p [u8],
    pub top: OwnedFd,
    pub staged: OwnedFd,
    pub plan: &'p Plan,
}

impl Part<'_> {
    /// A path in it, as a person sees it.
    pub fn shown(&self, path: &[u8]) -> Vec<u8> {
        beside(self.name, path)
    }

    /// Where its steps are done.
    pub fn apply(&self) -> Apply<'_> {
        Apply { workspace: &self.top, staged: &self.staged }
    }

    /// Waits until its filesystem has all that was written.
    pub fn sync_whole(&self) -> Result<(), Failed> {
        rustix::fs::syncfs(&self.top).at("sync the filesystem of", &self.shown(b""))
    }
}

/// A path in the directory of that name, as a person sees it.
pub(crate) fn beside(name: &[u8], path: &[u8]) -> Vec<u8> {
    match (name, path) {
        (b"", path) => path.to_vec(),
        (name, b"") => [DIRECTORIES.as_bytes(), name].concat(),
        (name, path) => [DIRECTORIES.as_bytes(), name, b"/", path].concat(),
    }
}

/// The same of conflicts.
pub(crate) fn conflicts_in(name: &[u8], conflicts: Vec<Conflict>) -> impl Iterator<Item = Conflict> {
    conflicts.into_iter().map(move |one| Conflict { path: beside(name, &one.path), ..one })
}

impl Plan {
    /// Adds what the action does in another directory, and its effects to those that are shown.
    pub(crate) fn add(&mut self, name: &[u8], mut part: Plan, limits: &Limits) {
        let effects = std::mem::take(&mut part.effects);
        if part.deltas.is_empty() && part.steps.is_empty() {
            return;
        }
        for mut effect in effects.list {
            effect.path = beside(name, &effect.path);
            match self.effects.list.len() < limits.effects_listed_max {
                true => self.effects.list.push(effect),
                false => {
                    self.effects.more += 1;
                    self.effects.more_deleted += u64::from(effect.change == ChangeKind::Deleted);
                }
            }
        }
        self.effects.more += effects.more;
        self.effects.more_deleted += effects.more_deleted;
        self.effects.bytes_written += effects.bytes_written;
        self.effects.undoable &= effects.undoable;
        self.others.push((name.to_vec(), part));
    }
}

impl Area {
    /// Takes away the staging directories that nothing is in, when an executor ends in order: the next makes those that it
    /// needs. What is still there is needed, or somebody else's.
    pub fn leave_directories(&self) {
        for root in &self.roots {
            let _ = rustix::fs::unlinkat(&root.top, STAGING, AtFlags::REMOVEDIR);
        }
    }

    /// The directory of that name.
    pub(crate) fn root(&self, name: &[u8]) -> Result<&Root, AreaError> {
        let missing = || AreaError::Unusable {
            directory: crate::error::shown(&beside(name, b"")),
            why: "it is not there any more: add it again (`chela workspace add`)".to_owned(),
        };
        self.roots.iter().find(|root| root.name == name).ok_or_else(missing)
    }

    /// The parts of a staged plan, the workspace's first.
    pub(crate) fn parts<'p>(&self, action: u64, plan: &'p Plan) -> Result<Vec<Part<'p>>, AreaError> {
        let copy = |top: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(top, 0).at("open", b"");
        let staged = self.store.staged(action)?;
        let mut parts = vec![Part { name: b"", top: copy(&self.workspace)?, staged, plan }];
        for (name, plan) in &plan.others {
            let root = self.root(name)?;
            let number = action.to_string();
            let staged = beneath::open_dir(&root.staging, number.as_bytes()).at("open what is staged of", name)?;
            parts.push(Part { name, top: copy(&root.top)?, staged, plan });
        }
        Ok(parts)
    }

    /// Removes what is staged of an action, everywhere.
    pub(crate) fn remove_staged(&self, action: u64) -> Result<(), Failed> {
        let name = action.to_string();
        let all = std::iter::once(&self.store.staging).chain(self.roots.iter().map(|root| &root.staging));
        all.into_iter().try_for_each(|staging| beneath::remove_tree(staging, name.as_bytes()))
    }
}
