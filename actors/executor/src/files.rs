//! File operations, inside a sandbox, on the workspace. Links are never followed out of it: openat2 refuses to leave
//! the directory it starts from, and there is nothing to reach out there.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::limits::{LIST_NAMES, READ_FILE_BYTES};
use crate::sys;

/// From the kernel's openat2.h.
const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
const RESOLVE_NO_SYMLINKS: u64 = 0x04;
const RESOLVE_BENEATH: u64 = 0x08;
/// Reading follows links that stay inside.
const INSIDE: u64 = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
/// Writing follows none.
const NO_LINKS: u64 = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;

/// Why a file operation was not done, in words for a person.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A step on an object failed.
    #[error("could not {step} {object}: {}", explain(*.errno))]
    Step {
        /// What was tried.
        step: &'static str,
        /// On what.
        object: String,
        /// The error.
        errno: Errno,
    },
    /// It is not what the operation needs.
    #[error("{object} is {is}, not {wanted}")]
    Kind {
        /// What.
        object: String,
        /// What it is.
        is: &'static str,
        /// What was needed.
        wanted: &'static str,
    },
    /// It is too large.
    #[error("{object} has {size} bytes, more than {READ_FILE_BYTES}: use run_command with head, tail or grep")]
    TooLarge {
        /// What.
        object: String,
        /// Its size in bytes.
        size: u64,
    },
}

fn explain(errno: Errno) -> String {
    match errno {
        Errno::EXDEV => "the path leads out of the workspace".to_owned(),
        Errno::ELOOP => "there is a symbolic link on the way, which is not followed".to_owned(),
        other => io::Error::from(other).to_string(),
    }
}

fn failed(step: &'static str, object: &str) -> impl Fn(Errno) -> FileError {
    let object = object.escape_default().to_string();
    move |errno| FileError::Step { step, object: object.clone(), errno }
}

fn failed_io(step: &'static str, object: &str) -> impl Fn(io::Error) -> FileError {
    let failed = failed(step, object);
    move |error| failed(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// The exit status of a file operation; its error goes to standard error.
pub fn finish(result: Result<(), FileError>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            1
        }
    }
}

/// Relative, without `..`, without a zero byte: the gate has checked it, this checks it once more.
fn relative(path: &[u8]) -> Result<(String, CString), FileError> {
    let text = String::from_utf8_lossy(path).into_owned();
    let bad = || failed("use the path", &text)(Errno::EINVAL);
    let trimmed: &[u8] = if path.is_empty() { b"." } else { path };
    if trimmed[0] == b'/' || trimmed.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return Err(bad());
    }
    let zero_ended = CString::new(trimmed).map_err(|_| bad())?;
    Ok((text, zero_ended))
}

fn workspace() -> Result<OwnedFd, FileError> {
    File::open(".").map(OwnedFd::from).map_err(failed_io("open", "the workspace"))
}

/// Standard output without a buffer of its own: the process ends without flushing one.
fn output() -> File {
    File::from(sys::own(libc::STDOUT_FILENO))
}

fn kind(mode: u32) -> &'static str {
    match SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => "a file",
        SFlag::S_IFDIR => "a directory",
        SFlag::S_IFLNK => "a symbolic link",
        SFlag::S_IFIFO => "a pipe",
        SFlag::S_IFSOCK => "a socket",
        _ => "a device",
    }
}

/// A file's content to standard output.
pub fn read(path: &[u8]) -> Result<(), FileError> {
    let (name, path) = relative(path)?;
    // O_NONBLOCK: opening a pipe does not wait for a writer.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = sys::openat2(workspace()?.as_fd(), &path, flags, 0, INSIDE).map_err(failed("open", &name))?;
    let facts = fstat(&file).map_err(failed("look at", &name))?;
    if kind(facts.st_mode) != "a file" {
        return Err(FileError::Kind { object: name, is: kind(facts.st_mode), wanted: "a file" });
    }
    let size = facts.st_size as u64;
    if size > READ_FILE_BYTES {
        return Err(FileError::TooLarge { object: name, size });
    }
    let mut bounded = File::from(file).take(READ_FILE_BYTES);
    io::copy(&mut bounded, &mut output()).map(drop).map_err(failed_io("read", &name))
}

