//! The system calls that nix has no safe function for. Every unsafe block of the launcher is here.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use libc::{c_int, c_long};
use nix::{NixPath, Result, errno::Errno, unistd::Pid};

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub pid: Pid,
    /// Exit status, or -1.
    pub status: i32,
    /// Signal, or 0.
    pub signal: i32,
    pub cpu_ms: u32,
    pub rss_max_kib: u32,
}

/// Starts a child with its own copy of everything and new namespaces: `None` in the child.
pub fn fork_into(namespaces: c_int) -> Result<Option<Pid>> {
    let flags = c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: no stack is given and no memory is shared, so this is a fork; the process has a single thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    let pid = Errno::result(pid)?;
    Ok((pid != 0).then(|| Pid::from_raw(pid as i32)))
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: u32) -> Result<()> {
    // SAFETY: called at the start, when nothing is open yet, and in a child that owns nothing above `first` any more.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    Errno::result(done).map(drop)
}

/// A descriptor of a child that [`place`] put there, and that stays until it becomes its program.
pub fn reserved(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the reserved numbers are open from the launcher's first act to the child's exec.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Makes `number` a copy of `fd`, in place of what was there.
pub fn place(fd: &impl AsRawFd, number: RawFd, flags: c_int) -> Result<()> {
    // SAFETY: `number` is one of the reserved low descriptors, which no object owns.
    Errno::result(unsafe { libc::dup3(fd.as_raw_fd(), number, flags) }).map(drop)
}

/// Takes every capability out of the bounding set, but those whose number `keep` wants.
pub fn drop_bounding(keep: impl Fn(u8) -> bool) -> Result<()> {
    for number in 0..64u8 {
        // SAFETY: a plain system call without pointers.
        let there = unsafe { libc::prctl(libc::PR_CAPBSET_READ, c_long::from(number), 0, 0, 0) };
        if there == 1 && !keep(number) {
            // SAFETY: as above.
            let done = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, c_long::from(number), 0, 0, 0) };
            Errno::result(done)?;
        }
    }
    Ok(())
}

/// Joins a new, empty session keyring; a kernel without keyrings has none to leave.
pub fn new_session_keyring() -> Result<()> {
    let join = libc::KEYCTL_JOIN_SESSION_KEYRING;
    // SAFETY: the name is null, which the call takes as "anonymous".
    let done = unsafe { libc::syscall(libc::SYS_keyctl, join, 0, 0, 0, 0) };
    match Errno::result(done) {
        Ok(_) | Err(Errno::ENOSYS) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Empties the environment.
pub fn clear_environment() {
    // SAFETY: single-threaded, and nobody holds a pointer into the environment.
    unsafe { libc::clearenv() };
}

/// Every signal back to its default; what cannot be set (SIGKILL, SIGSTOP) is so already.
pub fn reset_signal_handlers() {
    for number in 1..=64 {
        // SAFETY: SIG_DFL is a valid disposition for any signal.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// Whether any process of the host, zombies included, has this real user id.
pub fn account_has_process(uid: u32) -> bool {
    // SAFETY: a plain system call without pointers. ESRCH is its answer for an account without a process.
    unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_USER, uid) > 0 }
}

/// Reaps one child that has ended, if any.
pub fn reap() -> Option<Ended> {
    let mut status = 0;
    // SAFETY: all zeroes is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call.
    let pid = unsafe { libc::wait4(-1, &mut status, libc::WNOHANG, &mut usage) };
    if pid <= 0 {
        return None;
    }
    let ms = |t: libc::timeval| t.tv_sec.saturating_mul(1000) + t.tv_usec / 1000;
    let exited = libc::WIFEXITED(status);
    Some(Ended {
        pid: Pid::from_raw(pid),
        status: if exited { libc::WEXITSTATUS(status) } else { -1 },
        signal: if exited { 0 } else { libc::WTERMSIG(status) },
        cpu_ms: u32::try_from(ms(usage.ru_utime) + ms(usage.ru_stime)).unwrap_or(u32::MAX),
        rss_max_kib: u32::try_from(usage.ru_maxrss).unwrap_or(u32::MAX),
    })
}

/// Mounts a directory once more, with these flags, and with the ids of its files as `map` (a user namespace) has them.
pub fn mount_mapped(directory: &File, at: &Path, flags: u64, map: &File) -> Result<()> {
    let (empty, here) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    let open = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | here as u32;
    // SAFETY: the name is empty and ends with a zero.
    let copy = unsafe { libc::syscall(libc::SYS_open_tree, directory.as_raw_fd(), empty, open) };
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    let copy = unsafe { OwnedFd::from_raw_fd(Errno::result(copy)? as RawFd) };
    let (tree, whole) = (copy.as_raw_fd(), libc::MOVE_MOUNT_F_EMPTY_PATH);
    let (attr_set, userns_fd) = (flags | libc::MOUNT_ATTR_IDMAP, map.as_raw_fd() as u64);
    // Read-only as the grant says, not as the service manager has made everything for chelad.
    let attr_clr = libc::MOUNT_ATTR_RDONLY & !flags;
    let attr = libc::mount_attr { attr_set, attr_clr, propagation: libc::MS_PRIVATE, userns_fd };
    // SAFETY: the structure lives for the call and has the size that is passed.
    let set = unsafe { libc::syscall(libc::SYS_mount_setattr, tree, empty, here, &attr, size_of_val(&attr)) };
    Errno::result(set)?;
    // SAFETY: both names end with a zero and live for the call.
    let mounted = at.with_nix_path(|at| unsafe {
        libc::syscall(libc::SYS_move_mount, tree, empty, libc::AT_FDCWD, at.as_ptr(), whole)
    })?;
    Errno::result(mounted).map(drop)
}

/// Ends a child that could not become its role, without running anything else.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: never returns.
    unsafe { libc::_exit(status) }
}
