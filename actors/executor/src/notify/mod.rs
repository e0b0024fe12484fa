//! What a command asks the kernel for and its sandbox's init answers: by seccomp user notification.
//!
//! An overlay that is mounted without privilege refuses to rename a directory of its lower layer (EXDEV), which would
//! break `git mv dir` and much else. So these calls come to the init first: it lets the kernel do what the kernel can,
//! and has a worker, confined as the command is, move the tree where the kernel can't ([`tree`]).
//!
//! Calls that name an address come too, and the init answers look-ups of names: so it is known whom a command tried to
//! reach ([`reach`]), though its network is empty.
//!
//! Nothing here gives a right or takes one away. A call that the kernel is told to go on with is one that the command
//! may make anyway: the kernel reads the arguments again and checks them all, so a thread that changes them in between
//! wins nothing.

mod attend;
mod caller;
mod filter;
mod links;
mod names;
pub mod reach;
mod rename;
mod resolver;
pub mod said;
mod sys;
mod tree;

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, pipe2, read};

use crate::step::{At, Failure, Step};

pub use attend::attend;
pub use resolver::Resolver;

/// Which side of [`fork`] this is.
pub enum Side {
    /// The command's process: from here on its calls are noticed; or why not.
    Child(Result<(), Failure>),
    /// The init.
    Parent(Watched),
}

/// A command's process and what its init watches it by.
pub struct Watched {
    command: Pid,
    listener: OwnedFd,
    children: SignalFd,
}

impl Watched {
    /// The command's process.
    pub fn command(&self) -> Pid {
        self.command
    }
}

/// Forks the command's process. The filter is installed in it and not before, so that neither the init nor its workers
/// wait for themselves.
///
/// # Errors
/// The failed step.
pub fn fork() -> Result<Side, Failure> {
    let mut ends_of_children = SigSet::empty();
    ends_of_children.add(Signal::SIGCHLD);
    ends_of_children.thread_block().at(Step::Notify)?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let children = SignalFd::with_flags(&ends_of_children, flags).at(Step::Notify)?;
    let (number, to) = pipe2(OFlag::O_CLOEXEC).at(Step::Notify)?;
    // The child shares this process's descriptors for a moment: that is how the listener gets here.
    match crate::sys::clone_into(libc::CLONE_FILES).at(Step::Fork)? {
        (crate::sys::Side::Child, _) => Ok(Side::Child(hand_over(to))),
        (crate::sys::Side::Parent(command), Some(child)) => {
            let listener = take(&number, &child)?;
            sys::wake_on_the_same_processor(&listener);
            Ok(Side::Parent(Watched { command, listener, children }))
        }
        (crate::sys::Side::Parent(_), None) => Err(Failure::new(Step::Fork, libc::EBADF)),
    }
}

/// In the child: installs the filter, leaves the listener to the init alone, and says its number.
fn hand_over(to: OwnedFd) -> Result<(), Failure> {
    let installed = sys::install(&filter::program());
    // Before anything else is closed: until here a close would be the init's too.
    let apart = sys::own_descriptors_without(installed.unwrap_or(RawFd::MAX));
    let said = match (installed, apart) {
        (Ok(listener), Ok(())) => listener,
        (Err(errno), _) | (_, Err(errno)) => -(errno as i32),
    };
    std::fs::File::from(to).write_all(&said.to_le_bytes()).at(Step::Notify)?;
    installed.and(apart.map(|()| 0)).map(drop).at(Step::Notify)
}

/// In the init: the listener, once the child has said its number.
fn take(number: &OwnedFd, child: &OwnedFd) -> Result<OwnedFd, Failure> {
    let mut watched = [PollFd::new(number.as_fd(), PollFlags::POLLIN), PollFd::new(child.as_fd(), PollFlags::POLLIN)];
    while let Err(errno) = poll(&mut watched, PollTimeout::NONE) {
        if errno != Errno::EINTR {
            return Err(Failure::new(Step::Notify, errno as i32));
        }
    }
    // This process has the pipe's other end too: a child that is gone without a word is seen by its own descriptor.
    if watched[0].revents().is_none_or(|events| events.is_empty()) {
        return Err(Failure::new(Step::Notify, libc::ESRCH));
    }
    let mut bytes = [0; 4];
    read(number.as_fd(), &mut bytes).at(Step::Notify)?;
    match i32::from_le_bytes(bytes) {
        listener if listener > number.as_raw_fd() => Ok(crate::sys::own(listener)),
        other => Err(Failure::new(Step::Notify, other.saturating_neg())),
    }
}
