//! A copy of a workspace that stays as it is while commits change the workspace: what a long command works over.
//!
//! Copies, and no hard links: a link more on each file would make the planner take it for one of several names, which it
//! keeps by writing in place, and what somebody writes in place by hand would show in the copy. Where the filesystem
//! clones contents, a copy takes no room and its time does not grow with the bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use crate::area::Area;
use crate::beneath::{self, Removal};
use crate::content;
use crate::error::{At, Failed, FreezeError};
use crate::limits::Frozen;
use crate::node::{self, Meta, Widened};
use crate::planner::join;

/// Nodes that one step copies at most.
const STEP_NODES: usize = 32;
/// Bytes that one step copies at most.
const STEP_BYTES: u64 = 8 << 20;

/// A copy that is being made, step by step, so that the caller can do other things in between.
pub struct Freezing {
    root: OwnedFd,
    /// The directories on the way to where it is.
    open: Vec<Entered>,
    /// A file whose content is being copied.
    file: Option<Copying>,
    /// The first path of each file with several names.
    links: BTreeMap<u64, Vec<u8>>,
    limits: Frozen,
    until: Instant,
    nodes: usize,
    bytes: u64,
    clones: bool,
}

/// A directory that is being copied.
struct Entered {
    from: OwnedFd,
    to: OwnedFd,
    path: Vec<u8>,
    left: Vec<Vec<u8>>,
    stat: Stat,
    _widened: Option<Widened>,
}

struct Copying {
    from: File,
    to: File,
    path: Vec<u8>,
    at: u64,
    stat: Stat,
}

impl Area {
    /// Begins a copy of the workspace for action `action`, as `store/frozen/N`. Nothing may be committed before it is
    /// done. What there is of it is removed by [`Area::thaw`], or at the next start.
    ///
    /// # Errors
    /// When it can't be begun.
    pub fn freeze(&self, action: u64, limits: Frozen) -> Result<Freezing, FreezeError> {
        self.whole()?;
        let name = action.to_string();
        beneath::remove_tree(&self.store.frozen, name.as_bytes())?;
        let root = crate::store::made_dir(&self.store.frozen, name.as_bytes())?;
        let stat = rustix::fs::fstat(&self.workspace).at("look at", b"")?;
        let until = Instant::now() + Duration::from_millis(limits.time_ms);
        let from = beneath::open_dir(&self.workspace, b"").at("open", b"")?;
        let to = beneath::open_dir(&root, b"").at("open", name.as_bytes())?;
        let left = beneath::names(&from).at("list", b"")?;
        let top = Entered { from, to, path: Vec::new(), left, stat, _widened: None };
        Ok(Freezing {
            root,
            open: vec![top],
            file: None,
            links: BTreeMap::new(),
            limits,
            until,
            nodes: 0,
            bytes: 0,
            clones: true,
        })
    }

    /// Begins to remove the copy; `None`: there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn thaw(&self, action: u64) -> Result<Option<Thawing>, Failed> {
        let removal = Removal::begin(&self.store.frozen, action.to_string().as_bytes())?;
        Ok(removal.map(Thawing))
    }
}

/// A copy that is being removed, step by step.
pub struct Thawing(Removal);

impl Thawing {
    /// Removes a bounded piece more. True: it is gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn step(&mut self) -> Result<bool, Failed> {
        self.0.step(STEP_NODES)
    }
}

impl Freezing {
    /// Copies a bounded piece more. True: it is done.
    ///
    /// # Errors
    /// When the workspace is beyond the limits, or the kernel refuses.
    pub fn step(&mut self) -> Result<bool, FreezeError> {
        if Instant::now() > self.until {
            return Err(self.over("milliseconds", self.limits.time_ms));
        }
        self.check_room()?;
        let mut nodes = 0;
        while nodes < STEP_NODES {
            if self.file.is_some() {
                if self.content()? {
                    return Ok(false);
                }
                continue;
            }
            let Some(top) = self.open.last_mut() else { return Ok(true) };
            match top.left.pop() {
                Some(name) => self.node(&name)?,
                None => self.leave()?,
            }
            nodes += 1;
        }
        Ok(false)
    }

    /// How many files, directories and links, and how many bytes were not clones.
    pub fn copied(&self) -> (usize, u64) {
        (self.nodes, self.bytes)
    }

    fn over(&self, what: &'static str, limit: u64) -> FreezeError {
        FreezeError::Limit { what, limit }
    }

    /// A person's disk is not filled by a copy.
    fn check_room(&self) -> Result<(), FreezeError> {
        let has = rustix::fs::fstatvfs(&self.root).at("look for room on", b"the disk")?;
        if has.f_bavail.saturating_mul(has.f_frsize) < self.limits.room_left_bytes {
            return Err(FreezeError::Room { left_bytes: self.limits.room_left_bytes });
        }
        Ok(())
    }

