//! A launcher and a role that do anything they could, and what must hold of the machine after each event.

use roles::launch::Refusal;

use super::*;

/// One turn of events. Numbers are made when it is played, so that they are plausible.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    Want,
    Unwant,
    Reload,
    /// The launcher answers the start that it was asked for, if any; with this refusal if it can.
    Answer(Option<(Refusal, i32)>),
    /// One comes up that this supervisor's predecessor had asked for.
    Inherited {
        adopted: bool,
        sealed: bool,
    },
    Sealed(Who),
    Exited {
        status: i32,
        signal: i32,
        with_gate: bool,
    },
    Said(Who, FromRole),
    /// It answers the ping that waits, or says some other nonce.
    Pong {
        right: bool,
    },
    Misbehaved(Who),
    LineClosed(Who),
    /// Time passes, with the timers that run down in it.
    Wait(u64),
    /// A timer that was armed anew, or for an end that has come, runs down all the same.
    Late(Timer, u64),
}

/// Whose number an event names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Running,
    Before,
    Never,
}

/// What the launcher knows, played by the test.
#[derive(Debug)]
pub(super) struct World {
    pub(super) machine: Machine,
    answers_due: u32,
    alive: bool,
    last_ping: u64,
}

impl World {
    pub(super) fn new((role, slot): (Role, u32), seed: u64) -> World {
        World { machine: Machine::seeded(role, slot, seed), answers_due: 0, alive: false, last_ping: 0 }
    }

    fn number(&self, who: Who) -> u64 {
        match who {
            Who::Running => self.machine.number,
            Who::Before => self.machine.number.saturating_sub(1),
            Who::Never => self.machine.number + 5,
        }
    }

    pub(super) fn play(&mut self, turn: Turn) {
        match turn {
            Turn::Want => self.happens(Event::Want),
            Turn::Unwant => self.happens(Event::Unwant { grace_ms: GRACE_MS }),
            Turn::Reload => self.happens(Event::Reload),
            Turn::Answer(refused) => self.answer(refused),
            Turn::Inherited { adopted, sealed } => self.inherit(adopted, sealed),
            Turn::Sealed(who) => self.happens(Event::Sealed { number: self.number(who) }),
            Turn::Exited { status, signal, with_gate } => self.exits(status, signal, with_gate),
            Turn::Said(who, what) => self.happens(Event::Said { number: self.number(who), what }),
            Turn::Pong { right } => {
                let nonce = if right { self.last_ping } else { self.last_ping ^ 1 };
                self.happens(Event::Said { number: self.machine.number, what: FromRole::Pong { nonce } });
            }
            Turn::Misbehaved(who) => self.happens(Event::Misbehaved { number: self.number(who), why: "floods".into() }),
            Turn::LineClosed(who) => self.happens(Event::LineClosed { number: self.number(who) }),
            Turn::Wait(ms) => self.wait(ms),
            Turn::Late(timer, token) => {
                if self.machine.timers.get(&timer).is_none_or(|(live, _)| *live != token) {
                    self.happens(Event::Elapsed { timer, token });
                }
            }
        }
    }

    fn answer(&mut self, refused: Option<(Refusal, i32)>) {
        if self.answers_due == 0 {
            return;
        }
        self.answers_due -= 1;
        match refused {
            _ if self.alive => self.happens(Event::Refused { reason: Refusal::Running, errno: 0 }),
            Some((reason, errno)) => self.happens(Event::Refused { reason, errno }),
            None => {
                self.alive = true;
                self.machine.number += 1;
                self.happens(Event::Started { number: self.machine.number, pid: 100 });
            }
        }
    }

    /// A start that was under way is reported as such only to a supervisor whose own was answered with `Running`.
    fn inherit(&mut self, adopted: bool, sealed: bool) {
        if self.alive || (!adopted && self.answers_due > 0) {
            return;
        }
        self.alive = true;
        self.machine.number += 1;
        let (number, pid) = (self.machine.number, 100);
        self.happens(if adopted { Event::Adopted { number, pid, sealed } } else { Event::Started { number, pid } });
    }

