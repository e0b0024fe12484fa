//! Whether a file system can have the ids of its files mapped, as the launcher maps them: tried on a copy of a mount that is
//! nowhere to be seen.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// Tries it: false when the kernel says that this file system can't.
///
/// # Errors
/// When it can't be tried (not root, or an older kernel).
pub fn can_map(directory: &Path) -> io::Result<bool> {
    let map = user_namespace()?;
    let directory = File::open(directory)?;
    let (empty, here) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    let open = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | here as u32;
    // SAFETY: the name is empty and ends with a zero.
    let copy = unsafe { libc::syscall(libc::SYS_open_tree, directory.as_raw_fd(), empty, open) };
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    let copy = unsafe { OwnedFd::from_raw_fd(Errno::result(copy)? as i32) };
    let userns_fd = map.as_raw_fd() as u64;
    let attr = libc::mount_attr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd };
    let size = size_of_val(&attr);
    // SAFETY: the structure lives for the call and has the size that is passed.
    let set = unsafe { libc::syscall(libc::SYS_mount_setattr, copy.as_raw_fd(), empty, here, &attr, size) };
    match Errno::result(set) {
        Ok(_) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// A user namespace with a map, held by its file alone.
fn user_namespace() -> io::Result<File> {
    let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
    // SAFETY: as fork, without a stack of its own; the child below does nothing but wait, and this program has one thread.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if child == 0 {
        loop {
            // SAFETY: plain calls without pointers; the child ends with its parent.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::pause();
            }
        }
    }
    let child = Pid::from_raw(Errno::result(child)? as i32);
    let namespace = ["uid_map", "gid_map"]
        .into_iter()
        .try_for_each(|map| fs::write(format!("/proc/{child}/{map}"), "1000 1000 1"))
        .and_then(|()| File::open(format!("/proc/{child}/ns/user")));
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None)?;
    namespace
}
