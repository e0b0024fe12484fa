//! The maker: a process of its own below the executor, forked before the executor seals itself. It makes sandboxes,
//! kills them, says how they ended, and talks with nobody but its executor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, send, socketpair};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::pipe2;
use seccompiler::BpfProgram;

use crate::limits::{PAYLOAD_BYTES, SANDBOXES_MAX};
use crate::record::{ASK_BYTES, Answer, Ask, End};
use crate::sandbox::{self, NAMESPACES, Work, say};
use crate::stage::{self, Plan};
use crate::step::{At, Failure, Step};
use crate::{filter, sys};

/// Why there is no maker.
#[derive(Debug, thiserror::Error)]
pub enum MakerError {
    /// A system call failed.
    #[error("starting the maker of sandboxes: {step}: {errno}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// The error.
        errno: Errno,
    },
    /// The process has several threads, so it must not fork.
    #[error("starting the maker of sandboxes: the executor has more than one thread")]
    Threads,
}

fn step(step: &'static str) -> impl Fn(Errno) -> MakerError {
    move |errno| MakerError::Step { step, errno }
}

/// Forks the maker and returns the executor's end of the line to it, as descriptor [`roles::fd::MAKER`]. What goes
/// wrong with the sandboxes' root is not an error here: each action is then answered with it.
///
/// # Errors
/// When there is no process or no line.
pub fn start(plan: &Plan) -> Result<OwnedFd, MakerError> {
    match sys::single_threaded() {
        Ok(true) => {}
        Ok(false) => return Err(MakerError::Threads),
        Err(error) => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
            return Err(step("counting threads in /proc/self/task")(errno));
        }
    }
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(step("socketpair"))?;
    match sys::fork().map_err(step("fork"))? {
        sys::Side::Child => {
            live(plan, &theirs);
            sys::exit_now(0)
        }
        sys::Side::Parent(_) => {
            drop(theirs);
            sys::copy_to(ours.as_raw_fd(), roles::fd::MAKER, true).map_err(step("dup3"))?;
            if ours.as_raw_fd() == roles::fd::MAKER {
                return Ok(ours);
            }
            Ok(sys::own(roles::fd::MAKER))
        }
    }
}

/// One sandbox that runs.
struct Running {
    action: u64,
    pidfd: OwnedFd,
    end: OwnedFd,
}

fn live(plan: &Plan, line: &OwnedFd) {
    const LINE: i32 = 3;
    // Standard output and error stay: the executor's log stream.
    let moved = sys::lift(line.as_raw_fd(), 64).and_then(|high| sys::copy_to(high, LINE, true));
    if moved.and_then(|()| sys::close_from(LINE + 1)).is_err() {
        return;
    }
    let line = sys::own(LINE);
    if sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).is_err() {
        return;
    }
    sys::default_signals();
    let ready = prepare(plan);
    if let Err(failure) = ready {
        say(format_args!("no sandbox can be made: {failure}"));
    }
    let mut running = Vec::new();
    while turn(&line, &ready, &mut running).is_ok() {}
    // The executor is gone or talks nonsense. Each sandbox has this process's death as its signal.
}

/// The root, and the seal: from here on the process has no capability and a system-call filter.
fn prepare(plan: &Plan) -> Result<BpfProgram, Failure> {
    // A process that is not dumpable can't write its own id maps.
    sys::prctl(libc::PR_SET_DUMPABLE, 1).at(Step::MakerIdMaps)?;
    let entered = stage::enter(plan);
    let sealed = seal();
    entered.and(sealed)
}

fn seal() -> Result<BpfProgram, Failure> {
    let broken = |text: String| {
        say(format_args!("{text}"));
        Failure::new(Step::MakerSeal, libc::EINVAL)
    };
    let own = filter::maker().map_err(broken)?;
    let for_sandboxes = filter::sandbox().map_err(broken)?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).at(Step::MakerSeal)?;
    match sys::drop_capabilities() {
        // Where the user namespace failed there is none to drop.
        Ok(()) | Err(Errno::EPERM) => {}
        Err(errno) => return Err(Failure::new(Step::MakerSeal, errno as i32)),
    }
    filter::install(&own).map_err(|errno| Failure::new(Step::MakerSeal, errno))?;
    Ok(for_sandboxes)
}

/// Why the maker ends.
enum Over {
    /// The executor is gone, or what it says is no request.
    Line,
}