    fn exits(&mut self, status: i32, signal: i32, with_gate: bool) {
        if std::mem::take(&mut self.alive) {
            self.happens(Event::Exited { number: self.machine.number, status, signal, with_gate });
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.machine.now_ms + ms;
        while let Some((timer, token, due)) = self.machine.next_timer().filter(|(.., due)| *due <= until) {
            self.machine.timers.remove(&timer);
            self.machine.now_ms = due;
            self.happens(Event::Elapsed { timer, token });
        }
        self.machine.now_ms = until;
    }

    fn happens(&mut self, event: Event) {
        let before = self.machine.state.clone();
        let effects = self.machine.happen(event.clone());
        if let Some(nonce) = ping(&effects) {
            self.last_ping = nonce;
        }
        let starts = effects.iter().filter(|effect| **effect == Effect::Start).count() as u32;
        self.answers_due += starts;
        let context = || format!("{event:?} of {before:?} led to {effects:?} and {:?}", self.machine.state);
        assert!(self.answers_due <= 1, "two starts at once: {}", context());
        assert!(starts == 0 || self.machine.state.number() == 0, "a start of what runs: {}", context());
        self.check_effects(&before, &effects, &context);
        self.check_state(&context);
    }

    fn check_effects(&self, before: &State, effects: &[Effect], context: &impl Fn() -> String) {
        let running = before.number().max(self.machine.state.number());
        let mut armed = Vec::new();
        for effect in effects {
            match effect {
                Effect::Start | Effect::PassOn(_) => {}
                Effect::Signal { number, .. } => assert_eq!(*number, running, "{}", context()),
                Effect::Tell(_) => assert_ne!(running, 0, "told nobody: {}", context()),
                Effect::Arm { timer, .. } => armed.push(*timer),
                Effect::Warn(words) => assert!(!words.is_empty(), "{}", context()),
            }
        }
        let once = armed.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(once, armed.len(), "one timer armed twice: {}", context());
    }

    fn check_state(&self, context: &impl Fn() -> String) {
        let summary = self.machine.state.summary();
        assert_eq!(summary.phase == Phase::GivenUp, summary.given_up.is_some(), "{}", context());
        assert!(summary.given_up.is_none_or(|reason| !reason.is_empty()), "{}", context());
        assert!(summary.last_exit.len() <= LAST_EXIT_BYTES, "{}", context());
        assert!(summary.outstanding || (self.answers_due == 0 && summary.number == 0), "{}", context());
        assert_eq!(summary.number != 0, self.alive, "it knows what runs: {}", context());
        for (timer, token) in waits_for(&self.machine.state) {
            let armed = self.machine.timers.get(&timer).map(|(token, _)| *token);
            assert_eq!(armed, Some(token), "it waits for a {timer:?} that never comes: {}", context());
        }
        if let Life::Asked { token: 0 } = self.machine.state.life {
            assert_eq!(self.answers_due, 1, "it waits for an answer that never comes: {}", context());
        }
    }
}

/// Every timer that the machine waits for, by token.
fn waits_for(state: &State) -> Vec<(Timer, u64)> {
    match &state.life {
        Life::Stopped | Life::GivenUp { .. } | Life::Asked { token: 0 } => vec![],
        Life::BackingOff { token } | Life::Asked { token } => vec![(Timer::Start, *token)],
        Life::Runs(run) => match &run.ending {
            Some(ending) => vec![(Timer::Stop, ending.token)],
            None if !run.sealed => vec![],
            None if run.ready_since_ms.is_some() => vec![(Timer::Heartbeat, run.heartbeat)],
            None => vec![(Timer::Heartbeat, run.heartbeat), (Timer::Ready, run.ready_timer)],
        },
    }
}
