//! Changes without a sandbox: what the file tools ask for.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;
use sha2::{Digest, Sha256};

use crate::across::Place;
use crate::area::Area;
use crate::beneath;
use crate::effects::{Effects, NodeKind};
use crate::error::{At, StageError};
use crate::limits::{Limits, NAME_BYTES};
use crate::node::{self, Image, Look, Meta};
use crate::parents::Parents;
use crate::plan::{Plan, Slot};
use crate::planner::{Planner, join};
use crate::store::slot_name;
use crate::want::{FileWant, TreePath, Want, Wants, add_parents};

/// One change. Paths are from the workspace; each change sees what those before it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file with these bytes, new or rewritten. One that is there keeps its attributes and names.
    Write {
        /// Where. Its directory must be there.
        path: Vec<u8>,
        /// All of it.
        bytes: Vec<u8>,
        /// Permissions; `None`: those it has, or 0644.
        mode: Option<u32>,
    },
    /// A file or link is removed, or a directory with all that is in it.
    Delete {
        /// Which.
        path: Vec<u8>,
    },
    /// A directory, where there is nothing.
    MakeDirectory {
        /// Where. The directory above must be there.
        path: Vec<u8>,
    },
    /// A node gets another name, which nothing has.
    Rename {
        /// Which.
        from: Vec<u8>,
        /// Its new name.
        to: Vec<u8>,
    },
}

impl Area {
    /// Stages changes without a sandbox.
    pub fn stage_changes(&mut self, action: u64, changes: &[Change]) -> Result<Effects, StageError> {
        let staged = self.begin(action)?;
        let plan = self.plan_changes(action, &staged, changes);
        self.end(action, plan)
    }
}

/// Where moved nodes come from, by their new names: from another place, where that is one, and the name that each has there.
pub(crate) type Came = BTreeMap<Vec<u8>, (Option<Place>, Vec<u8>)>;

/// The workspace, or a directory beside it, as the changes so far leave it.
pub(crate) struct View<'a> {
    top: &'a OwnedFd,
    pub parents: Parents<'a>,
    pub staged: &'a OwnedFd,
    pub limits: &'a Limits,
    wants: Wants,
    next: Slot,
    pub came: Came,
    /// Files of several names that were written, by inode number: the slot of what was written last, and the names.
    written: BTreeMap<u64, (Slot, Vec<Vec<u8>>)>,
}

/// What a path is, as the changes so far leave it.
enum Now {
    Nothing,
    Wanted(Want),
    Old(Image),
}

impl Now {
    fn is_directory(&self) -> bool {
        match self {
            Now::Wanted(Want::Directory { .. }) => true,
            Now::Old(image) => image.kind == NodeKind::Directory,
            Now::Wanted(_) | Now::Nothing => false,
        }
    }
}

