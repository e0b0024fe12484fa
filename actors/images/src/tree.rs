//! The tree that is being made. Every path is resolved beneath its root's descriptor, through no link; what follows is
//! a call on a descriptor and one name. Nothing here looks at what a path means.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::entry::{Parts, joined};
use crate::error::Refused;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Everybody may look into a directory and run a program; nobody may write.
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);
/// How often openat2 may answer that a rename elsewhere kept it from being sure that it stayed beneath.
const RETRIES: usize = 128;

/// A tree with its root.
pub struct Tree {
    root: OwnedFd,
    /// The directory of the last entry: the next one is mostly its neighbour.
    last: Option<(Parts, OwnedFd)>,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

fn why(errno: Errno) -> Refused {
    match errno {
        Errno::LOOP => Refused::ThroughLink,
        Errno::NOTDIR => Refused::ThroughFile,
        Errno::XDEV => Refused::Parent,
        other => Refused::Make(other),
    }
}

fn open(dir: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(dir.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), RESOLVE) {
            Err(Errno::AGAIN | Errno::INTR) if tries < RETRIES => tries += 1,
            other => return other,
        }
    }
}

impl Tree {
    /// The tree of that root.
    pub fn new(root: OwnedFd) -> Tree {
        Tree { root, last: None }
    }

    /// The directory at `path`; `None` when nothing is there.
    ///
    /// # Errors
    /// When something else is there or on the way.
    pub fn directory(&self, path: &[Vec<u8>]) -> Result<Option<OwnedFd>, Refused> {
        match open(&self.root, &joined(path), DIRECTORY) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR) => Err(self.blame(path)),
            Err(errno) => Err(why(errno)),
        }
    }

    /// What is in the way to a directory: the kernel says the same of a link and of a file.
    fn blame(&self, path: &[Vec<u8>]) -> Refused {
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        for length in 1..=path.len() {
            let found = open(&self.root, &joined(&path[..length]), flags).and_then(rustix::fs::fstat);
            match found.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
                Ok(FileType::Directory) => {}
                Ok(FileType::Symlink) => return Refused::ThroughLink,
                Ok(_) | Err(_) => break,
            }
        }
        Refused::ThroughFile
    }

    /// The directory at `path`, and those above it, made where they are missing.
    fn made(&mut self, path: &[Vec<u8>]) -> Result<OwnedFd, Refused> {
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return fd.try_clone().map_err(Refused::Content);
        }
        let fd = match self.directory(path)? {
            Some(fd) => fd,
            None => self.make_all(path)?,
        };
        self.last = Some((path.to_vec(), fd.try_clone().map_err(Refused::Content)?));
        Ok(fd)
    }

    fn make_all(&self, path: &[Vec<u8>]) -> Result<OwnedFd, Refused> {
        let mut at = self.root.try_clone().map_err(Refused::Content)?;
        for name in path {
            match rustix::fs::mkdirat(&at, &name[..], DIRECTORY_MODE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(why(errno)),
            }
            at = open(&at, name, DIRECTORY).map_err(|errno| match errno {
                Errno::NOTDIR => self.blame(path),
                other => why(other),
            })?;
        }
        Ok(at)
    }

    /// What is at `path`, the last name not followed.
    ///
    /// # Errors
    /// When something else than a directory is on the way.
    pub fn look(&self, path: &[Vec<u8>]) -> Result<Found, Refused> {
        match open(&self.root, &joined(path), OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => {
                let stat = rustix::fs::fstat(fd)?;
                let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
                Ok(if is_directory { Found::Directory } else { Found::Other })
            }
            Err(Errno::NOENT) => Ok(Found::Nothing),
            Err(errno) => Err(why(errno)),
        }
    }

    /// A place for `path`: its directory made, what was there removed. The root itself has none.
    fn clear(&mut self, path: &[Vec<u8>]) -> Result<(OwnedFd, Vec<u8>), Refused> {
        let (name, above) = path.split_last().ok_or(Refused::Empty)?;
        let above = self.made(above)?;
        match rustix::fs::unlinkat(&above, &name[..], AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => {
                self.last = None;
                remove_tree(&above, name)?;
            }
            Err(errno) => return Err(why(errno)),
        }
        Ok((above, name.clone()))
    }

    /// A directory, what was there kept when it is one.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn put_directory(&mut self, path: &[Vec<u8>]) -> Result<(), Refused> {
        if path.is_empty() || self.look(path)? == Found::Directory {
            return Ok(());
        }
        let (above, name) = self.clear(path)?;
        Ok(rustix::fs::mkdirat(above, &name[..], DIRECTORY_MODE)?)
    }

    /// A new file in the place of what was there.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn put_file(&mut self, path: &[Vec<u8>], runs: bool) -> Result<File, Refused> {
        let (above, name) = self.clear(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if runs { 0o755 } else { 0o644 });
        Ok(File::from(rustix::fs::openat(above, &name[..], flags, mode)?))
    }

    /// A symbolic link in the place of what was there.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn put_symlink(&mut self, path: &[Vec<u8>], target: &[u8], mtime_s: i64) -> Result<(), Refused> {
        let (above, name) = self.clear(path)?;
        rustix::fs::symlinkat(target, &above, &name[..])?;
        let times = times(mtime_s);
        Ok(rustix::fs::utimensat(&above, &name[..], &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// A second name of what is at `target`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn put_link(&mut self, path: &[Vec<u8>], target: &[Vec<u8>]) -> Result<(), Refused> {
        let on_target = |refused: Refused| Refused::Target(Box::new(refused));
        let (own, above) = target.split_last().ok_or(Refused::NoTarget)?;
        if self.look(target).map_err(on_target)? != Found::Other {
            return Err(Refused::NoTarget);
        }
        let from = self.directory(above).map_err(on_target)?.ok_or(Refused::NoTarget)?;
        if path == target {
            return Err(Refused::NoTarget);
        }
        let (above, name) = self.clear(path)?;
        match rustix::fs::linkat(from, &own[..], above, &name[..], AtFlags::empty()) {
            // It was below what has just made room.
            Err(Errno::NOENT) => Err(Refused::NoTarget),
            other => Ok(other?),
        }
    }

    /// Removes what is at `path`; nothing there is fine.
    ///
    /// # Errors
    /// When the way there is none.
    pub fn remove(&mut self, path: &[Vec<u8>]) -> Result<(), Refused> {
        let (name, above) = path.split_last().ok_or(Refused::Whiteout)?;
        self.last = None;
        match self.directory(above)? {
            Some(above) => Ok(remove_tree(&above, name)?),
            None => Ok(()),
        }
    }

    /// Removes all that is in the directory at `path`.
    ///
    /// # Errors
    /// When the way there is none.
    pub fn empty(&mut self, path: &[Vec<u8>]) -> Result<(), Refused> {
        self.last = None;
        let Some(directory) = self.directory(path)? else { return Ok(()) };
        for name in names(&directory)? {
            remove_tree(&directory, &name)?;
        }
        Ok(())
    }

    /// Opens the file at `path` to be read; `None` when no regular file is there.
    pub fn read_file(&self, path: &[Vec<u8>]) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(open(&self.root, &joined(path), flags).ok()?);
        file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
    }
}