/// Names to standard output: sorted, one a line, directories with a slash, control characters escaped.
pub fn list(path: &[u8]) -> Result<(), FileError> {
    let (name, path) = relative(path)?;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY;
    let dir = sys::openat2(workspace()?.as_fd(), &path, flags, 0, INSIDE).map_err(failed("open", &name))?;
    let mut dir = nix::dir::Dir::from_fd(dir).map_err(failed("list", &name))?;
    let mut names = Vec::new();
    let mut more = 0u64;
    for entry in dir.iter() {
        let entry = entry.map_err(failed("list", &name))?;
        let bytes = entry.file_name().to_bytes();
        if matches!(bytes, b"." | b"..") {
            continue;
        }
        if names.len() == LIST_NAMES {
            more += 1;
            continue;
        }
        let slash = matches!(entry.file_type(), Some(nix::dir::Type::Directory));
        names.push(one_line(bytes, slash));
    }
    names.sort_unstable();
    let mut text = names.concat();
    if more > 0 {
        text.push_str(&format!("... and {more} more\n"));
    }
    output().write_all(text.as_bytes()).map_err(failed_io("list", &name))
}

/// A name can hold anything but a slash and a zero, newlines and terminal escapes included.
fn one_line(name: &[u8], slash: bool) -> String {
    let mut line = String::new();
    for part in String::from_utf8_lossy(name).chars() {
        if part.is_control() {
            line.extend(part.escape_default());
        } else {
            line.push(part);
        }
    }
    line.push_str(if slash { "/\n" } else { "\n" });
    line
}

/// Standard input becomes the file's content, wholly or not at all; missing directories are made.
pub fn write(path: &[u8]) -> Result<(), FileError> {
    let (name, path) = relative(path)?;
    let path = path.as_bytes();
    let (parents, leaf) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let leaf = CString::new(leaf).map_err(|_| failed("use the path", &name)(Errno::EINVAL))?;
    if matches!(leaf.as_bytes(), b"" | b".") {
        return Err(failed("write", &name)(Errno::EISDIR));
    }
    let dir = make_parents(parents, &name)?;
    let mode = mode_of_old(dir.as_fd(), &leaf, &name)?;
    replace(dir.as_fd(), &leaf, mode, &name)
}

fn make_parents(parents: &[u8], name: &str) -> Result<OwnedFd, FileError> {
    let mut dir = workspace()?;
    for part in parents.split(|byte| *byte == b'/') {
        if matches!(part, b"" | b".") {
            continue;
        }
        let part = CString::new(part).map_err(|_| failed("use the path", name)(Errno::EINVAL))?;
        match mkdirat(&dir, part.as_c_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) => File::from(dir.try_clone().map_err(failed_io("make", name))?)
                .sync_all()
                .map_err(failed_io("make the directories of", name))?,
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed("make the directories of", name)(errno)),
        }
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY;
        dir = sys::openat2(dir.as_fd(), &part, flags, 0, NO_LINKS).map_err(failed("enter the directories of", name))?;
    }
    Ok(dir)
}

/// The mode of the file that is replaced, if there is one; anything but a file is not replaced.
fn mode_of_old(dir: BorrowedFd<'_>, leaf: &CStr, name: &str) -> Result<u32, FileError> {
    match fstatat(dir, leaf, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(facts) if kind(facts.st_mode) == "a file" => Ok(facts.st_mode & 0o777),
        Ok(facts) => Err(FileError::Kind { object: name.to_owned(), is: kind(facts.st_mode), wanted: "a file" }),
        Err(Errno::ENOENT) => Ok(0o644),
        Err(errno) => Err(failed("look at", name)(errno)),
    }
}

fn replace(dir: BorrowedFd<'_>, leaf: &CStr, mode: u32, name: &str) -> Result<(), FileError> {
    let temporary =
        CString::new(format!(".chela-new-{}", std::process::id())).map_err(|_| failed("write", name)(Errno::EINVAL))?;
    // Left behind by a sandbox that was killed: its process number may come again.
    let _ = unlinkat(dir, temporary.as_c_str(), UnlinkatFlags::NoRemoveDir);
    let result = fill(dir, &temporary, mode)
        .and_then(|()| {
            renameat(dir, temporary.as_c_str(), dir, leaf)?;
            let dir = File::from(dir.try_clone_to_owned()?);
            dir.sync_all()
        })
        .map_err(failed_io("write", name));
    if result.is_err() {
        let _ = unlinkat(dir, temporary.as_c_str(), UnlinkatFlags::NoRemoveDir);
    }
    result
}

fn fill(dir: BorrowedFd<'_>, temporary: &CStr, mode: u32) -> io::Result<()> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
    let mut file = File::from(sys::openat2(dir, temporary, flags, 0o600, NO_LINKS)?);
    io::copy(&mut io::stdin().lock(), &mut file)?;
    fchmod(&file, Mode::from_bits_truncate(mode))?;
    file.sync_all()
}
