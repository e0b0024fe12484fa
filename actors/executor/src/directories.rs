//! Directories of the principal's own, besides the workspace: root has added each, and the launcher has mounted it with
//! its owner mapped to the executor's account. What is there at the executor's start is what there is.
//!
//! A sandbox has them in `/directories`, by name. One that may be changed has a layer of its own there, as the workspace
//! has, and what is written is committed with it as one action.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::geteuid;
use workspace::STAGING;

use crate::step::{At, Failure, Step};

/// Where the launcher mounts those that may not be changed.
pub const READ_ONLY: &str = "/directories/read-only";
/// Where the launcher mounts those that may be changed.
pub const READ_WRITE: &str = "/directories/read-write";
/// Where a sandbox has them all, by name.
pub const INSIDE: &str = "/directories";

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it may be changed.
    pub writable: bool,
}

/// What the launcher has mounted. One that can't be staged in is there to be read only, and said so in the log.
///
/// # Errors
/// When they can't be listed.
pub fn given() -> io::Result<Vec<Directory>> {
    let mut found: Vec<Directory> =
        list(Path::new(READ_ONLY))?.into_iter().map(|path| Directory { path, writable: false }).collect();
    for path in list(Path::new(READ_WRITE))? {
        let made = stages(&path);
        if let Err(error) = &made {
            eprintln!("executor: nothing in {} can be changed: {STAGING} in it: {error}", path.display());
        }
        found.push(Directory { path, writable: made.is_ok() });
    }
    Ok(found)
}

fn list(at: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(at) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Makes the place for what is staged, which must be a directory of this account's and of nobody else's.
fn stages(directory: &Path) -> io::Result<()> {
    let staging = directory.join(STAGING);
    match DirBuilder::new().mode(0o700).create(&staging) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = fs::symlink_metadata(&staging)?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::other("it is another's, or open to others: remove it"))
}

/// Those that may be changed.
pub fn writable(all: &[Directory]) -> Vec<PathBuf> {
    all.iter().filter(|one| one.writable).map(|one| one.path.clone()).collect()
}

/// Binds one into the sandboxes' root, below [`INSIDE`].
///
/// # Errors
/// The failed step.
pub fn bind(one: &Directory, root: &Path) -> Result<(), Failure> {
    let inside = root.join(INSIDE.trim_start_matches('/'));
    let target = inside.join(one.path.file_name().unwrap_or_default());
    fs::DirBuilder::new().recursive(true).create(&target).at(Step::Directory)?;
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(&one.path), &target, None::<&str>, bind, None::<&str>).at(Step::Directory)?;
    if one.writable {
        return Ok(());
    }
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, &target, None::<&str>, flags, None::<&str>).at(Step::Directory)
}

/// In a sandbox: names of those that may be changed, in the order in which their layers are handed out.
///
/// # Errors
/// The failed step.
pub fn covered() -> Result<Vec<OsString>, Failure> {
    let mut names = Vec::new();
    for path in list(Path::new(INSIDE)).at(Step::Directory)? {
        if !statvfs(&path).at(Step::Directory)?.flags().contains(FsFlags::ST_RDONLY) {
            names.extend(path.file_name().map(OsString::from));
        }
    }
    names.sort_unstable();
    Ok(names)
}