    fn node(&mut self, name: &[u8]) -> Result<(), FreezeError> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max {
            return Err(self.over("files and directories", self.limits.nodes_max as u64));
        }
        let Some(top) = self.open.last() else { return Ok(()) };
        let path = join(&top.path, name);
        // What somebody removes by hand meanwhile is not there.
        let Some(stat) = beneath::look(&top.from, name).at("look at", &path)? else { return Ok(()) };
        match beneath::file_type(&stat) {
            FileType::Directory => self.enter(name, path, stat),
            FileType::RegularFile => self.begin_file(name, path, stat),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&top.from, name, Vec::new()).at("read the link", &path)?;
                rustix::fs::symlinkat(target.as_bytes(), &top.to, name).at("copy the link", &path)?;
                node::set_link_time(&top.to, name, node::mtime(&stat)).at("copy the link", &path)?;
                Ok(())
            }
            // Pipes, sockets and devices can't be shown or kept, so no command may rely on one.
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Ok(()),
        }
    }

    fn enter(&mut self, name: &[u8], path: Vec<u8>, stat: Stat) -> Result<(), FreezeError> {
        if self.open.len() > self.limits.depth_max {
            return Err(self.over("directories above a file", self.limits.depth_max as u64));
        }
        let Some(top) = self.open.last() else { return Ok(()) };
        let (from, widened) = node::open(&top.from, name, &stat).at("open", &path)?;
        rustix::fs::mkdirat(&top.to, name, Mode::RWXU).at("copy the directory", &path)?;
        let to = beneath::open_dir(&top.to, name).at("open the copy of", &path)?;
        let left = beneath::names(&from).at("list", &path)?;
        self.open.push(Entered { from, to, path, left, stat, _widened: widened });
        Ok(())
    }

    /// All in a directory is copied: it gets its own times and permissions.
    fn leave(&mut self) -> Result<(), FreezeError> {
        let Some(top) = self.open.pop() else { return Ok(()) };
        dress(&top.from, &top.to, &top.stat).at("copy the attributes of", &top.path)?;
        Ok(())
    }

    fn begin_file(&mut self, name: &[u8], path: Vec<u8>, stat: Stat) -> Result<(), FreezeError> {
        let Some(top) = self.open.last() else { return Ok(()) };
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&stat.st_ino) {
                let (above, first_name) = beneath::split(first);
                let above = beneath::open_dir(&self.root, above).at("open the copy of", above)?;
                rustix::fs::linkat(above, first_name, &top.to, name, AtFlags::empty()).at("link", &path)?;
                return Ok(());
            }
            self.links.insert(stat.st_ino, path.clone());
        }
        let from = File::from(beneath::open_owned(&top.from, name, &stat).at("open", &path)?);
        let to = beneath::create(&top.to, name).at("copy", &path)?;
        if self.clones && stat.st_size > 0 {
            match rustix::fs::ioctl_ficlone(&to, &from) {
                Ok(()) => {
                    dress(&from, &to, &stat).at("copy the attributes of", &path)?;
                    return Ok(());
                }
                Err(Errno::NOSPC) => return Err(Failed::new("clone", &path, Errno::NOSPC).into()),
                // A filesystem that clones nothing.
                Err(_) => self.clones = false,
            }
        }
        self.file = Some(Copying { from, to, path, at: 0, stat });
        Ok(())
    }

    /// Copies a piece of the open file. True: there is more of it.
    fn content(&mut self) -> Result<bool, FreezeError> {
        let Some(mut file) = self.file.take() else { return Ok(false) };
        let end = content::copy_piece(&file.from, &file.to, file.at, STEP_BYTES).at("copy", &file.path)?;
        self.bytes = self.bytes.saturating_add(end.copied);
        if self.bytes > self.limits.bytes_max {
            return Err(self.over("bytes", self.limits.bytes_max));
        }
        match end.next {
            Some(next) => {
                file.at = next;
                self.file = Some(file);
                Ok(true)
            }
            None => {
                dress(&file.from, &file.to, &file.stat).at("copy the attributes of", &file.path)?;
                Ok(false)
            }
        }
    }
}

/// Attributes, times (that of reading too: by it a commit knows copies of a file with several names) and permissions.
fn dress(from: impl AsFd, to: impl AsFd, stat: &Stat) -> Result<(), Errno> {
    let xattrs = node::xattrs(&from)?;
    let meta = Meta { mode: stat.st_mode & beneath::MODE_MASK, mtime: node::mtime(stat), xattrs };
    node::set_read_time(&to, node::atime(stat))?;
    node::set_meta(&to, &meta)
}
