//! Which actions wait, run and have ended: pure. An action number is carried out once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use schema::tool::{Admitted, Ended, ToolOutcome};

use crate::limits::{ASIDE_MAX, REMEMBERED_BYTES, REMEMBERED_MAX, RUNNING_MAX, WAITING_BYTES, WAITING_MAX};

/// What to do with a request to run.
#[derive(Debug, PartialEq, Eq)]
pub enum OnRun {
    /// Start it now.
    Start(Admitted),
    /// It waits, or was asked for already: its end will be told.
    Later,
    /// It has ended: this is what came of it.
    Ended(Rc<ToolOutcome>),
}

/// What to do with a request to cancel.
#[derive(Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// Kill it; its end will be told.
    Kill,
    /// It has ended, or never began: this is what came of it.
    Ended(Rc<ToolOutcome>),
}

/// All actions of this instance.
#[derive(Debug, Default)]
pub struct Ledger {
    running: Vec<u64>,
    /// Those that do nothing in the workspace, so that none waits for them.
    aside: BTreeSet<u64>,
    /// Commands in the background that have ended and want to change the workspace: they go first.
    entering: VecDeque<u64>,
    waiting: VecDeque<(u64, Admitted)>,
    waiting_bytes: usize,
    ended: BTreeMap<u64, Rc<ToolOutcome>>,
    ended_order: VecDeque<u64>,
    ended_bytes: usize,
}

impl Ledger {
    /// Asked to run `call` as `action`.
    pub fn run(&mut self, action: u64, call: Admitted) -> OnRun {
        if let Some(outcome) = self.ended.get(&action) {
            return OnRun::Ended(outcome.clone());
        }
        if self.aside.contains(&action)
            || self.running.contains(&action)
            || self.waiting.iter().any(|(other, _)| *other == action)
        {
            return OnRun::Later;
        }
        if is_aside(&call) {
            if self.aside.len() >= ASIDE_MAX {
                return OnRun::Ended(self.remember(action, failed("too many questions at once; wait for some to end")));
            }
            self.aside.insert(action);
            return OnRun::Start(call);
        }
        if self.running.len() < RUNNING_MAX && self.entering.is_empty() {
            self.running.push(action);
            return OnRun::Start(call);
        }
        let bytes = call.texts_bytes();
        if self.waiting.len() >= WAITING_MAX || self.waiting_bytes + bytes > WAITING_BYTES {
            return OnRun::Ended(self.remember(
                action,
                failed("too many actions wait for this principal's executor; wait for some to end, or cancel them"),
            ));
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back((action, call));
        OnRun::Later
    }

    /// Whether it waits, runs, or has ended here not long ago.
    pub fn knows(&self, action: u64) -> bool {
        self.running.contains(&action)
            || self.aside.contains(&action)
            || self.waiting.iter().any(|(other, _)| *other == action)
            || self.ended.contains_key(&action)
    }

    /// Asked to cancel `action`. One that was never asked for is remembered as cancelled: its request may be on the way.
    pub fn cancel(&mut self, action: u64) -> OnCancel {
        if self.running.contains(&action) || self.aside.contains(&action) {
            return OnCancel::Kill;
        }
        if let Some(at) = self.waiting.iter().position(|(other, _)| *other == action) {
            if let Some((_, call)) = self.waiting.remove(at) {
                self.waiting_bytes -= call.texts_bytes();
            }
        } else if let Some(outcome) = self.ended.get(&action) {
            return OnCancel::Ended(outcome.clone());
        }
        OnCancel::Ended(self.remember(action, empty(Ended::Cancelled)))
    }

    /// A running action has ended. Returns what to tell, and the action to start next.
    pub fn end(&mut self, action: u64, outcome: ToolOutcome) -> (Rc<ToolOutcome>, Option<(u64, Admitted)>) {
        let outcome = self.remember(action, outcome);
        if self.aside.remove(&action) {
            return (outcome, None);
        }
        (outcome, self.leave(action))
    }

    /// A command in the background has ended and wants to change the workspace. False: it is told by [`entered`](Self::entered).
    pub fn enter(&mut self, action: u64) -> bool {
        let free = self.running.len() < RUNNING_MAX && self.entering.is_empty();
        if free {
            self.running.push(action);
        } else {
            self.entering.push_back(action);
        }
        free
    }

    /// The next of those that wait to enter, if it may.
    pub fn entered(&mut self) -> Option<u64> {
        if self.running.len() >= RUNNING_MAX {
            return None;
        }
        let action = self.entering.pop_front()?;
        self.running.push(action);
        Some(action)
    }

    /// It works in the workspace no more, or does not want to any more. Returns the action to start next.
    pub fn leave(&mut self, action: u64) -> Option<(u64, Admitted)> {
        self.running.retain(|other| *other != action);
        self.entering.retain(|other| *other != action);
        if self.running.len() >= RUNNING_MAX || !self.entering.is_empty() {
            return None;
        }
        let next = self.waiting.pop_front();
        if let Some((action, call)) = &next {
            self.waiting_bytes -= call.texts_bytes();
            self.running.push(*action);
        }
        next
    }

    /// Whether nothing runs or waits.
    pub fn idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty() && self.aside.is_empty() && self.entering.is_empty()
    }