fn times(mtime_s: i64) -> Timestamps {
    let at = Timespec { tv_sec: mtime_s, tv_nsec: 0 };
    Timestamps { last_access: at, last_modification: at }
}

/// Sets when a file was changed.
///
/// # Errors
/// From the system.
pub fn set_time(file: &File, mtime_s: i64) -> Result<(), Errno> {
    rustix::fs::futimens(file, &times(mtime_s))
}

/// Opens a directory by its path on the host.
///
/// # Errors
/// From the system.
pub fn open_directory(path: &std::path::Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())
}

/// Opens what is beneath a directory, through no link.
///
/// # Errors
/// From the system.
pub fn open_beneath(dir: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open(dir, path, flags | OFlags::NOFOLLOW)
}

/// Every name in a directory.
///
/// # Errors
/// From the system.
pub fn names(dir: impl AsFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes a node and all below it; nothing there is fine. As deep as it may be: levels are kept here, not on the stack.
///
/// # Errors
/// From the system.
pub fn remove_tree(dir: impl AsFd, name: &[u8]) -> Result<(), Errno> {
    let gone = |dir: &OwnedFd, name: &[u8], flags| match rustix::fs::unlinkat(dir, name, flags) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    };
    match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(errno),
    }
    let first = open(&dir, name, DIRECTORY)?;
    let mut levels = vec![(names(&first)?, first, name.to_vec())];
    while let Some((left, fd, own)) = levels.last_mut() {
        if let Some(next) = left.pop() {
            match gone(fd, &next, AtFlags::empty()) {
                Err(Errno::ISDIR) => {
                    let below = open(&*fd, &next, DIRECTORY)?;
                    levels.push((names(&below)?, below, next));
                }
                other => other?,
            }
            continue;
        }
        let own = std::mem::take(own);
        levels.pop();
        match levels.last() {
            Some((_, above, _)) => gone(above, &own, AtFlags::REMOVEDIR)?,
            None => rustix::fs::unlinkat(&dir, &own[..], AtFlags::REMOVEDIR)?,
        }
    }
    Ok(())
}
