//! The kit's unsafe calls, each one line of the kernel's interface that has no safe wrapper.
#![allow(unsafe_code)]

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::packet::PacketError;

/// Takes an inherited descriptor as this process's own, or `None` when it is not open. Called once a number.
pub(crate) fn take_inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD reads a flag of a number and touches no memory.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: the number is open, was inherited, and start-up takes each number once, so nothing else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether any descriptor in `from..to` is open: one call, whatever the range.
pub(crate) fn first_open(from: RawFd, to: RawFd) -> io::Result<Option<RawFd>> {
    let mut asked: Vec<libc::pollfd> = (from..to).map(|fd| libc::pollfd { fd, events: 0, revents: 0 }).collect();
    // SAFETY: the array lives through the call and its length is given; timeout 0 returns at once.
    let done = unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, 0) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(asked.iter().find(|one| one.revents & libc::POLLNVAL == 0).map(|one| one.fd))
}

/// A descriptor that returns rather than waits. By the request that takes nothing but this flag: the one that sets all
/// flags of a descriptor at once could also take back that a log stream is only appended to.
///
/// # Errors
/// From the kernel.
pub fn make_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: FIONBIO reads one int through the pointer, which lives through the call.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw const on) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn end_at_once(_signal: libc::c_int) {
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(128 + libc::SIGTERM) }
}

/// SIGTERM ends the process (a first process of a pid namespace ignores it otherwise); a broken pipe or a full log
/// stream is an error number, never a signal.
pub(crate) fn settle_signals() -> io::Result<()> {
    set_handler(libc::SIGPIPE, libc::SIG_IGN)?;
    set_handler(libc::SIGXFSZ, libc::SIG_IGN)?;
    let ender: extern "C" fn(libc::c_int) = end_at_once;
    set_handler(libc::SIGTERM, ender as libc::sighandler_t)
}

fn set_handler(signal: libc::c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: the handler is SIG_IGN or an async-signal-safe function of the right signature.
    if unsafe { libc::signal(signal, handler) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Ends the process without unwinding and without abort's signals, which a sealed process may not send itself.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(status) }
}

/// Version of the kernel's Landlock interface; 0 when it has none or it is switched off.
pub(crate) fn landlock_version() -> i32 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: asking for the version takes no attribute: null and size 0, as landlock(7) says.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0usize, VERSION) };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// One packet and at most one descriptor, close-on-exec. Too many of either is an error, and whatever came is closed.
pub(crate) fn recv_fd(line: &OwnedFd, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>), PacketError> {
    let room = buffer.len();
    let mut control = cmsg_space!([RawFd; 4]);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
    let received = recvmsg::<()>(line.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            for number in numbers {
                // SAFETY: the kernel has just made these numbers for this process; each is taken once, here.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    let cut = received.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    if cut || received.bytes > room || descriptors.len() > 1 {
        return Err(PacketError::TooLarge(received.bytes));
    }
    Ok((received.bytes, descriptors.pop()))
}

/// Registers a descriptor with the running runtime, for one direction only: on a Unix socket the other one would wake
/// this process each time its peer has read something.
pub(crate) fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the OwnedFd is valid and moves into the AsyncFd, which never gives it out again but by reference.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
