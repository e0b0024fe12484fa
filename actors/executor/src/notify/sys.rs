//! The system calls of user notification that need `unsafe`. Nothing here decides anything.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libc::{seccomp_notif, seccomp_notif_resp, sock_filter, sock_fprog};
use nix::errno::Errno;

/// A call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// Its number among such calls.
    pub id: u64,
    /// The thread that makes it.
    pub thread: u32,
    /// The system call's number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The kernel does it, as if nobody had been asked.
    Kernel,
    /// It is done.
    Done,
    /// It fails.
    Failed(Errno),
}

/// Installs the program on this thread, and gives the number of its listener.
pub fn install(program: &[sock_filter]) -> nix::Result<RawFd> {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Once its call is received, only a deadly signal interrupts it: no rename is done twice.
    match install_as(program, listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        // Before Linux 5.19.
        Err(Errno::EINVAL) => install_as(program, listener),
        other => other,
    }
}

fn install_as(program: &[sock_filter], flags: libc::c_ulong) -> nix::Result<RawFd> {
    let program = sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions, which live in the slice; it changes none.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&program)) };
    Errno::result(result).map(|fd| fd as RawFd)
}

/// Gives this process a descriptor table of its own, in which that one is not.
pub fn own_descriptors_without(fd: RawFd) -> nix::Result<()> {
    // SAFETY: plain numbers; the descriptor has no owner in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, fd as u32, fd as u32, libc::CLOSE_RANGE_UNSHARE) };
    Errno::result(result).map(drop)
}

/// Asks that the kernel hands over on one processor, which is faster; before Linux 6.6 it can't.
pub fn wake_on_the_same_processor(listener: &OwnedFd) {
    const SYNCHRONOUS_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: the argument is a number.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNCHRONOUS_WAKE_UP) };
}

/// The next call.
pub fn receive(listener: &OwnedFd) -> nix::Result<Notice> {
    // SAFETY: all-zero is a valid value, and what the kernel asks for.
    let mut notice: seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a structure of this type, which lives here.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) };
    Errno::result(result)?;
    let seccomp_notif { id, pid, data, .. } = notice;
    Ok(Notice { id, thread: pid, number: i64::from(data.nr), arguments: data.args })
}

/// Whether that call still waits: until then, its thread's number can't be another's.
pub fn waits(listener: &OwnedFd, id: u64) -> bool {
    // SAFETY: the kernel reads a u64, which lives here.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) };
    result == 0
}

/// Answers a call.
pub fn answer(listener: &OwnedFd, id: u64, reply: Reply) -> nix::Result<()> {
    let (error, flags) = match reply {
        Reply::Kernel => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Reply::Done => (0, 0),
        Reply::Failed(errno) => (-(errno as i32), 0),
    };
    let mut response = seccomp_notif_resp { id, val: 0, error, flags };
    // SAFETY: the kernel reads a structure of this type, which lives here.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
    Errno::result(result).map(drop)
}
