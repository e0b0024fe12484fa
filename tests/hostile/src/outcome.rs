//! What came of an attempt, and how a process says so by its end: a sealed one may have no other way.

use std::fmt;

use nix::errno::Errno;

/// What came of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It worked.
    Done,
    /// It was refused, or failed, with this error number.
    Denied(i32),
    /// The process was ended by this signal.
    Ended(i32),
}

/// Exit status of a process whose attempt worked; an error number is added to it. Below it are the kit's own statuses.
const DONE: i32 = 110;

impl Outcome {
    /// The exit status that says it; a signal says itself.
    pub fn to_status(self) -> i32 {
        match self {
            Outcome::Done => DONE,
            Outcome::Denied(errno) => DONE + errno,
            Outcome::Ended(signal) => signal,
        }
    }

    /// From how a process ended; `None` for an end that is no attempt's.
    pub fn of_end(status: i32, signal: i32) -> Option<Outcome> {
        match (status, signal) {
            (_, signal) if signal != 0 => Some(Outcome::Ended(signal)),
            (DONE, _) => Some(Outcome::Done),
            (status, _) => (DONE < status && status <= 255).then(|| Outcome::Denied(status - DONE)),
        }
    }

    /// Whether the filter killed the process.
    pub fn is_killed(self) -> bool {
        self == Outcome::Ended(libc::SIGSYS)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => write!(f, "done"),
            Outcome::Denied(errno) => write!(f, "{:?}", Errno::from_raw(*errno)),
            Outcome::Ended(libc::SIGSYS) => write!(f, "killed"),
            Outcome::Ended(signal) => write!(f, "ended by signal {signal}"),
        }
    }
}
