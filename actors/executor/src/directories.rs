//! Directories of the principal's own, besides the workspace: root has added each, and the launcher has mounted it with
//! its owner mapped to the executor's account. What is there at the executor's start is what there is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::step::{At, Failure, Step};

/// Where the launcher mounts those that may not be changed.
pub const READ_ONLY: &str = "/directories/read-only";
/// Where the launcher mounts those that may be changed.
pub const READ_WRITE: &str = "/directories/read-write";
/// Where a sandbox has them all, by name.
pub const INSIDE: &str = "/directories";

/// What is mounted in one of these, in order of name; nothing where nobody has added any.
///
/// # Errors
/// When it can't be listed.
pub fn given(at: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = match fs::read_dir(at) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    found.sort_unstable();
    Ok(found)
}

/// Binds one into the sandboxes' root, below [`INSIDE`]. There it can't be written: what is written goes elsewhere.
///
/// # Errors
/// The failed step.
pub fn bind(source: &Path, root: &Path) -> Result<(), Failure> {
    let inside = root.join(INSIDE.trim_start_matches('/'));
    let target = inside.join(source.file_name().unwrap_or_default());
    fs::DirBuilder::new().recursive(true).create(&target).at(Step::Directory)?;
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), &target, None::<&str>, bind, None::<&str>).at(Step::Directory)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, &target, None::<&str>, flags, None::<&str>).at(Step::Directory)
}