    fn remember(&mut self, action: u64, outcome: ToolOutcome) -> Rc<ToolOutcome> {
        let outcome = Rc::new(outcome);
        self.ended_bytes += outcome.stdout.len() + outcome.stderr.len();
        self.ended.insert(action, outcome.clone());
        self.ended_order.push_back(action);
        while self.ended_order.len() > REMEMBERED_MAX || self.ended_bytes > REMEMBERED_BYTES {
            let Some(oldest) = self.ended_order.pop_front() else {
                break;
            };
            if let Some(gone) = self.ended.remove(&oldest) {
                self.ended_bytes -= gone.stdout.len() + gone.stderr.len();
            }
        }
        outcome
    }
}

/// Whether the call does nothing in the workspace.
fn is_aside(call: &Admitted) -> bool {
    match call {
        Admitted::Poll { .. } | Admitted::Input { .. } | Admitted::Stop { .. } => true,
        Admitted::RunCommand { .. }
        | Admitted::ReadFile { .. }
        | Admitted::WriteFile { .. }
        | Admitted::PutFile { .. }
        | Admitted::EditFile { .. }
        | Admitted::SearchFiles { .. }
        | Admitted::GetFile { .. }
        | Admitted::ListFiles { .. }
        | Admitted::Move { .. }
        | Admitted::Delete { .. }
        | Admitted::MakeDirectory { .. }
        | Admitted::Undo { .. }
        | Admitted::Start { .. } => false,
    }
}

/// An outcome without output.
pub fn empty(ended: Ended) -> ToolOutcome {
    ToolOutcome::of(ended)
}

