//! One instance's life as a pure state machine: `step(state, now, event) -> (state, effects)`. Nothing here waits, sends
//! or asks the time.

mod ending;
mod pulse;
mod step;
mod stopping;

use roles::Role;
use roles::launch::{Refusal, Signal};
use schema::edge::control::{FromRole, Phase, Place, ToRole};

use crate::backoff::Jitter;
use crate::limits::LAST_EXIT_BYTES;
use crate::strategies::Strategy;

pub use step::step;

/// What happens to an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It should run; one that was given up is tried again.
    Want,
    /// It should not run: it is told to drain, and after `grace_ms` it is made to.
    Unwant {
        /// How long it may take.
        grace_ms: u32,
    },
    /// The launcher has started it.
    Started {
        /// Number of the start.
        number: u64,
        /// Process id.
        pid: u32,
    },
    /// It ran already when this supervisor came.
    Adopted {
        /// Number of the start.
        number: u64,
        /// Process id.
        pid: u32,
        /// Whether it has its edge.
        sealed: bool,
    },
    /// The launcher has not started it.
    Refused {
        /// Why.
        reason: Refusal,
        /// Error number, or 0.
        errno: i32,
    },
    /// It is sealed and has its edge.
    Sealed {
        /// Number of the start.
        number: u64,
    },
    /// It has ended.
    Exited {
        /// Number of the start.
        number: u64,
        /// Exit status, -1 when a signal ended it.
        status: i32,
        /// The signal, or 0.
        signal: i32,
        /// Whether it was ended because the gate had ended: a brain's edge is never renewed.
        with_gate: bool,
    },
    /// It said something on its control line.
    Said {
        /// Number of the start.
        number: u64,
        /// What.
        what: FromRole,
    },
    /// It broke the rules of its control line, or, says the gate, those of its edge.
    Misbehaved {
        /// Number of the start.
        number: u64,
        /// What it did.
        why: String,
    },
    /// It has closed its control line.
    LineClosed {
        /// Number of the start.
        number: u64,
    },
    /// It is to read its configuration again.
    Reload,
    /// A timer has run down.
    Elapsed {
        /// Which.
        timer: Timer,
        /// The token it was armed with.
        token: u64,
    },
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask the launcher to start it.
    Start,
    /// Ask the launcher to signal that start of it.
    Signal {
        /// Number of the start.
        number: u64,
        /// Which signal.
        signal: Signal,
    },
    /// Tell it something.
    Tell(ToRole),
    /// Wake this machine with [`Event::Elapsed`].
    Arm {
        /// Which timer; one that was armed before is forgotten.
        timer: Timer,
        /// Comes back with the event.
        token: u64,
        /// After this long.
        after_ms: u64,
    },
    /// Pass on to the root what the gate said.
    PassOn(FromRole),
    /// A line for the log, about a failure.
    Warn(String),
}

/// The timers of an instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// Until the next start.
    Start,
    /// Until the next question whether it is there.
    Heartbeat,
    /// Until the next harder way of ending it.
    Stop,
    /// Until it must have said that it is ready.
    Ready,
}

/// Configured times, milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    /// Between heartbeats.
    pub heartbeat_ms: u32,
    /// Silence after which an instance is hung.
    pub hung_ms: u32,
}

/// An instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Which role.
    pub role: Role,
    /// Which slot.
    pub slot: u32,
    /// How it is treated when it ends.
    pub strategy: Strategy,
    /// Configured times.
    pub times: Times,
    /// Whether it should run.
    pub wanted: bool,
    life: Life,
    /// The launcher owes an answer to a start: no other is asked for before it.
    answer_due: bool,
    /// It was to read its configuration again while the launcher was starting it: it may have been read before.
    reload_due: bool,
    failures: u32,
    restarts: u32,
    last_exit: String,
    jitter: Jitter,
    last_token: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Life {
    Stopped,
    BackingOff {
        token: u64,
    },
    GivenUp {
        reason: String,
    },
    /// The launcher was asked; after a refusal that will pass, asked again when the timer of that token runs down.
    Asked {
        token: u64,
    },
    Runs(Run),
}

/// One start of it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Run {
    number: u64,
    pid: u32,
    since_ms: u64,
    /// Runs although nobody has asked this supervisor for it: its predecessor may have been stopping it.
    unasked: bool,
    sealed: bool,
    ready_since_ms: Option<u64>,
    busy: bool,
    progressed: bool,
    ping: Option<Ping>,
    pings: u64,
    heartbeat: u64,
    ready_timer: u64,
    ending: Option<Ending>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ping {
    nonce: u64,
    sent_ms: u64,
}

