//! A command that names the paths that it is to see: of the workspace nothing else is there.
//!
//! By mounts, not by rules alone: a rule of Landlock keeps a file from being opened, but lets its name, size and times be
//! seen and its mode be changed. So the workspace is covered by an empty tree that can't be written to, and only what was
//! named is bound into it, each from beneath the workspace and through no link. What is bound is still the layer: what
//! changes there is seen, decided on and committed as always.

use std::ffi::CString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use workspace::{Area, DIRECTORIES, NodeKind};

use crate::directories;
use crate::files::NO_LINKS;
use crate::layer::WORKSPACE;
use crate::limits::{SKELETON_BYTES, SKELETON_INODES};
use crate::step::{At, Failure, Step};
use crate::sys;

/// Whether each of these paths is there. One that is not can't be seen; to let the command see its directory instead would
/// show it more than was named.
///
/// # Errors
/// Which is not, in words for a person.
pub fn check(area: &Area, paths: &[String]) -> Result<(), String> {
    for path in paths {
        if path.starts_with(DIRECTORIES) {
            return Err(format!("{path:?} is not in the workspace; leave paths out, and the command sees it"));
        }
        match area.look(path.as_bytes()).map_err(|error| error.to_string())? {
            Some(NodeKind::File | NodeKind::Directory) => {}
            Some(NodeKind::Symlink) => {
                return Err(format!(
                    "{path:?} is a symbolic link, which is not followed; name what it leads to in paths"
                ));
            }
            None => {
                return Err(format!(
                    "there is no {path:?}; name the directory that the command is to make it in, or make it first"
                ));
            }
        }
    }
    Ok(())
}

/// Leaves these paths of the workspace, which is at its place already; all of it, when there are none.
///
/// # Errors
/// The failed step.
pub fn narrow(paths: &[String]) -> Result<(), Failure> {
    if paths.is_empty() {
        return Ok(());
    }
    let workspace = File::open(WORKSPACE).at(Step::Paths)?;
    let opened: Result<Vec<(&str, OwnedFd)>, Failure> =
        outermost(paths).into_iter().map(|path| open(&workspace, path).map(|fd| (path, fd))).collect();
    let opened = opened?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = format!("size={SKELETON_BYTES},nr_inodes={SKELETON_INODES},mode=0755");
    mount(Some("seen"), WORKSPACE, Some("tmpfs"), flags, Some(options.as_str())).at(Step::Paths)?;
    // The person's other directories are not named here.
    if Path::new(directories::INSIDE).is_dir() {
        let flags = flags | MsFlags::MS_RDONLY;
        mount(Some("seen"), directories::INSIDE, Some("tmpfs"), flags, Some("size=4k,mode=0755")).at(Step::Paths)?;
    }
    for (path, fd) in opened {
        bind(path, &fd)?;
    }
    let flags = flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, WORKSPACE, None::<&str>, flags, None::<&str>).at(Step::Paths)
}

/// Without those that are beneath another one.
fn outermost(paths: &[String]) -> Vec<&str> {
    let mut all: Vec<&str> = paths.iter().map(String::as_str).collect();
    // By parts: `a/b` comes right after `a`, and not `a-b`.
    all.sort_by(|one, other| one.split('/').cmp(other.split('/')));
    let beneath =
        |path: &str, above: &str| path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
    let mut kept: Vec<&str> = Vec::new();
    for path in all {
        if kept.last().is_none_or(|above| !beneath(path, above)) {
            kept.push(path);
        }
    }
    kept
}

fn open(workspace: &File, path: &str) -> Result<OwnedFd, Failure> {
    let path = CString::new(path).map_err(|_| Failure::new(Step::Paths, libc::EINVAL))?;
    sys::openat2(workspace.as_fd(), &path, libc::O_PATH | libc::O_CLOEXEC, 0, NO_LINKS).at(Step::Paths)
}

fn bind(path: &str, fd: &OwnedFd) -> Result<(), Failure> {
    let target = Path::new(WORKSPACE).join(path);
    let above = target.parent().unwrap_or(Path::new(WORKSPACE));
    DirBuilder::new().recursive(true).mode(0o755).create(above).at(Step::Paths)?;
    let facts = nix::sys::stat::fstat(fd).at(Step::Paths)?;
    if facts.st_mode & libc::S_IFMT == libc::S_IFDIR {
        DirBuilder::new().mode(0o755).create(&target).at(Step::Paths)?;
    } else {
        OpenOptions::new().write(true).create_new(true).open(&target).at(Step::Paths)?;
    }
    let source = format!("/proc/self/fd/{}", fd.as_raw_fd());
    mount(Some(source.as_str()), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>).at(Step::Paths)
}

#[cfg(test)]
mod tests {
    use super::outermost;

    #[test]
    fn a_path_beneath_another_is_part_of_it() {
        let paths = ["b/c/d", "a-b", "a/x", "a", "b/c", "a", "b/cd"].map(str::to_owned);
        assert_eq!(outermost(&paths), ["a", "a-b", "b/c", "b/cd"]);
    }
}