/// An outcome of something that was not carried out, and why.
pub fn failed(why: &str) -> ToolOutcome {
    ToolOutcome { stderr: format!("{why}\n").into_bytes(), ..empty(Ended::Failed) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn call() -> Admitted {
        Admitted::ReadFile { path: "a".to_owned(), offset: 1, limit: None }
    }

    fn full() -> Ledger {
        let mut ledger = Ledger::default();
        for action in 0..RUNNING_MAX as u64 {
            assert_eq!(ledger.run(action, call()), OnRun::Start(call()));
        }
        ledger
    }

    #[test]
    fn an_action_is_started_once_and_its_first_result_is_returned_again() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.run(7, call()), OnRun::Start(call()));
        assert_eq!(ledger.run(7, call()), OnRun::Later);
        let (told, next) = ledger.end(7, empty(Ended::Exited { code: 3 }));
        assert_eq!(next, None);
        assert_eq!(ledger.run(7, call()), OnRun::Ended(told));
        assert!(ledger.idle());
    }

    #[test]
    fn beyond_the_limit_actions_wait_in_order_and_then_are_refused() {
        let mut ledger = full();
        for action in 100..100 + WAITING_MAX as u64 {
            assert_eq!(ledger.run(action, call()), OnRun::Later);
        }
        let OnRun::Ended(refused) = ledger.run(999, call()) else {
            panic!("one too many is refused");
        };
        assert_eq!(refused.ended, Ended::Failed);
        let (_, next) = ledger.end(0, empty(Ended::TimedOut));
        assert_eq!(next, Some((100, call())));
        assert_eq!(ledger.run(100, call()), OnRun::Later);
    }

    #[test]
    fn bytes_that_wait_are_bounded() {
        let mut ledger = full();
        let big = |_| Admitted::WriteFile { path: String::new(), content: vec![b'x'; WAITING_BYTES / 2] };
        assert_eq!(ledger.run(100, big(())), OnRun::Later);
        assert_eq!(ledger.run(101, big(())), OnRun::Later);
        assert!(matches!(ledger.run(102, big(())), OnRun::Ended(_)));
        assert!(matches!(ledger.cancel(100), OnCancel::Ended(_)));
        assert_eq!(ledger.run(103, big(())), OnRun::Later);
    }

    #[test]
    fn cancelling_kills_what_runs_and_forgets_what_waits() {
        let mut ledger = full();
        assert_eq!(ledger.cancel(0), OnCancel::Kill);
        ledger.run(100, call());
        let OnCancel::Ended(outcome) = ledger.cancel(100) else {
            panic!("it had not begun");
        };
        assert_eq!(outcome.ended, Ended::Cancelled);
        assert_eq!(ledger.run(100, call()), OnRun::Ended(outcome));
        assert!(matches!(ledger.cancel(555), OnCancel::Ended(_)));
        assert!(matches!(ledger.run(555, call()), OnRun::Ended(_)));
    }

    #[test]
    fn what_does_nothing_in_the_workspace_waits_for_nobody() {
        let mut ledger = full();
        let poll = || Admitted::Poll { action: 0, wait_ms: 1 };
        assert_eq!(ledger.run(100, poll()), OnRun::Start(poll()));
        assert_eq!(ledger.run(100, poll()), OnRun::Later);
        assert_eq!(ledger.cancel(100), OnCancel::Kill);
        ledger.run(101, call());
        let (_, next) = ledger.end(100, empty(Ended::Running));
        assert_eq!(next, None, "nobody waited for it");
        for action in 200..200 + ASIDE_MAX as u64 {
            assert_eq!(ledger.run(action, poll()), OnRun::Start(poll()));
        }
        assert!(matches!(ledger.run(999, poll()), OnRun::Ended(_)));
        assert!(!ledger.idle());
    }

    #[test]
    fn what_ends_in_the_background_has_the_workspace_for_itself_and_goes_first() {
        let mut ledger = Ledger::default();
        assert!(ledger.enter(1));
        assert_eq!(ledger.run(7, call()), OnRun::Later);
        assert!(!ledger.enter(2) && !ledger.enter(3));
        assert_eq!((ledger.leave(1), ledger.entered(), ledger.entered()), (None, Some(2), None));
        assert_eq!(ledger.run(8, call()), OnRun::Later);
        assert_eq!(ledger.leave(3), None, "it was stopped while it waited");
        assert_eq!(ledger.leave(2), Some((7, call())));
        assert_eq!(ledger.entered(), None);
        let (_, next) = ledger.end(7, empty(Ended::TimedOut));
        assert_eq!(next, Some((8, call())));
        ledger.end(8, empty(Ended::TimedOut));
        assert!(ledger.idle());
    }

    #[test]
    fn remembered_results_are_bounded_in_number_and_bytes() {
        let mut ledger = Ledger::default();
        for action in 0..1000 {
            ledger.run(action, call());
            let mut outcome = empty(Ended::Exited { code: 0 });
            outcome.stdout = vec![0; 256 << 10];
            ledger.end(action, outcome);
            assert!(ledger.ended_bytes <= REMEMBERED_BYTES);
            assert!(ledger.ended.len() <= REMEMBERED_MAX);
            assert_eq!(ledger.ended.len(), ledger.ended_order.len());
        }
    }
}
