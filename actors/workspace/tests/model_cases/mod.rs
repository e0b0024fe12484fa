//! Random operations on a tree, as a command would do them by system calls, and what of them a commit can be held to.

pub mod changes;
pub mod links;
pub mod strategy;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// One operation. Paths are from the tree's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// All of a file, new or rewritten.
    Write {
        path: PathBuf,
        seed: u8,
        bytes: u32,
    },
    /// Some bytes at an offset, which may be far behind the end.
    WriteAt {
        path: PathBuf,
        seed: u8,
        offset: u32,
        bytes: u16,
    },
    /// Another length.
    Truncate {
        path: PathBuf,
        bytes: u32,
    },
    /// An editor's save: a new file takes the name.
    Save {
        path: PathBuf,
        seed: u8,
        bytes: u32,
    },
    MakeDirectory {
        path: PathBuf,
    },
    /// With all that is in it.
    Delete {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Exchange {
        one: PathBuf,
        other: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Symlink {
        path: PathBuf,
        target: String,
    },
    Chmod {
        path: PathBuf,
        mode: u32,
    },
    Xattr {
        path: PathBuf,
        name: u8,
        value: Option<Vec<u8>>,
    },
    Mtime {
        path: PathBuf,
        s: i32,
        ns: u32,
    },
}

/// Does an operation below the current directory, if it can be done. Its number gives what it writes a time of its own, so
/// that two runs of the same leave the same times.
pub fn apply(root: &Path, number: usize, op: &Op) -> io::Result<()> {
    let at = |path: &Path| root.join(path);
    match op {
        Op::Write { path, seed, bytes } => {
            let mut file = open(&at(path), File::options().write(true).create(true).truncate(true))?;
            file.write_all(&noise(*seed, *bytes as usize))?;
            stamp(&file, number)
        }
        Op::WriteAt { path, seed, offset, bytes } => {
            let file = open(&at(path), File::options().write(true))?;
            file.write_all_at(&noise(*seed, usize::from(*bytes)), u64::from(*offset))?;
            stamp(&file, number)
        }
        Op::Truncate { path, bytes } => {
            let file = open(&at(path), File::options().write(true))?;
            file.set_len(u64::from(*bytes))?;
            stamp(&file, number)
        }
        Op::Save { path, seed, bytes } => {
            if fs::symlink_metadata(at(path)).is_ok_and(|data| data.is_dir()) {
                return Err(Errno::ISDIR.into());
            }
            let temporary = at(path).with_file_name(".temporary");
            let mut file = File::create(&temporary)?;
            file.write_all(&noise(*seed, *bytes as usize))?;
            stamp(&file, number)?;
            fs::rename(&temporary, at(path))
        }
        Op::MakeDirectory { path } => fs::create_dir(at(path)),
        Op::Delete { path } => delete(&at(path)),
        Op::Rename { from, to } => rename(&at(from), &at(to)),
        Op::Exchange { one, other } => exchange(&at(one), &at(other)),
        Op::Link { from, to } => {
            is_file(&at(from))?;
            fs::hard_link(at(from), at(to))
        }
        Op::Symlink { path, target } => {
            std::os::unix::fs::symlink(target, at(path))?;
            set_mtime(&at(path), time(number))
        }
        Op::Chmod { path, mode } => {
            let data = fs::symlink_metadata(at(path))?;
            if data.is_symlink() {
                return Err(Errno::LOOP.into());
            }
            let mode = if data.is_dir() { mode | 0o500 } else { mode & 0o777 };
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode))
        }
        Op::Xattr { path, name, value } => {
            if fs::symlink_metadata(at(path))?.is_symlink() {
                return Err(Errno::LOOP.into());
            }
            let name = format!("user.model{name}");
            match value {
                Some(value) => rustix::fs::lsetxattr(at(path), name, value, XattrFlags::empty())?,
                None => rustix::fs::lremovexattr(at(path), name)?,
            }
            Ok(())
        }
        Op::Mtime { path, s, ns } => set_mtime(&at(path), Timespec { tv_sec: i64::from(*s), tv_nsec: i64::from(*ns) }),
    }
}

fn is_file(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_file() { Ok(()) } else { Err(Errno::INVAL.into()) }
}

/// Follows no link: two runs stand in different places.
fn open(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path)
}

fn time(number: usize) -> Timespec {
    Timespec { tv_sec: 1_000_000_000 + number as i64, tv_nsec: number as i64 }
}

fn stamp(file: &File, number: usize) -> io::Result<()> {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    Ok(rustix::fs::futimens(file, &Timestamps { last_access: omit, last_modification: time(number) })?)
}

fn set_mtime(path: &Path, mtime: Timespec) -> io::Result<()> {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let times = Timestamps { last_access: omit, last_modification: mtime };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Bytes that depend on the seed alone.
pub fn noise(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| if at % 40 == 39 { b'\n' } else { b'a' + ((at / 40 * 7 + usize::from(seed)) % 26) as u8 })
        .collect()
}

fn delete(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// As a sandbox does it: a directory that an overlay can't rename is moved with all that is in it.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(from)?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices && data.is_dir() => {
            if to.starts_with(from) {
                return Err(Errno::INVAL.into());
            }
            if fs::symlink_metadata(to).is_ok() {
                fs::remove_dir(to)?;
            }
            move_tree(from, to, &data)
        }
        other => other,
    }
}

fn move_tree(from: &Path, to: &Path, data: &fs::Metadata) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        let inner = fs::symlink_metadata(from.join(&name))?;
        if inner.is_dir() {
            move_tree(&from.join(&name), &to.join(&name), &inner)?;
        } else {
            fs::rename(from.join(&name), to.join(&name))?;
        }
    }
    for name in [b"user.model0", b"user.model1"] {
        let mut value = vec![0; 4096];
        if let Ok(bytes) = rustix::fs::lgetxattr(from, OsStr::from_bytes(name), &mut value[..]) {
            rustix::fs::lsetxattr(to, OsStr::from_bytes(name), &value[..bytes], XattrFlags::empty())?;
        }
    }
    fs::set_permissions(to, data.permissions())?;
    fs::remove_dir(from)
}

fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    if one.starts_with(other) || other.starts_with(one) {
        return Err(Errno::INVAL.into());
    }
    match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Err(Errno::XDEV) => {
            let aside = one.with_file_name(".aside");
            rename(one, &aside)?;
            rename(other, one)?;
            rename(&aside, other)
        }
        result => Ok(result?),
    }
}

impl Op {
    /// The same in a directory.
    pub fn below(mut self, dir: &str) -> Op {
        let down = |path: &mut PathBuf| *path = Path::new(dir).join(&*path);
        match &mut self {
            Op::Write { path, .. }
            | Op::WriteAt { path, .. }
            | Op::Truncate { path, .. }
            | Op::Save { path, .. }
            | Op::MakeDirectory { path }
            | Op::Delete { path }
            | Op::Symlink { path, .. }
            | Op::Chmod { path, .. }
            | Op::Xattr { path, .. }
            | Op::Mtime { path, .. } => down(path),
            Op::Rename { from: one, to: other } | Op::Exchange { one, other } | Op::Link { from: one, to: other } => {
                down(one);
                down(other);
            }
        }
        self
    }
}
