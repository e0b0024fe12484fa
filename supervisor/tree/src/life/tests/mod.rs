//! The machine of one instance, driven as its actor drives it: events in, effects out, timers kept by the test's own clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod adopted;
mod any;
mod hung;
mod line;
mod pool;
mod refused;
mod restart;
mod want;
mod world;

use std::collections::BTreeMap;

use super::*;
use crate::strategies::strategy_of;

const TIMES: Times = Times { heartbeat_ms: 1_000, hung_ms: 3_500 };
const GRACE_MS: u32 = 700;
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// An instance with a clock and the timers that it armed.
#[derive(Clone, Debug)]
struct Machine {
    state: State,
    now_ms: u64,
    /// Token and due time of each timer; arming one anew forgets the old one, as the actor does.
    timers: BTreeMap<Timer, (u64, u64)>,
    /// Number of the last start that the test played.
    number: u64,
}

impl Machine {
    fn new(role: Role, slot: u32) -> Machine {
        Machine::seeded(role, slot, 7)
    }

    fn seeded(role: Role, slot: u32, seed: u64) -> Machine {
        let strategy = strategy_of(role, slot).unwrap();
        let state = State::new(role, slot, strategy, TIMES, seed);
        Machine { state, now_ms: 1_000_000, timers: BTreeMap::new(), number: 0 }
    }

    /// An executor that runs on demand, not yet wanted.
    fn executor() -> Machine {
        Machine::new(Role::Executor, 1)
    }

    /// One that is wanted and ready.
    fn ready_executor() -> Machine {
        let mut machine = Machine::executor();
        machine.happen(Event::Want);
        machine.get_ready();
        machine
    }

    /// What an event leads to. Tokens of timers are left out: only the machine knows what they mean.
    fn happen(&mut self, event: Event) -> Vec<Effect> {
        let (state, mut effects) = step(self.state.clone(), self.now_ms, event);
        self.state = state;
        for effect in &mut effects {
            if let Effect::Arm { timer, token, after_ms } = effect {
                self.timers.insert(*timer, (*token, self.now_ms + *after_ms));
                *token = 0;
            }
        }
        effects
    }

    /// Lets time pass: timers that run down meanwhile do so in their order.
    fn wait(&mut self, ms: u64) -> Vec<Effect> {
        let until = self.now_ms + ms;
        let mut effects = Vec::new();
        while let Some((timer, token, due)) = self.next_timer().filter(|(_, _, due)| *due <= until) {
            self.timers.remove(&timer);
            self.now_ms = due;
            effects.extend(self.happen(Event::Elapsed { timer, token }));
        }
        self.now_ms = until;
        effects
    }

    fn next_timer(&self) -> Option<(Timer, u64, u64)> {
        self.timers.iter().map(|(timer, (token, due))| (*timer, *token, *due)).min_by_key(|(.., due)| *due)
    }

    /// Milliseconds until a timer runs down.
    fn due_in(&self, timer: Timer) -> Option<u64> {
        self.timers.get(&timer).map(|(_, due)| due - self.now_ms)
    }

    /// The launcher answers a start.
    fn started(&mut self) -> Vec<Effect> {
        self.number += 1;
        self.happen(Event::Started { number: self.number, pid: 100 })
    }

    fn sealed(&mut self) -> Vec<Effect> {
        self.happen(Event::Sealed { number: self.number })
    }

    fn says(&mut self, what: FromRole) -> Vec<Effect> {
        self.happen(Event::Said { number: self.number, what })
    }

    /// From the launcher's answer to the role's first word.
    fn get_ready(&mut self) {
        self.started();
        self.sealed();
        self.says(FromRole::Ready);
        assert_eq!(self.phase(), Phase::Ready);
    }

    fn exits(&mut self, status: i32) -> Vec<Effect> {
        self.happen(Event::Exited { number: self.number, status, signal: 0, with_gate: false })
    }

    fn is_killed(&mut self, signal: i32) -> Vec<Effect> {
        self.happen(Event::Exited { number: self.number, status: -1, signal, with_gate: false })
    }

    /// Fails before its seal, as often as that, each time as soon as it is started.
    fn fails(&mut self, times: u32) {
        for _ in 0..times {
            if let Some(ms) = self.due_in(Timer::Start).filter(|_| self.phase() == Phase::BackingOff) {
                self.wait(ms);
            }
            assert_eq!(self.phase(), Phase::Starting, "a failure needs a start");
            self.started();
            self.exits(3);
        }
    }

    /// Is restarted after it has failed `crashes` times, each time as `life` has it; whether it is still tried then.
    fn survives(&mut self, crashes: u32, mut life: impl FnMut(&mut Machine)) -> bool {
        for _ in 0..crashes {
            if let Some(ms) = self.due_in(Timer::Start).filter(|_| self.phase() == Phase::BackingOff) {
                self.wait(ms);
            }
            if self.phase() != Phase::Starting {
                return false;
            }
            self.get_ready();
            life(self);
            self.exits(3);
        }
        self.phase() != Phase::GivenUp
    }

    fn phase(&self) -> Phase {
        self.state.summary().phase
    }

    fn signals(effects: &[Effect]) -> Vec<Signal> {
        let signal = |effect: &Effect| match effect {
            Effect::Signal { signal, .. } => Some(*signal),
            Effect::Start | Effect::Tell(_) | Effect::Arm { .. } | Effect::PassOn(_) | Effect::Warn(_) => None,
        };
        effects.iter().filter_map(signal).collect()
    }
}

/// The nonce of the ping among effects.
fn ping(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::Tell(ToRole::Ping { nonce }) => Some(*nonce),
        Effect::Tell(_)
        | Effect::Start
        | Effect::Signal { .. }
        | Effect::Arm { .. }
        | Effect::PassOn(_)
        | Effect::Warn(_) => None,
    })
}

fn arms(timer: Timer, after_ms: u64) -> Effect {
    Effect::Arm { timer, token: 0, after_ms }
}

fn warns(effects: &[Effect]) -> String {
    let words = |effect: &Effect| match effect {
        Effect::Warn(words) => Some(words.clone()),
        Effect::Start | Effect::Signal { .. } | Effect::Tell(_) | Effect::Arm { .. } | Effect::PassOn(_) => None,
    };
    effects.iter().filter_map(words).collect::<Vec<_>>().join("; ")
}