impl<'a> View<'a> {
    /// Nothing is changed so far.
    pub fn new(top: &'a OwnedFd, staged: &'a OwnedFd, limits: &'a Limits) -> View<'a> {
        let (parents, wants, came) = (Parents::new(top), Wants::new(), BTreeMap::new());
        View { top, parents, staged, limits, wants, next: 0, came, written: BTreeMap::new() }
    }

    /// The plan of what was changed.
    pub fn plan(self) -> Result<Plan, StageError> {
        let View { top, staged, limits, mut wants, next, .. } = self;
        add_parents(&mut wants);
        Planner::new(top, staged, limits, next).plan(&wants)
    }

    pub fn make_directory(&mut self, path: &[u8]) -> Result<(), StageError> {
        self.free(path)?;
        let meta = Meta { mode: 0o755, mtime: node::now(), xattrs: Vec::new() };
        // What was in one that was there before was removed with it.
        self.want(path, Want::Directory { meta: Some(meta), opaque: true });
        Ok(())
    }

    /// Whether there is something of this name that no change has touched.
    pub fn is_old(&mut self, path: &[u8]) -> Result<bool, StageError> {
        Ok(matches!(self.now(path)?, Now::Old(_)))
    }

    pub fn want(&mut self, path: &[u8], want: Want) {
        self.wants.insert(TreePath(path.to_vec()), want);
    }

    fn refuse<T>(path: &[u8], why: &'static str) -> Result<T, StageError> {
        Err(StageError::Change { path: path.to_vec(), why })
    }

    /// The path must be one that can be made: nothing is there, and its directory is.
    pub fn free(&mut self, path: &[u8]) -> Result<(), StageError> {
        match self.now(path)? {
            Now::Nothing => self.has_parent(path),
            Now::Wanted(_) | Now::Old(_) => Self::refuse(path, "there is something of this name"),
        }
    }

    fn has_parent(&mut self, path: &[u8]) -> Result<(), StageError> {
        let (above, _) = beneath::split(path);
        if above.is_empty() || self.now(above)?.is_directory() {
            return Ok(());
        }
        Self::refuse(path, "the directory it would be in is not there")
    }

    fn now(&mut self, path: &[u8]) -> Result<Now, StageError> {
        well_formed(path, self.limits).or_else(|why| Self::refuse(path, why))?;
        if let Some(want) = self.wants.get(&TreePath(path.to_vec())) {
            return Ok(match want {
                Want::Absent => Now::Nothing,
                other => Now::Wanted(other.clone()),
            });
        }
        let mut above = beneath::split(path).0;
        while !above.is_empty() {
            match self.wants.get(&TreePath(above.to_vec())) {
                Some(Want::Directory { meta: None, .. }) | None => {}
                // Made or removed by a change before: what the workspace has below it does not count.
                Some(_) => return Ok(Now::Nothing),
            }
            above = beneath::split(above).0;
        }
        let (above, name) = beneath::split(path);
        let dir = match self.parents.get(above) {
            Ok(dir) => dir,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(Now::Nothing),
            Err(errno) => return Err(errno).at("open", above)?,
        };
        Ok(node::read(dir, name, path, Look::Node)?.map_or(Now::Nothing, |found| Now::Old(found.image)))
    }

    pub fn write(&mut self, path: &[u8], bytes: &[u8], mode: Option<u32>) -> Result<(), StageError> {
        self.has_parent(path)?;
        if bytes.len() as u64 > self.limits.file_bytes_max {
            return Err(StageError::Limit { what: "bytes", path: path.to_vec(), limit: self.limits.file_bytes_max });
        }
        let mut inode = None;
        let (old, stays) = match self.now(path)? {
            Now::Old(image) if image.kind == NodeKind::File => {
                inode = Some(image.inode).filter(|_| image.links > 1);
                let written = inode.and_then(|inode| self.written_as(inode)).map(|file| file.image.meta.clone());
                (Some(written.unwrap_or(image.meta)), true)
            }
            Now::Wanted(Want::File(file)) => {
                inode = self.written.iter().find(|(_, (slot, _))| *slot == file.slot).map(|(inode, _)| *inode);
                (Some(file.image.meta), file.stays)
            }
            Now::Wanted(Want::Same { image, .. }) => (Some(image.meta), false),
            Now::Nothing => (None, false),
            Now::Old(_) | Now::Wanted(_) => return Self::refuse(path, "it is not a file"),
        };
        let old_mode = old.as_ref().map_or(0o644, |meta| meta.mode);
        let meta = Meta {
            mode: mode.unwrap_or(old_mode) & beneath::MODE_MASK,
            mtime: node::now(),
            xattrs: old.map(|meta| meta.xattrs).unwrap_or_default(),
        };
        let slot = self.slot();
        let file = beneath::create(self.staged, slot_name(slot).as_bytes()).at("stage", path)?;
        std::io::Write::write_all(&mut &file, bytes).at("stage", path)?;
        node::set_new_meta(&file, &meta).at("stage", path)?;
        let image = Image {
            kind: NodeKind::File,
            bytes: bytes.len() as u64,
            digest: Sha256::digest(bytes).into(),
            links: 1,
            ..Image::directory(&meta)
        };
        let want = FileWant { slot, image, stays, relink: false, exact: false };
        if let Some(inode) = inode {
            self.write_names(inode, path, &want);
        }
        self.want(path, Want::File(want));
        Ok(())
    }

    /// What was written last to a file of several names, under any of them.
    fn written_as(&self, inode: u64) -> Option<&FileWant> {
        let (slot, paths) = self.written.get(&inode)?;
        paths.iter().find_map(|path| match self.wants.get(&TreePath(path.clone())) {
            Some(Want::File(file)) if file.slot == *slot => Some(file),
            _ => None,
        })
    }

    /// One file of several names is written under one of them: those it was written under before show the same.
    fn write_names(&mut self, inode: u64, path: &[u8], want: &FileWant) {
        let (last, mut paths) = self.written.remove(&inode).unwrap_or((want.slot, Vec::new()));
        for path in &paths {
            if let Some(Want::File(file)) = self.wants.get_mut(&TreePath(path.clone()))
                && file.slot == last
            {
                *file = want.clone();
            }
        }
        if !paths.iter().any(|other| other == path) {
            paths.push(path.to_vec());
        }
        self.written.insert(inode, (want.slot, paths));
    }

    pub fn slot(&mut self) -> Slot {
        self.next += 1;
        self.next - 1
    }

    pub fn delete(&mut self, path: &[u8]) -> Result<(), StageError> {
        if matches!(self.now(path)?, Now::Nothing) {
            return Self::refuse(path, "there is nothing of this name");
        }
        self.forget_below(path);
        self.want(path, Want::Absent);
        Ok(())
    }

    /// What was wanted below a path is not wanted any more.
    fn forget_below(&mut self, path: &[u8]) {
        let below = |other: &TreePath| other.0.starts_with(path) && other.0.get(path.len()) == Some(&b'/');
        self.wants.retain(|other, _| !below(other));
    }

    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), StageError> {
        if to == from || to.starts_with(&[from, b"/"].concat()) {
            return Self::refuse(to, "a directory can't be moved into itself");
        }
        self.free(to)?;
        let mut moved = Vec::new();
        self.collect(from, to, 0, &mut moved)?;
        self.delete(from)?;
        for (path, want) in moved {
            self.want(&path, want);
        }
        Ok(())
    }