/// Waits for a request or an end, and deals with it.
fn turn(line: &OwnedFd, ready: &Result<BpfProgram, Failure>, running: &mut Vec<Running>) -> Result<(), Over> {
    let mut watched = vec![PollFd::new(line.as_fd(), PollFlags::POLLIN)];
    watched.extend(running.iter().map(|one| PollFd::new(one.pidfd.as_fd(), PollFlags::POLLIN)));
    match poll(&mut watched, PollTimeout::NONE) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(()),
        Err(_) => return Err(Over::Line),
    }
    let happened: Vec<bool> =
        watched.iter().map(|one| one.revents().is_some_and(|events| !events.is_empty())).collect();
    drop(watched);
    let ended: Vec<usize> = (0..running.len()).filter(|at| happened[at + 1]).collect();
    for at in ended.into_iter().rev() {
        finish(line, running.swap_remove(at))?;
    }
    if happened[0] {
        let (ask, descriptors) = receive(line)?;
        obey(line, ready, running, ask, descriptors)?;
    }
    Ok(())
}

fn finish(line: &OwnedFd, ended: Running) -> Result<(), Over> {
    let id = Id::PIDFd(ended.pidfd.as_fd());
    match waitid(id, WaitPidFlag::WEXITED) {
        Ok(_) | Err(Errno::ECHILD) => {}
        Err(errno) => say(format_args!("reaping a sandbox: {errno}")),
    }
    answer(line, ended.action, sandbox::end_of(ended.end))
}

fn answer(line: &OwnedFd, action: u64, end: End) -> Result<(), Over> {
    let bytes = Answer { action, end }.to_bytes();
    match send(line.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL) {
        Ok(_) => Ok(()),
        Err(_) => Err(Over::Line),
    }
}

fn receive(line: &OwnedFd) -> Result<(Ask, Vec<OwnedFd>), Over> {
    let mut bytes = [0; ASK_BYTES + 1];
    let mut parts = [io::IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!([i32; 4]);
    let message = recvmsg::<()>(line.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)
        .map_err(|_| Over::Line)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs().map_err(|_| Over::Line)? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            descriptors.extend(numbers.into_iter().map(sys::own));
        }
    }
    let length = message.bytes;
    let ask = Ask::from_bytes(&bytes[..length]).ok_or(Over::Line)?;
    Ok((ask, descriptors))
}

fn obey(
    line: &OwnedFd,
    ready: &Result<BpfProgram, Failure>,
    running: &mut Vec<Running>,
    ask: Ask,
    descriptors: Vec<OwnedFd>,
) -> Result<(), Over> {
    match ask {
        Ask::Kill { action } => {
            if let Some(one) = running.iter().find(|one| one.action == action) {
                // An error means that it has just ended, which poll says next.
                let _ = sys::kill(one.pidfd.as_fd());
            }
            Ok(())
        }
        Ask::Run { action, .. } => match make(ready, running.len(), ask, descriptors) {
            Ok((pidfd, end)) => {
                running.push(Running { action, pidfd, end });
                Ok(())
            }
            Err(failure) => answer(line, action, End::Failed(failure)),
        },
    }
}

fn make(
    ready: &Result<BpfProgram, Failure>,
    running: usize,
    ask: Ask,
    descriptors: Vec<OwnedFd>,
) -> Result<(OwnedFd, OwnedFd), Failure> {
    let filter = ready.as_ref().map_err(|failure| *failure)?;
    let malformed = Failure::new(Step::Payload, libc::EINVAL);
    let Ask::Run { operation, payload_bytes, cpu_s, .. } = ask else {
        return Err(malformed);
    };
    let Ok([payload, stdout, stderr, layer]) = <[OwnedFd; 4]>::try_from(descriptors) else {
        return Err(malformed);
    };
    if payload_bytes as usize > PAYLOAD_BYTES {
        return Err(malformed);
    }
    if running >= SANDBOXES_MAX {
        return Err(Failure::new(Step::TooMany, 0));
    }
    let (end_read, end_write) = pipe2(OFlag::O_CLOEXEC).at(Step::Pipe)?;
    match sys::clone_into(NAMESPACES).at(Step::Namespaces)? {
        (sys::Side::Child, _) => sandbox::init(Work {
            operation,
            payload_bytes,
            cpu_s,
            payload,
            stdout,
            stderr,
            layer,
            end: end_write,
            filter,
        }),
        (sys::Side::Parent(_), Some(pidfd)) => Ok((pidfd, end_read)),
        (sys::Side::Parent(_), None) => Err(Failure::new(Step::Namespaces, libc::EBADF)),
    }
}