/// How far an instance is on its way out, by our doing.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Ending {
    how: How,
    token: u64,
    /// What it did wrong; `None` when it was merely told to stop.
    fault: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    /// Told to drain.
    Drain,
    /// SIGTERM was asked for.
    Term,
    /// SIGKILL was asked for.
    Kill,
    /// It has closed its line and should be gone in a moment.
    Closed,
}

/// What the root and the gate know of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Which.
    pub place: Place,
    /// Where in its life.
    pub phase: Phase,
    /// Number of this start, 0 when none runs.
    pub number: u64,
    /// Process id, 0 when none runs.
    pub pid: u32,
    /// Whether it should run.
    pub wanted: bool,
    /// Whether the launcher still owes an answer or an end: nothing can be called stopped before.
    pub outstanding: bool,
    /// Whether it is an idle one of a pool, or on its way to be.
    pub spare: bool,
    /// When this start began, on the supervisor's clock, milliseconds.
    pub since_ms: u64,
    /// Restarts since this supervisor started.
    pub restarts: u32,
    /// Why it ended last.
    pub last_exit: String,
    /// Why it was given up, if it was.
    pub given_up: Option<String>,
}

impl State {
    /// An instance that nobody has asked for yet.
    pub fn new(role: Role, slot: u32, strategy: Strategy, times: Times, seed: u64) -> State {
        State {
            role,
            slot,
            strategy,
            times,
            wanted: false,
            life: Life::Stopped,
            answer_due: false,
            reload_due: false,
            failures: 0,
            restarts: 0,
            last_exit: String::new(),
            jitter: Jitter::new(seed),
            last_token: 0,
        }
    }

    /// Its name in logs.
    pub fn name(&self) -> String {
        format!("{}-{}", self.role.name(), self.slot)
    }

    /// The number of the start that runs, or 0.
    pub fn number(&self) -> u64 {
        self.run().map_or(0, |run| run.number)
    }

    /// How it is.
    pub fn summary(&self) -> Summary {
        let run = self.run();
        Summary {
            place: Place::new(self.role, self.slot),
            phase: self.phase(),
            number: run.map_or(0, |run| run.number),
            pid: run.map_or(0, |run| run.pid),
            wanted: self.wanted,
            outstanding: self.answer_due || matches!(self.life, Life::Asked { .. } | Life::Runs(_)),
            spare: self.strategy == Strategy::Pool && self.wanted,
            since_ms: run.map_or(0, |run| run.since_ms),
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
            given_up: match &self.life {
                Life::GivenUp { reason } => Some(reason.clone()),
                Life::Stopped | Life::BackingOff { .. } | Life::Asked { .. } | Life::Runs(_) => None,
            },
        }
    }

    fn phase(&self) -> Phase {
        match &self.life {
            Life::Stopped => Phase::Stopped,
            Life::BackingOff { .. } => Phase::BackingOff,
            Life::GivenUp { .. } => Phase::GivenUp,
            Life::Asked { .. } => Phase::Starting,
            Life::Runs(run) if run.ending.is_some() => Phase::Stopping,
            Life::Runs(run) if run.ready_since_ms.is_some() => Phase::Ready,
            Life::Runs(_) => Phase::Starting,
        }
    }

    fn run(&self) -> Option<&Run> {
        match &self.life {
            Life::Runs(run) => Some(run),
            Life::Stopped | Life::BackingOff { .. } | Life::GivenUp { .. } | Life::Asked { .. } => None,
        }
    }

    /// The start of that number, if it is the one that runs: reports and words of others come too late.
    fn run_of(&mut self, number: u64) -> Option<&mut Run> {
        match &mut self.life {
            Life::Runs(run) if run.number == number => Some(run),
            Life::Stopped | Life::BackingOff { .. } | Life::GivenUp { .. } | Life::Asked { .. } | Life::Runs(_) => None,
        }
    }

    fn arm(&mut self, timer: Timer, after_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        self.last_token += 1;
        effects.push(Effect::Arm { timer, token: self.last_token, after_ms });
        self.last_token
    }

    fn remember_exit(&mut self, mut words: String) {
        if words.len() > LAST_EXIT_BYTES {
            let mut end = LAST_EXIT_BYTES;
            while !words.is_char_boundary(end) {
                end -= 1;
            }
            words.truncate(end);
        }
        self.last_exit = words;
    }
}

#[cfg(test)]
mod tests;