    /// What a node and all in it would be under another name.
    fn collect(
        &mut self,
        from: &[u8],
        to: &[u8],
        depth: usize,
        moved: &mut Vec<(Vec<u8>, Want)>,
    ) -> Result<(), StageError> {
        if depth > self.limits.depth_max || moved.len() >= self.limits.changes_max {
            let limit = self.limits.changes_max as u64;
            return Err(StageError::Limit { what: "moved files", path: from.to_vec(), limit });
        }
        let now = self.now(from)?;
        let is_directory = now.is_directory();
        let (want, old) = match now {
            Now::Nothing => return Self::refuse(from, "there is nothing of this name"),
            Now::Wanted(Want::Directory { meta: None, .. }) => self.moved_old(from)?,
            Now::Wanted(want) => (want, false),
            Now::Old(_) => self.moved_old(from)?,
        };
        let first = self.came.get(from).cloned().unwrap_or_else(|| (None, from.to_vec()));
        self.came.insert(to.to_vec(), first);
        moved.push((to.to_vec(), want));
        if is_directory {
            let mut names: Vec<Vec<u8>> = Vec::new();
            if old {
                let (above, name) = beneath::split(from);
                let found = node::read(self.parents.get(above).at("open", above)?, name, from, Look::Node)?;
                if let Some(dir) = found.as_ref().and_then(|found| found.fd.as_ref()) {
                    names = beneath::names(dir).at("list", from)?;
                }
            }
            let inside = |path: &TreePath| {
                let (above, name) = beneath::split(&path.0);
                (above == from).then(|| name.to_vec())
            };
            names.extend(self.wants.keys().filter_map(inside));
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = join(from, &name);
                if !matches!(self.now(&path)?, Now::Nothing) {
                    self.collect(&path, &join(to, &name), depth + 1, moved)?;
                }
            }
        }
        Ok(())
    }

    /// A node of the workspace, as wanted under another name: a file stays the same file.
    fn moved_old(&mut self, from: &[u8]) -> Result<(Want, bool), StageError> {
        let (above, name) = beneath::split(from);
        let dir = self.parents.get(above).at("open", above)?;
        let found = node::read(dir, name, from, Look::Whole)?.ok_or(rustix::io::Errno::NOENT).at("look at", from)?;
        let image = found.image;
        let want = match image.kind {
            NodeKind::Directory => Want::Directory { meta: Some(image.meta), opaque: true },
            NodeKind::Symlink => Want::Symlink { target: image.target, mtime: image.meta.mtime },
            NodeKind::File => {
                let slot = self.next;
                self.next += 1;
                rustix::fs::linkat(dir, name, self.staged, slot_name(slot), AtFlags::empty()).at("link", from)?;
                Want::Same { from: from.to_vec(), slot, image }
            }
        };
        Ok((want, true))
    }
}

/// A path that leads nowhere but into the workspace.
pub fn well_formed(path: &[u8], limits: &Limits) -> Result<(), &'static str> {
    if path.len() > limits.path_bytes_max {
        return Err("the path is too long");
    }
    let mut depth = 0;
    for name in path.split(|byte| *byte == b'/') {
        depth += 1;
        match name {
            b"" => return Err("the path is empty, or has an empty name in it"),
            b"." | b".." => return Err("the path has . or .. in it"),
            _ if name.len() > NAME_BYTES => return Err("a name of the path is too long"),
            _ if name.contains(&0) => return Err("the path has a zero byte in it"),
            _ => {}
        }
    }
    if depth > limits.depth_max { Err("the path is too deep") } else { Ok(()) }
}
