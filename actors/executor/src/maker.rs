//! The maker: a process of its own below the executor, forked before the executor seals itself. It makes sandboxes,
//! kills them, says how they ended, and talks with nobody but its executor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use seccompiler::BpfProgram;

use crate::pool::Pool;
use crate::record::{Answer, Ask, End};
use crate::sandbox::say;
use crate::stage::{self, Plan};
use crate::step::{At, Failure, Step};
use crate::{filter, line, sys};

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
    let mut ready = ready.as_ref().map(Pool::new).map_err(|failure| *failure);
    while turn(&line, &mut ready).is_ok() {}
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
    match sys::drop_bounding_set().and_then(|()| sys::drop_capabilities()) {
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
fn turn(line: &OwnedFd, ready: &mut Result<Pool<'_>, Failure>) -> Result<(), Over> {
    let mut watched = vec![PollFd::new(line.as_fd(), PollFlags::POLLIN)];
    let mut patience = PollTimeout::NONE;
    if let Ok(pool) = ready {
        watched.extend(pool.watched());
        patience = pool.patience().map_or(PollTimeout::NONE, PollTimeout::from);
    }
    match poll(&mut watched, patience) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(()),
        Err(_) => return Err(Over::Line),
    }
    let happened: Vec<bool> =
        watched.iter().map(|one| one.revents().is_some_and(|events| !events.is_empty())).collect();
    drop(watched);
    if let Ok(pool) = ready {
        for (run, end) in pool.attend(&happened[1..]) {
            answer(line, run, end)?;
        }
    }
    if happened[0] {
        let (ask, descriptors) = line::receive(line).ok_or(Over::Line)?;
        obey(line, ready, ask, &descriptors)?;
    }
    if let Ok(pool) = ready {
        pool.look_at_memory();
        if !happened.contains(&true) {
            pool.refill();
        }
    }
    Ok(())
}

fn answer(line: &OwnedFd, run: u64, end: End) -> Result<(), Over> {
    let bytes = Answer { run, end }.to_bytes();
    match send(line.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL) {
        Ok(_) => Ok(()),
        Err(_) => Err(Over::Line),
    }
}

fn obey(line: &OwnedFd, ready: &mut Result<Pool<'_>, Failure>, ask: Ask, descriptors: &[OwnedFd]) -> Result<(), Over> {
    match (ask, ready) {
        (Ask::Kill { run }, Ok(pool)) => pool.kill(run),
        (Ask::Kill { .. }, Err(_)) => {}
        (Ask::Run { run, .. }, Ok(pool)) => {
            if let Err(failure) = pool.run(ask, descriptors) {
                return answer(line, run, End::Failed(failure));
            }
        }
        (Ask::Run { run, .. }, Err(failure)) => return answer(line, run, End::Failed(*failure)),
    }
    Ok(())
}
