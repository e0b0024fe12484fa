//! After the end: what it counts as, and when the next start is.

use roles::launch::Refusal;

use super::{Effect, How, Life, Run, State, Timer};
use crate::backoff::delay_ms;
use crate::limits::{FAILURES_MAX, SLOT_RETRY_MS, STEADY_MS, TOO_OFTEN_RETRY_MS};
use crate::strategies::Strategy;

const SIGKILL: i32 = 9;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct End {
    pub status: i32,
    pub signal: i32,
    pub with_gate: bool,
}

/// What an end counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It did what it was for.
    Done,
    /// It ended through no fault of its own, or after it had shown progress.
    Excused,
    /// It ended before it was ready, or without progress.
    Failure,
}

impl State {
    pub(super) fn refused(&mut self, reason: Refusal, errno: i32, out: &mut Vec<Effect>) {
        self.answer_due = false;
        if !matches!(self.life, Life::Asked { .. }) {
            return;
        }
        if !self.wanted {
            self.life = Life::Stopped;
            return;
        }
        match reason {
            // An instance that its predecessor started and that is not sealed yet, or one not yet reaped.
            Refusal::Running => self.ask_later(SLOT_RETRY_MS, out),
            Refusal::TooOften => self.ask_later(TOO_OFTEN_RETRY_MS, out),
            Refusal::NoSuchSlot | Refusal::FileMissing => {
                let words = refusal_words(reason, errno);
                self.remember_exit(words.clone());
                self.give_up(format!("{words}; put right what it names, then reload or ask again"), out);
            }
            Refusal::AccountBusy | Refusal::TooMany | Refusal::Failed => {
                self.remember_exit(refusal_words(reason, errno));
                self.after_failure(out);
            }
        }
    }

    fn ask_later(&mut self, after_ms: u64, out: &mut Vec<Effect>) {
        let token = self.arm(Timer::Start, after_ms, out);
        self.life = Life::Asked { token };
    }

    pub(super) fn exited(&mut self, now_ms: u64, number: u64, end: End, out: &mut Vec<Effect>) {
        let Some(run) = self.run_of(number) else { return };
        let run = run.clone();
        let stopped_by_us = run.ending.as_ref().is_some_and(|e| e.fault.is_none() && e.how != How::Closed);
        let verdict = verdict(self.strategy, &run, end);
        self.remember_exit(exit_words(&run, end, stopped_by_us));
        if run.ready_since_ms.is_some_and(|since| now_ms.saturating_sub(since) >= STEADY_MS) {
            self.failures = 0;
        }
        self.life = Life::Stopped;
        // What this supervisor's predecessor was stopping, it was not told: an orderly end says so.
        let was_drained = run.unasked && self.strategy == Strategy::OnDemand && end.status == 0;
        if was_drained {
            self.wanted = false;
        }
        if stopped_by_us {
            if self.wanted {
                self.ask(out);
            }
            return;
        }
        if verdict != Verdict::Done && (self.wanted || end.status != 0) {
            out.push(Effect::Warn(format!("ended: {}", self.last_exit)));
        }
        if !self.wanted {
            match verdict {
                Verdict::Done => self.failures = 0,
                Verdict::Excused => {}
                Verdict::Failure => self.failures = self.failures.saturating_add(1),
            }
            return;
        }
        self.restarts = self.restarts.saturating_add(1);
        match verdict {
            Verdict::Done | Verdict::Excused => self.ask(out),
            Verdict::Failure => self.after_failure(out),
        }
    }

    fn after_failure(&mut self, out: &mut Vec<Effect>) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            let reason = format!(
                "given up after {} failures in a row, before it was ready or without progress; the last: {}; its log \
                 is var/log/{}.log; reload or ask again to try again",
                self.failures,
                self.last_exit,
                self.name()
            );
            return self.give_up(reason, out);
        }
        match delay_ms(self.failures, &mut self.jitter) {
            0 => self.ask(out),
            after_ms => {
                let token = self.arm(Timer::Start, after_ms, out);
                self.life = Life::BackingOff { token };
            }
        }
    }

    fn give_up(&mut self, reason: String, out: &mut Vec<Effect>) {
        out.push(Effect::Warn(reason.clone()));
        self.life = Life::GivenUp { reason };
    }
}

fn verdict(strategy: Strategy, run: &Run, end: End) -> Verdict {
    let by_us = run.ending.as_ref().is_some_and(|ending| ending.fault.is_some());
    let done = end.status == 0 && strategy == Strategy::Pool && run.busy;
    // A spare that sees its edge close ends by itself, often before the launcher gets to it.
    let orderly = end.status == 0;
    // SIGKILL that nobody here asked for: the launcher with the gate, an operator, a kernel short of memory.
    let from_outside = end.signal == SIGKILL && !by_us;
    if done {
        Verdict::Done
    } else if end.with_gate && (from_outside || orderly) {
        Verdict::Excused
    } else if run.ready_since_ms.is_none() || run.busy {
        Verdict::Failure
    } else if run.progressed || from_outside {
        Verdict::Excused
    } else {
        Verdict::Failure
    }
}

fn exit_words(run: &Run, end: End, stopped_by_us: bool) -> String {
    let fault = run.ending.as_ref().and_then(|ending| ending.fault.as_ref());
    match (fault, end) {
        (Some(fault), _) => fault.clone(),
        (None, _) if stopped_by_us => "stopped".to_owned(),
        (None, End { signal: 0, status, .. }) => format!("exit status {status}"),
        (None, End { signal, .. }) => format!("signal {signal}"),
    }
}

fn refusal_words(reason: Refusal, errno: i32) -> String {
    let words = match reason {
        Refusal::NoSuchSlot => "the table has no such slot",
        Refusal::Running => "another instance runs",
        Refusal::AccountBusy => "its account still has a process",
        Refusal::TooOften => "too many starts in a short time",
        Refusal::TooMany => "too many instances at once",
        Refusal::Failed => "a step of its start failed, see chelad's log",
        Refusal::FileMissing => "a file it needs is missing, see chelad's log",
    };
    match errno {
        0 => words.to_owned(),
        errno => format!("{words} (error {errno})"),
    }
}
