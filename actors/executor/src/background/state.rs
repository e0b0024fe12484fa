//! Commands in the background: which there are, what each has written since somebody looked, and how each ended. Pure.

use std::collections::BTreeMap;

use schema::effects::{Effects, Standing};
use schema::label::Label;
use schema::limits::OUTPUT_KEPT_BYTES;
use schema::tool::{Ended, ToolOutcome};

use crate::limits::{BACKGROUND_MAX, BACKGROUND_REMEMBERED_MAX};
use crate::tail::Tail;

/// Where a command is.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Runs,
    /// Ended; what it changes waits to be settled.
    Staged(ToolOutcome),
    Over(ToolOutcome),
}

struct One {
    phase: Phase,
    stdout: Tail,
    stderr: Tail,
    /// It has written something that nobody has asked for.
    unread: bool,
    /// The label of all that it could read, and of what it was told.
    sees: Label,
}

/// All commands in the background.
#[derive(Default)]
pub struct Table(BTreeMap<u64, One>);

impl Table {
    /// Whether one more may begin; in words why not.
    ///
    /// # Errors
    /// When as many run as may.
    pub fn admit(&self) -> Result<(), String> {
        let running = self.running();
        if running.len() < BACKGROUND_MAX {
            return Ok(());
        }
        let ids: Vec<String> = running.iter().map(u64::to_string).collect();
        Err(format!("{BACKGROUND_MAX} commands run in the background already ({}): stop one first", ids.join(", ")))
    }

    /// One begins.
    pub fn begin(&mut self, action: u64, sees: Label) {
        let tail = || Tail::new(OUTPUT_KEPT_BYTES);
        self.0.insert(action, One { phase: Phase::Runs, stdout: tail(), stderr: tail(), unread: false, sees });
    }

    /// It can read something more.
    pub fn sees(&mut self, action: u64, label: Label) {
        if let Some(one) = self.0.get_mut(&action) {
            one.sees = one.sees.join(label);
        }
    }

    /// The label of all that it could read so far.
    pub fn seen(&self, action: u64) -> Label {
        self.0.get(&action).map_or(Label::NOTHING, |one| one.sees)
    }

    /// It has written something.
    pub fn output(&mut self, action: u64, from_stderr: bool, bytes: &[u8]) {
        if let Some(one) = self.0.get_mut(&action) {
            let tail = if from_stderr { &mut one.stderr } else { &mut one.stdout };
            tail.push(bytes);
            one.unread = true;
        }
    }

    /// It has ended, and what it changes waits to be settled.
    pub fn staged(&mut self, action: u64, outcome: ToolOutcome) {
        if let Some(one) = self.0.get_mut(&action) {
            one.phase = Phase::Staged(outcome);
        }
    }

    /// It is over. Of those the oldest are forgotten beyond the limit.
    pub fn over(&mut self, action: u64, outcome: ToolOutcome) {
        if let Some(one) = self.0.get_mut(&action) {
            one.phase = Phase::Over(outcome);
        }
        let over: Vec<u64> =
            self.0.iter().filter(|(_, one)| matches!(one.phase, Phase::Over(_))).map(|(action, _)| *action).collect();
        for oldest in over.iter().take(over.len().saturating_sub(BACKGROUND_REMEMBERED_MAX)) {
            self.0.remove(oldest);
        }
    }

    /// Numbers of those that are not over.
    pub fn running(&self) -> Vec<u64> {
        let running = self.0.iter().filter(|(_, one)| !matches!(one.phase, Phase::Over(_)));
        running.map(|(action, _)| *action).collect()
    }

    /// Whether it is one that is not over.
    pub fn runs(&self, action: u64) -> bool {
        self.0.get(&action).is_some_and(|one| !matches!(one.phase, Phase::Over(_)))
    }

    /// Whether it is one, over or not.
    pub fn knows(&self, action: u64) -> bool {
        self.0.contains_key(&action)
    }

    /// What waits to be settled, by the number of its action.
    pub fn unsettled(&self) -> Vec<(u64, ToolOutcome)> {
        let staged = self.0.iter().filter_map(|(action, one)| match &one.phase {
            Phase::Staged(outcome) => Some((*action, outcome.clone())),
            Phase::Runs | Phase::Over(_) => None,
        });
        staged.collect()
    }

    /// Whether somebody who asks is told something new, or that there is no such command.
    pub fn has_news(&self, action: u64) -> bool {
        self.0.get(&action).is_none_or(|one| one.unread || matches!(one.phase, Phase::Over(_)))
    }

    /// What is new of it: its output since the last time, and how it ended. `None`: there is no such command.
    pub fn poll(&mut self, action: u64) -> Option<ToolOutcome> {
        let one = self.0.get_mut(&action)?;
        let take = |tail: &mut Tail| std::mem::replace(tail, Tail::new(OUTPUT_KEPT_BYTES)).finish();
        let (stdout, stdout_dropped_bytes) = take(&mut one.stdout);
        let (mut stderr, stderr_dropped_bytes) = take(&mut one.stderr);
        one.unread = false;
        let outcome = match &mut one.phase {
            Phase::Runs | Phase::Staged(_) => ToolOutcome::of(Ended::Running),
            Phase::Over(outcome) => {
                // Why it could not go on is said once, behind what it wrote itself.
                stderr.append(&mut outcome.stderr);
                outcome.clone()
            }
        };
        let reads = outcome.reads.join(one.sees);
        Some(ToolOutcome { stdout, stdout_dropped_bytes, stderr, stderr_dropped_bytes, reads, ..outcome })
    }
}

