//! Files by directory descriptors. A path of several names is resolved once, by openat2, which neither leaves the
//! directory it starts from nor follows a link; what follows is a call on the descriptor and one name.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::error::{At, Failed};
use crate::limits::NAMES_MAX;

/// The permissions that are looked at and kept. Setuid and setgid never get into a workspace.
pub const MODE_MASK: u32 = 0o1777;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// How often openat2 may answer that a rename elsewhere kept it from being sure that it stayed beneath.
const RETRIES_MAX: usize = 128;

/// Opens `path` beneath `dir`. An empty path is `dir` itself.
pub fn open(dir: impl AsFd, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let path: &[u8] = if path.is_empty() { b"." } else { path };
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(dir.as_fd(), path, flags, mode, RESOLVE) {
            Err(Errno::AGAIN | Errno::INTR) if tries < RETRIES_MAX => tries += 1,
            other => return other,
        }
    }
}

/// Opens a directory beneath `dir`.
pub fn open_dir(dir: impl AsFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    open(dir, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

/// Opens a file to be read, which leaves its time of reading as it is. Never waits: a pipe without a writer is opened, and
/// found to be one.
pub fn open_read(dir: impl AsFd, path: &[u8]) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    match open(&dir, path, flags | OFlags::NOATIME, Mode::empty()) {
        // Another account's file.
        Err(Errno::PERM) => open(dir, path, flags, Mode::empty()),
        other => other,
    }
    .map(File::from)
}

/// Creates a file that must not be there.
pub fn create(dir: impl AsFd, name: &[u8]) -> Result<File, Errno> {
    open(dir, name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// A path's directory and last name.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// The node of this name, links not followed; `None` when there is none.
pub fn look(dir: impl AsFd, name: &[u8]) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What a node is, from its mode.
pub fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What a node is that is neither file, directory nor symbolic link.
pub fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown => "of no known kind",
    }
}

/// Every name in a directory, sorted.
pub fn names(dir: impl AsFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() == NAMES_MAX {
            return Err(Errno::TOOBIG);
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Opens a node that its owner may have denied itself: where the mode says so, it is widened for a moment. `stat` is
/// what the name was found to be; another node under the name by now is an error.
pub fn open_owned(dir: impl AsFd, name: &[u8], stat: &Stat) -> Result<OwnedFd, Errno> {
    let is_dir = file_type(stat) == FileType::Directory;
    let need = if is_dir { 0o500 } else { 0o400 };
    let open_it = || if is_dir { open_dir(&dir, name) } else { open_read(&dir, name).map(OwnedFd::from) };
    let fd = match open_it() {
        Err(Errno::ACCESS) if stat.st_mode & need != need => {
            let mode = stat.st_mode & 0o7777;
            rustix::fs::chmodat(&dir, name, Mode::from_raw_mode(mode | need), AtFlags::empty())?;
            let fd = open_it()?;
            // A directory that can't be searched is of no use even when open, so who asked for it restores it.
            if !is_dir {
                rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))?;
            }
            fd
        }
        other => other?,
    };
    let now = rustix::fs::fstat(&fd)?;
    if now.st_ino != stat.st_ino || now.st_dev != stat.st_dev { Err(Errno::STALE) } else { Ok(fd) }
}

/// Removes a node and all below it; nothing there is no error. For what is in the store only.
pub fn remove_tree(dir: impl AsFd, name: &[u8]) -> Result<(), Failed> {
    if let Some(mut removal) = Removal::begin(dir, name)? {
        while !removal.step(usize::MAX)? {}
    }
    Ok(())
}

/// A directory that is being removed with all in it, piece by piece.
pub struct Removal {
    /// What it is in.
    dir: OwnedFd,
    /// A frame for each level, kept here and not on the stack; its names are taken from the end.
    open: Vec<Entered>,
}

impl Removal {
    /// Begins; `None`: there is nothing left to remove.
    pub fn begin(dir: impl AsFd, name: &[u8]) -> Result<Option<Removal>, Failed> {
        match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(None),
            Err(Errno::ISDIR) => {}
            Err(errno) => return Err(errno).at("remove", name),
        }
        let open = vec![enter(&dir, name)?];
        Ok(Some(Removal { dir: rustix::io::fcntl_dupfd_cloexec(dir, 0).at("open", name)?, open }))
    }

    /// Removes at most so many nodes. True: all are gone.
    pub fn step(&mut self, nodes: usize) -> Result<bool, Failed> {
        for _ in 0..nodes {
            let Some(Entered { dir: fd, left, name: own }) = self.open.last_mut() else { return Ok(true) };
            let Some(next) = left.pop() else {
                let own = std::mem::take(own);
                self.open.pop();
                let parent = self.open.last().map_or(&self.dir, |parent| &parent.dir);
                rustix::fs::unlinkat(parent, &own[..], AtFlags::REMOVEDIR).at("remove", &own)?;
                continue;
            };
            match rustix::fs::unlinkat(&*fd, &next[..], AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => {
                    let entered = enter(&*fd, &next)?;
                    self.open.push(entered);
                }
                Err(errno) => return Err(errno).at("remove", &next),
            }
        }
        Ok(self.open.is_empty())
    }
}

/// A directory that is being removed.
struct Entered {
    dir: OwnedFd,
    /// What is in it still.
    left: Vec<Vec<u8>>,
    name: Vec<u8>,
}

fn enter(dir: impl AsFd, name: &[u8]) -> Result<Entered, Failed> {
    let stat = look(&dir, name).at("look at", name)?.ok_or(Errno::NOENT).at("look at", name)?;
    if stat.st_mode & 0o700 != 0o700 {
        rustix::fs::chmodat(&dir, name, Mode::RWXU, AtFlags::empty()).at("open up", name)?;
    }
    let fd = open_dir(&dir, name).at("open", name)?;
    let left = names(&fd).at("list", name)?;
    Ok(Entered { dir: fd, left, name: name.to_vec() })
}
