//! A command on a pseudo-terminal. The process that would have become the command stays between the terminal and the
//! sandbox's pipes: what is written on the terminal goes out as it is, escape sequences and all, and input goes in. It ends
//! as the command does.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, read, setsid, write};

use crate::command::Surroundings;
use crate::image::Root;
use crate::step::{At, Failure, Step};
use crate::sys;

/// Where the sandboxes' root has a place for terminals.
pub const AT: &str = "/dev/pts";
/// What a terminal takes for the end of the input.
const END_OF_INPUT: u8 = 4;
const BUFFER_BYTES: usize = 4096;

/// Mounts the sandbox's own devpts: terminals of nobody else are in it.
///
/// # Errors
/// The failed step.
pub fn mount_own() -> Result<(), Failure> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("devpts"), AT, Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=0600")).at(Step::Terminal)
}

/// Runs the command line on a terminal of that size; its exit status. Descriptors 0 and 1 are input and output, and
/// `end` is where the command reports that it could not begin.
///
/// # Errors
/// The failed step; in the command's own process, that of its beginning.
pub fn run(root: &Root, line: &[u8], (rows, columns): (u16, u16), end: RawFd) -> Result<i32, Failure> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = open("/dev/pts/ptmx", flags | OFlag::O_NONBLOCK, Mode::empty()).at(Step::Terminal)?;
    let number = sys::unlock_terminal(master.as_fd()).at(Step::Terminal)?;
    // By its name, so that a program can ask for the name of its terminal.
    let slave = open(format!("{AT}/{number}").as_str(), flags, Mode::empty()).at(Step::Terminal)?;
    sys::set_terminal_size(slave.as_fd(), rows, columns).at(Step::Terminal)?;
    match sys::fork().at(Step::Fork)? {
        sys::Side::Child => {
            drop(master);
            Err(begin(root, &slave, line))
        }
        sys::Side::Parent(command) => {
            drop(slave);
            drop(sys::own(end));
            // The command must not open this process's descriptors through /proc.
            sys::prctl(libc::PR_SET_DUMPABLE, 0).at(Step::Terminal)?;
            Ok(relay(&master, command))
        }
    }
}

/// In the command's process; returns only when it can't begin.
fn begin(root: &Root, slave: &OwnedFd, line: &[u8]) -> Failure {
    let begun = setsid()
        .and_then(|_| sys::control_terminal(slave.as_fd()))
        .and_then(|()| (0..3).try_for_each(|to| sys::copy_to(slave.as_raw_fd(), to, false)));
    match begun.at(Step::Terminal) {
        Ok(()) => root.exec(line, Surroundings::Terminal),
        Err(failure) => failure,
    }
}

/// What goes to the terminal and has not yet.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    ended: bool,
}

fn relay(master: &OwnedFd, command: Pid) -> i32 {
    let (input, output) = (sys::borrow(0), sys::borrow(1));
    let Ok(ends) = sys::pidfd_open(command) else { return 127 };
    let mut pending = Pending::default();
    let mut written_to = true;
    loop {
        let to_terminal = if pending.bytes.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
        let from_terminal = if written_to { PollFlags::POLLIN } else { PollFlags::empty() };
        let from_input =
            if pending.bytes.is_empty() && !pending.ended { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut watched = [PollFd::new(ends.as_fd(), PollFlags::POLLIN)].to_vec();
        watched.push(PollFd::new(master.as_fd(), to_terminal | from_terminal));
        if !from_input.is_empty() {
            watched.push(PollFd::new(input, from_input));
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 127,
        }
        let happened: Vec<bool> = watched.iter().map(|one| one.any().unwrap_or(false)).collect();
        if happened[0] {
            while pass_on(master.as_fd(), output) == Some(true) {}
            return status(command);
        }
        if happened[1] {
            give(master.as_fd(), &mut pending);
            written_to = pass_on(master.as_fd(), output).is_some();
        }
        if happened.get(2) == Some(&true) {
            take(input, &mut pending);
        }
        if !written_to {
            // Nobody has the terminal open any more, so it would be told again and again.
            return wait(command);
        }
    }
}

/// Passes on what is on the terminal. False: there is nothing now; `None`: nobody has it open, or nobody reads.
fn pass_on(master: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Option<bool> {
    let mut buffer = [0; BUFFER_BYTES];
    match read(master, &mut buffer) {
        Ok(0) => None,
        Ok(length) => {
            let mut bytes = &buffer[..length];
            while !bytes.is_empty() {
                match write(output, bytes) {
                    Ok(length) => bytes = &bytes[length..],
                    Err(Errno::EINTR) => {}
                    Err(_) => return None,
                }
            }
            Some(true)
        }
        Err(Errno::EAGAIN | Errno::EINTR) => Some(false),
        Err(_) => None,
    }
}

fn take(input: BorrowedFd<'_>, pending: &mut Pending) {
    let mut buffer = [0; BUFFER_BYTES];
    match read(input, &mut buffer) {
        Ok(0) => {
            pending.ended = true;
            pending.bytes.push(END_OF_INPUT);
        }
        Ok(length) => pending.bytes.extend_from_slice(&buffer[..length]),
        Err(Errno::EAGAIN | Errno::EINTR) => {}
        Err(_) => pending.ended = true,
    }
}

fn give(master: BorrowedFd<'_>, pending: &mut Pending) {
    if pending.bytes.is_empty() {
        return;
    }
    match write(master, &pending.bytes) {
        Ok(length) => drop(pending.bytes.drain(..length)),
        Err(Errno::EAGAIN | Errno::EINTR) => {}
        // Nobody has the terminal open: reading says so too.
        Err(_) => pending.bytes.clear(),
    }
}

fn wait(command: Pid) -> i32 {
    loop {
        match waitpid(command, None) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return as_signalled(signal),
            Ok(_) => {}
            Err(_) => return 127,
        }
    }
}

fn status(command: Pid) -> i32 {
    match waitpid(command, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, code)) => code,
        Ok(WaitStatus::Signaled(_, signal, _)) => as_signalled(signal),
        Ok(_) | Err(_) => wait(command),
    }
}

/// Ends by the same signal, so that whoever waits for this process hears of it.
fn as_signalled(signal: Signal) -> i32 {
    // A signal that does not end it leaves the number that shells give.
    let _ = raise(signal);
    128 + signal as i32
}
