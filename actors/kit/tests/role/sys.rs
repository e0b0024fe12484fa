//! What starting a role as a launcher does takes of unsafe calls.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Gives the child these descriptors under these numbers, and a limit on open files.
pub fn give(command: &mut Command, wanted: Vec<(RawFd, RawFd)>, open_files: u64) {
    let give = move || {
        // SAFETY: marks what this program was itself started with, so that the role inherits nothing but what is given.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        // Out of the way first: a source may have a number that is wanted.
        let mut sources = Vec::new();
        for (source, _) in &wanted {
            // SAFETY: plain numbers.
            let moved = unsafe { libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, 40) };
            if moved < 0 {
                return Err(std::io::Error::last_os_error());
            }
            sources.push(moved);
        }
        for (source, (_, number)) in sources.into_iter().zip(&wanted) {
            // SAFETY: plain numbers; the copy is inherited, its source is not.
            if unsafe { libc::dup2(source, *number) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        let limit = libc::rlimit { rlim_cur: open_files, rlim_max: open_files };
        // SAFETY: the record lives through the call.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: only system calls on numbers and one small allocation, in a child of a process with one thread.
    unsafe { command.pre_exec(give) };
}

/// Waits until there is something to read; nothing in time is a failure.
pub fn wait_readable(fd: &OwnedFd, most: Duration) {
    let mut asked = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one record, alive through the call.
    let ready = unsafe { libc::poll(&raw mut asked, 1, most.as_millis() as i32) };
    assert_eq!(ready, 1, "nothing came in time");
}
