//! Opening beneath the workspace, or beneath a directory that was added.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use workspace::DIRECTORIES;

use super::{FileError, failed, failed_io};
use crate::{directories, sys};

/// From the kernel's openat2.h.
const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
const RESOLVE_NO_SYMLINKS: u64 = 0x04;
const RESOLVE_BENEATH: u64 = 0x08;
/// Reading follows links that stay inside.
pub const INSIDE: u64 = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
/// Writing follows none.
pub const NO_LINKS: u64 = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;

/// Relative, without `..`, without a zero byte: the gate has checked it, this checks it once more.
fn relative(path: &str) -> Result<CString, FileError> {
    let bad = || failed("use the path", path)(Errno::EINVAL);
    let some = if path.is_empty() { "." } else { path };
    if some.starts_with('/') || some.split('/').any(|part| part == "..") {
        return Err(bad());
    }
    CString::new(some).map_err(|_| bad())
}

/// Where a path begins, and what is left of it from there: the workspace, or a directory that was added.
pub fn place(path: &str) -> Result<(OwnedFd, CString), FileError> {
    let Some(beside) = path.strip_prefix(DIRECTORIES) else { return Ok((workspace()?, relative(path)?)) };
    let (name, inner) = beside.split_once('/').unwrap_or((beside, ""));
    if matches!(name, "" | "." | "..") {
        return Err(failed("use the path", path)(Errno::EINVAL));
    }
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY;
    let all = File::open(directories::INSIDE).map_err(failed_io("open", path))?;
    let dir = sys::openat2(all.as_fd(), &relative(name)?, flags, 0, NO_LINKS).map_err(failed("open", path))?;
    Ok((dir, relative(inner)?))
}

/// The working directory, which is the workspace.
fn workspace() -> Result<OwnedFd, FileError> {
    File::open(".").map(OwnedFd::from).map_err(failed_io("open", "the workspace"))
}

/// Standard output without a buffer of its own: the process ends without flushing one.
pub fn output() -> File {
    File::from(sys::own(libc::STDOUT_FILENO))
}

/// What a node is, by its mode.
pub fn kind(mode: u32) -> &'static str {
    match SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => "a file",
        SFlag::S_IFDIR => "a directory",
        SFlag::S_IFLNK => "a symbolic link",
        SFlag::S_IFIFO => "a pipe",
        SFlag::S_IFSOCK => "a socket",
        _ => "a device",
    }
}

/// A regular file, open to be read, and its length.
pub fn open_file(path: &str, resolve: u64) -> Result<(File, u64), FileError> {
    let (dir, inner) = place(path)?;
    open_file_in(dir.as_fd(), &inner, path, resolve)
}

/// As [`open_file`], from a directory; `name` is for people.
pub fn open_file_in(dir: BorrowedFd<'_>, path: &CStr, name: &str, resolve: u64) -> Result<(File, u64), FileError> {
    // O_NONBLOCK: opening a pipe does not wait for a writer.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = sys::openat2(dir, path, flags, 0, resolve).map_err(failed("open", name))?;
    let facts = fstat(&file).map_err(failed("look at", name))?;
    if kind(facts.st_mode) != "a file" {
        return Err(FileError::Kind { object: name.to_owned(), is: kind(facts.st_mode), wanted: "a file" });
    }
    Ok((File::from(file), facts.st_size as u64))
}

/// A directory, open to be listed.
pub fn open_directory(path: &str, resolve: u64) -> Result<OwnedFd, FileError> {
    open(path, libc::O_RDONLY | libc::O_DIRECTORY, resolve)
}

/// Whatever it is.
pub fn open(path: &str, flags: libc::c_int, resolve: u64) -> Result<OwnedFd, FileError> {
    let flags = flags | libc::O_CLOEXEC;
    let (dir, inner) = place(path)?;
    sys::openat2(dir.as_fd(), &inner, flags, 0, resolve).map_err(failed("open", path))
}
