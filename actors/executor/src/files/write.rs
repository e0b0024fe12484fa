//! `write_file`, and writing for the other tools. Written in place: the file keeps its mode, its attributes and its other
//! names. Nothing of it is real before the commit, which takes all of it or nothing.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{Mode, fstatat, mkdirat};

use super::beneath::{NO_LINKS, kind, place};
use super::{FileError, failed, failed_io};
use crate::sys;

/// `content` becomes all of the file; missing directories are made.
pub fn write(name: &str, content: &[u8]) -> Result<(), FileError> {
    let (dir, path) = place(name)?;
    let path = path.as_bytes();
    let (parents, leaf) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let leaf = CString::new(leaf).map_err(|_| failed("use the path", name)(Errno::EINVAL))?;
    if matches!(leaf.as_bytes(), b"" | b".") {
        return Err(failed("write", name)(Errno::EISDIR));
    }
    let dir = make_parents(dir, parents, name)?;
    only_a_file(dir.as_fd(), &leaf, name)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = sys::openat2(dir.as_fd(), &leaf, flags, 0o644, NO_LINKS).map_err(failed("write", name))?;
    File::from(file).write_all(content).map_err(failed_io("write", name))
}

fn make_parents(mut dir: OwnedFd, parents: &[u8], name: &str) -> Result<OwnedFd, FileError> {
    for part in parents.split(|byte| *byte == b'/') {
        if matches!(part, b"" | b".") {
            continue;
        }
        let part = CString::new(part).map_err(|_| failed("use the path", name)(Errno::EINVAL))?;
        match mkdirat(&dir, part.as_c_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed("make the directories of", name)(errno)),
        }
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY;
        dir = sys::openat2(dir.as_fd(), &part, flags, 0, NO_LINKS).map_err(failed("enter the directories of", name))?;
    }
    Ok(dir)
}

/// What is there is a file, or nothing.
fn only_a_file(dir: BorrowedFd<'_>, leaf: &CStr, name: &str) -> Result<(), FileError> {
    match fstatat(dir, leaf, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(facts) if kind(facts.st_mode) == "a file" => Ok(()),
        Ok(facts) => Err(FileError::Kind { object: name.to_owned(), is: kind(facts.st_mode), wanted: "a file" }),
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(failed("look at", name)(errno)),
    }
}
