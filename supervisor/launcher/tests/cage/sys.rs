//! The puppet's seal: a filter that allows everything. To the launcher's look it is a seal like any other; to the puppet
//! it leaves the freedom to look around in its cage.

use std::io::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd};

/// One instruction: allow.
pub fn seal() -> Result<()> {
    let mut allow =
        libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let program = libc::sock_fprog { len: 1, filter: &mut allow };
    // SAFETY: the program outlives the call.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// A descriptor that the puppet inherited.
pub fn inherited(number: i32) -> OwnedFd {
    // SAFETY: the launcher put it there, and the puppet takes each once.
    unsafe { OwnedFd::from_raw_fd(number) }
}
