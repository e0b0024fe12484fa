//! The first act: whatever the starter left behind (descriptors, environment, masks, handlers) is gone before anything
//! else happens.

use std::os::fd::{AsRawFd, IntoRawFd};

use nix::fcntl::{OFlag, open};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::{sys::prctl, sys::signal::SigSet, unistd::geteuid};
use roles::Role;

use crate::errors::{Context, Failure, failure};
use crate::sys;

/// Descriptors below this number are for children: the launcher's own are all above, so that a child can put its own in
/// place without overwriting one that it still needs.
pub const FIRST_OWN_FD: u32 = 10;

/// Makes the process as clean as one that nobody prepared.
pub fn process() -> Result<(), Failure> {
    sys::close_from(3).step("close descriptors", "above 2")?;
    reserve_low_descriptors()?;
    sys::clear_environment();
    umask(Mode::from_bits_truncate(0o077));
    sys::reset_signal_handlers();
    let mask = SigSet::empty().thread_set_mask();
    mask.step("reset", "signal mask")?;
    prctl::set_dumpable(false).step("forbid", "core dumps and tracing")?;
    raise_open_files()
}

/// Refuses anyone but root.
pub fn require_root() -> Result<(), Failure> {
    if geteuid().is_root() {
        return Ok(());
    }
    let way_out = "use `sudo chelad`, or the service manager; every process it starts runs without privilege";
    Err(failure("start", "chelad", "it must be started as root").or(way_out))
}

fn reserve_low_descriptors() -> Result<(), Failure> {
    loop {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let fd = open("/dev/null", flags, Mode::empty()).step("open", "/dev/null")?;
        if fd.as_raw_fd() as u32 >= FIRST_OWN_FD {
            return Ok(());
        }
        // Kept for the life of the process.
        let _reserved = fd.into_raw_fd();
    }
}

fn raise_open_files() -> Result<(), Failure> {
    let wanted = Role::Launcher.row().limits.open_files;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).step("read the limit", "open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).step("set the limit", "open files")
}