/// What is said when somebody asks about a command that is not there.
pub fn unknown(action: u64) -> String {
    format!(
        "no command runs in the background as {action}: it never did, ended long ago, or was stopped with its executor, \
         and then nothing of it was kept"
    )
}

/// How one that was killed or could not go on ended, and why nothing that it changed is kept.
pub fn dropped(ended: Ended, why: &str) -> ToolOutcome {
    ToolOutcome { standing: Standing::Discarded { reason: why.to_owned() }, ..ToolOutcome::of(ended) }
}

/// An outcome with what was changed, to be settled where there is something.
pub fn with_effects(outcome: ToolOutcome, effects: Effects) -> ToolOutcome {
    let standing = if effects.is_empty() { Standing::Nothing } else { Standing::Staged };
    ToolOutcome { effects, standing, ..outcome }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use schema::label::Integrity;

    use super::*;

    fn exited() -> ToolOutcome {
        ToolOutcome { ms: 5, ..ToolOutcome::of(Ended::Exited { code: 0 }) }
    }

    #[test]
    fn as_many_run_as_may_and_each_that_is_over_makes_room() {
        let mut table = Table::default();
        for action in 1..=BACKGROUND_MAX as u64 {
            table.admit().unwrap();
            table.begin(action, Label::NOTHING);
        }
        assert!(table.admit().unwrap_err().contains("(1, 2"));
        table.staged(1, exited());
        table.admit().unwrap_err();
        table.over(1, exited());
        table.admit().unwrap();
        assert!(!table.runs(1) && table.runs(2) && !table.runs(99));
    }

    #[test]
    fn output_is_told_once_and_its_tail_kept() {
        let mut table = Table::default();
        table.begin(7, Label::NOTHING);
        assert!(!table.has_news(7));
        table.output(7, false, b"one");
        table.output(7, true, b"two");
        assert!(table.has_news(7));
        let told = table.poll(7).unwrap();
        assert_eq!((told.ended, &told.stdout[..], &told.stderr[..]), (Ended::Running, &b"one"[..], &b"two"[..]));
        assert!(!table.has_news(7));
        assert_eq!(table.poll(7).unwrap(), ToolOutcome::of(Ended::Running));
        table.output(7, false, &vec![b'x'; OUTPUT_KEPT_BYTES + 10]);
        let told = table.poll(7).unwrap();
        assert_eq!((told.stdout.len(), told.stdout_dropped_bytes), (OUTPUT_KEPT_BYTES, 10));
    }

    #[test]
    fn its_end_is_told_when_it_is_settled_and_again_to_whoever_asks_again() {
        let mut table = Table::default();
        table.begin(7, Label::NOTHING);
        table.output(7, false, b"last");
        let shown = with_effects(exited(), Effects { more: 1, ..Effects::default() });
        table.staged(7, shown.clone());
        assert_eq!(table.unsettled(), [(7, shown.clone())]);
        let told = table.poll(7).unwrap();
        assert_eq!((told.ended, told.standing), (Ended::Running, Standing::Nothing), "it is not known yet");
        let settled = ToolOutcome { standing: Standing::Committed, stderr: b"why\n".to_vec(), ..shown };
        table.over(7, settled.clone());
        assert!(table.has_news(7));
        assert_eq!(table.poll(7).unwrap(), settled);
        assert_eq!(table.poll(7).unwrap(), ToolOutcome { stderr: Vec::new(), ..settled });
    }

    #[test]
    fn whoever_is_told_of_it_is_told_the_label_of_all_that_it_could_read() {
        let mut table = Table::default();
        table.begin(7, Label::OWN);
        assert_eq!(table.poll(7).unwrap().reads, Label::OWN);
        let tainted = Label { integrity: Integrity::Untrusted, ..Label::OWN };
        table.sees(7, tainted);
        table.sees(7, Label::NOTHING);
        table.sees(8, tainted);
        assert_eq!((table.seen(7), table.poll(7).unwrap().reads), (tainted, tainted));
        table.over(7, exited());
        assert_eq!(table.poll(7).unwrap().reads, tainted);
        assert_eq!(table.seen(8), Label::NOTHING, "there is no such command");
    }

    #[test]
    fn those_that_are_over_are_bounded_and_unknown_ones_are_none() {
        let mut table = Table::default();
        for action in 1..=50 {
            table.begin(action, Label::NOTHING);
            table.over(action, exited());
        }
        assert_eq!(table.0.len(), BACKGROUND_REMEMBERED_MAX);
        assert!(table.poll(50).is_some() && table.poll(1).is_none() && table.has_news(1));
        // Something late of one that is forgotten.
        table.output(1, false, b"x");
        table.staged(1, exited());
        table.over(1, exited());
        assert!(table.poll(1).is_none());
        assert_eq!(dropped(Ended::Cancelled, "stopped").standing, Standing::Discarded { reason: "stopped".to_owned() });
        assert!(unknown(3).contains('3'));
    }
}
