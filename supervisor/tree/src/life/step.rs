//! The machine's entry: which part deals with which event.

use roles::Role;
use schema::edge::control::{FromRole, ToRole};

use super::{Effect, Event, Life, Run, State, Timer};
use crate::limits::READY_DEADLINE_MS;
use crate::strategies::Strategy;

/// What an event makes of an instance, and what is to be done. `now_ms` is on the supervisor's own clock.
pub fn step(mut state: State, now_ms: u64, event: Event) -> (State, Vec<Effect>) {
    let mut effects = Vec::new();
    let out = &mut effects;
    match event {
        Event::Want => state.want(out),
        Event::Unwant { grace_ms } => state.unwant(grace_ms, out),
        Event::Started { number, pid } => state.runs(now_ms, number, pid, None, out),
        Event::Adopted { number, pid, sealed } => state.runs(now_ms, number, pid, Some(sealed), out),
        Event::Refused { reason, errno } => state.refused(reason, errno, out),
        Event::Sealed { number } => state.sealed(number, out),
        Event::Exited { number, status, signal, with_gate } => {
            state.exited(now_ms, number, super::ending::End { status, signal, with_gate }, out);
        }
        Event::Said { number, what } => state.said(now_ms, number, what, out),
        Event::Misbehaved { number, why } => state.kill(number, why, out),
        Event::LineClosed { number } => state.line_closed(number, out),
        Event::Reload => {
            if state.run().is_some_and(|run| run.ending.is_none()) {
                out.push(Effect::Tell(ToRole::Reload));
            }
            state.reload_due = matches!(state.life, Life::Asked { .. });
        }
        Event::Elapsed { timer, token } => state.elapsed(now_ms, timer, token, out),
    }
    (state, effects)
}

impl State {
    fn want(&mut self, out: &mut Vec<Effect>) {
        self.wanted = true;
        match &mut self.life {
            Life::Stopped => self.ask(out),
            Life::GivenUp { .. } => {
                self.failures = 0;
                self.ask(out);
            }
            // On its way; one that is being stopped is started again once it has ended.
            Life::Runs(run) => run.unasked = false,
            Life::BackingOff { .. } | Life::Asked { .. } => {}
        }
    }

    /// Asks the launcher for a start, unless its answer to the last one is still due: what was adopted before that
    /// answer may have ended before it too.
    pub(super) fn ask(&mut self, out: &mut Vec<Effect>) {
        self.life = Life::Asked { token: 0 };
        if !self.answer_due {
            self.answer_due = true;
            out.push(Effect::Start);
        }
    }

    fn runs(&mut self, now_ms: u64, number: u64, pid: u32, adopted: Option<bool>, out: &mut Vec<Effect>) {
        if self.run().is_some_and(|run| run.number >= number) {
            return;
        }
        let asked = self.answer_due || matches!(self.life, Life::Asked { .. });
        if adopted.is_none() {
            self.answer_due = false;
        }
        // What runs unasked was asked for by this supervisor's predecessor. A brain of its is taken to be at work: a
        // spare too many is better than a turn that waits for one.
        let at_work = adopted == Some(true) && self.strategy == Strategy::Pool;
        if at_work {
            self.wanted = false;
        } else if !asked {
            self.wanted = true;
        }
        let mut run = Run {
            number,
            pid,
            since_ms: now_ms,
            unasked: !asked,
            sealed: false,
            ready_since_ms: (adopted == Some(true)).then_some(now_ms),
            busy: at_work,
            progressed: false,
            ping: None,
            pings: 0,
            heartbeat: 0,
            ready_timer: 0,
            ending: None,
        };
        if adopted == Some(true) {
            run.sealed = true;
            self.ask_pulse(&mut run, now_ms, out);
        }
        self.life = Life::Runs(run);
        if std::mem::take(&mut self.reload_due) {
            out.push(Effect::Tell(ToRole::Reload));
        }
        if !self.wanted && !at_work {
            self.begin_stop(crate::limits::STOP_GRACE_MS, out);
        }
    }

    /// Heartbeats begin: before its seal a role has no ear for them.
    fn sealed(&mut self, number: u64, out: &mut Vec<Effect>) {
        let every_ms = u64::from(self.times.heartbeat_ms);
        if self.run_of(number).is_none_or(|run| run.sealed) {
            return;
        }
        let heartbeat = self.arm(Timer::Heartbeat, every_ms, out);
        let ready_timer = self.arm(Timer::Ready, READY_DEADLINE_MS, out);
        if let Some(run) = self.run_of(number) {
            run.sealed = true;
            run.heartbeat = heartbeat;
            run.ready_timer = ready_timer;
        }
    }

    fn said(&mut self, now_ms: u64, number: u64, what: FromRole, out: &mut Vec<Effect>) {
        let pool = self.strategy == Strategy::Pool;
        let is_gate = self.role == Role::Gate;
        let Some(run) = self.run_of(number) else { return };
        match what {
            FromRole::Ready => {
                run.ready_since_ms.get_or_insert(now_ms);
            }
            FromRole::Pong { nonce } => {
                // Another nonce answers this supervisor's predecessor.
                if run.ping.is_some_and(|ping| ping.nonce == nonce) {
                    run.ping = None;
                }
            }
            FromRole::Busy => {
                run.busy = true;
                if pool {
                    self.wanted = false;
                }
            }
            FromRole::Idle => {
                run.busy = false;
                run.progressed = true;
                self.failures = 0;
            }
            FromRole::Want(_) | FromRole::Unwant(_) | FromRole::DescribeTree { .. } | FromRole::Misbehaved { .. } => {
                if is_gate {
                    out.push(Effect::PassOn(what));
                } else {
                    self.kill(number, format!("it said what only the gate may say: {what:?}"), out);
                }
            }
        }
    }

    fn elapsed(&mut self, now_ms: u64, timer: Timer, token: u64, out: &mut Vec<Effect>) {
        match timer {
            Timer::Start => match &self.life {
                Life::BackingOff { token: due } | Life::Asked { token: due } if *due == token => self.ask(out),
                Life::Stopped | Life::BackingOff { .. } | Life::GivenUp { .. } | Life::Asked { .. } | Life::Runs(_) => {
                }
            },
            Timer::Heartbeat => self.pulse(now_ms, token, out),
            Timer::Stop => self.harder(token, out),
            Timer::Ready => {
                let Some(run) = self.run() else { return };
                if run.ready_timer == token && run.ready_since_ms.is_none() {
                    self.kill(run.number, format!("not ready {READY_DEADLINE_MS} ms after its edge"), out);
                }
            }
        }
    }
}
