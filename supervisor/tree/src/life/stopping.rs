//! Ending an instance: drain, SIGTERM, SIGKILL, each when the one before has not been enough.

use roles::launch::Signal;
use schema::edge::control::ToRole;

use super::{Effect, Ending, How, Life, State, Timer};
use crate::limits::{CLOSED_GRACE_MS, TERM_GRACE_MS};

impl State {
    pub(super) fn unwant(&mut self, grace_ms: u32, out: &mut Vec<Effect>) {
        self.wanted = false;
        match &self.life {
            Life::Stopped => {}
            Life::BackingOff { .. } => self.life = Life::Stopped,
            // Whoever wants it next asks again, and gets the whole count as with one that was left wanted.
            Life::GivenUp { .. } => {
                self.failures = 0;
                self.life = Life::Stopped;
            }
            // A start that the launcher has yet to answer is stopped when it is reported. One that waits to be asked for
            // again is not under way.
            Life::Asked { token: 0 } => {}
            Life::Asked { .. } => self.life = Life::Stopped,
            Life::Runs(_) => self.begin_stop(grace_ms, out),
        }
    }

    /// Tells it to drain. One that is on its way out already is left to that.
    pub(super) fn begin_stop(&mut self, grace_ms: u32, out: &mut Vec<Effect>) {
        let Some(number) = self.run().filter(|run| run.ending.is_none()).map(|run| run.number) else { return };
        out.push(Effect::Tell(ToRole::Drain { deadline_ms: grace_ms }));
        self.end_by(number, How::Drain, u64::from(grace_ms), None, out);
    }

    /// SIGTERM, then SIGKILL.
    pub(super) fn terminate(&mut self, number: u64, fault: String, out: &mut Vec<Effect>) {
        if self.run_of(number).is_none_or(|run| run.ending.is_some()) {
            return;
        }
        out.push(Effect::Warn(fault.clone()));
        out.push(Effect::Signal { number, signal: Signal::Term });
        self.end_by(number, How::Term, TERM_GRACE_MS, Some(fault), out);
    }

    /// SIGKILL at once: fail-stop.
    pub(super) fn kill(&mut self, number: u64, fault: String, out: &mut Vec<Effect>) {
        let Some(run) = self.run_of(number) else { return };
        if run.ending.as_ref().is_some_and(|ending| ending.how == How::Kill) {
            return;
        }
        out.push(Effect::Warn(fault.clone()));
        out.push(Effect::Signal { number, signal: Signal::Kill });
        self.end_by(number, How::Kill, TERM_GRACE_MS, Some(fault), out);
    }

    /// Its end should be reported in a moment. A line closed by a process that goes on living is a fault.
    pub(super) fn line_closed(&mut self, number: u64, out: &mut Vec<Effect>) {
        if self.run_of(number).is_some_and(|run| run.ending.is_none()) {
            self.end_by(number, How::Closed, CLOSED_GRACE_MS, None, out);
        }
    }

    pub(super) fn harder(&mut self, token: u64, out: &mut Vec<Effect>) {
        let Some(run) = self.run() else { return };
        let Some(ending) = run.ending.clone().filter(|ending| ending.token == token) else { return };
        let number = run.number;
        match ending.how {
            How::Drain => {
                out.push(Effect::Signal { number, signal: Signal::Term });
                self.end_by(number, How::Term, TERM_GRACE_MS, ending.fault, out);
            }
            How::Term => {
                out.push(Effect::Signal { number, signal: Signal::Kill });
                self.end_by(number, How::Kill, TERM_GRACE_MS, ending.fault, out);
            }
            How::Closed => self.kill(number, "it closed its control line and lived on".into(), out),
            // The launcher may have been too busy to be told: told again, until the end is reported.
            How::Kill => {
                out.push(Effect::Signal { number, signal: Signal::Kill });
                self.end_by(number, How::Kill, TERM_GRACE_MS, ending.fault, out);
            }
        }
    }

    fn end_by(&mut self, number: u64, how: How, after_ms: u64, fault: Option<String>, out: &mut Vec<Effect>) {
        let token = self.arm(Timer::Stop, after_ms, out);
        if let Some(run) = self.run_of(number) {
            run.ending = Some(Ending { how, token, fault });
        }
    }
}
