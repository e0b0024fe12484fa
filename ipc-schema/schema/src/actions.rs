//! Actions of the past, as a journal tells them.

use serde::{Deserialize, Serialize};

use crate::effects::{Change, Standing};
use crate::label::Label;
use crate::tool::{Decision, Ended, Risk, ToolCall, ToolOutcome, Verdict};

/// One line of a list of actions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActionBrief {
    /// Its number.
    pub action: u64,
    /// The turn that asked for it.
    pub turn: u64,
    /// Where that turn's message came from.
    pub channel: String,
    /// Which tool.
    pub tool: String,
    /// The beginning of its arguments.
    pub arguments: String,
    /// What the gate decided of the call.
    pub verdict: Verdict,
    /// How much harm the call could do.
    pub risk: Risk,
    /// When it was asked for, milliseconds since 1970.
    pub asked_at_ms: u64,
    /// What became of it.
    pub fate: Fate,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
    /// How much it created, changed and deleted.
    pub counts: Counts,
    /// The action that it takes back.
    pub undoes: Option<u64>,
    /// The action that took it back.
    pub undone_by: Option<u64>,
    /// Where it is, if it is a command that went to the background; the gate knows.
    pub background: Option<InBackground>,
}

/// All that is journaled of an action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActionRecord {
    /// Its number.
    pub action: u64,
    /// The turn that asked for it.
    pub turn: u64,
    /// Where that turn's message came from.
    pub channel: String,
    /// The beginning of that message.
    pub said: String,
    /// The turn's label when the call was decided.
    pub label: Label,
    /// The call.
    pub call: ToolCall,
    /// What the gate decided of it.
    pub decision: Decision,
    /// When it was asked for, milliseconds since 1970.
    pub asked_at_ms: u64,
    /// When what came of it was journaled, milliseconds since 1970.
    pub settled_at_ms: Option<u64>,
    /// What came of it; `None` while it runs.
    pub outcome: Option<ToolOutcome>,
    /// Whether its turn is over.
    pub turn_ended: bool,
    /// The action that it takes back.
    pub undoes: Option<u64>,
    /// The action that took it back.
    pub undone_by: Option<u64>,
    /// Where it is, if it is a command that went to the background; the gate knows.
    pub background: Option<InBackground>,
}

/// Where a command is that went to the background. What it changes is its own action's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InBackground {
    /// It runs.
    Running,
    /// It has ended, and what it changes is being decided on.
    Ended,
    /// It has ended, and what it changed, if anything, is real.
    Decided,
    /// It has ended, and nothing of it is real.
    Discarded,
    /// It runs no more, and nobody has heard how it ended.
    Unknown,
}

impl InBackground {
    /// Of a call of `tool` that was answered, with what is known of its end; `running`: whether it has ended already, where
    /// it is in its executor still.
    pub fn of(tool: &str, ended: Option<Ended>, fate: Fate, running: Option<bool>) -> Option<InBackground> {
        let began = tool == "start" && ended.is_some_and(|ended| ended != Ended::Failed || fate != Fate::NoChange);
        if !began {
            return None;
        }
        Some(match (running, fate) {
            (Some(false), _) => InBackground::Running,
            (Some(true), _) => InBackground::Ended,
            (None, Fate::Discarded) => InBackground::Discarded,
            (None, Fate::NoChange | Fate::Committed | Fate::Undone) => InBackground::Decided,
            (None, Fate::Open | Fate::Unknown | Fate::Background) => InBackground::Unknown,
        })
    }

    /// In words, of the command that this action started.
    pub fn words(self, action: u64) -> String {
        match self {
            InBackground::Running => format!("runs: poll, input and stop take id {action}"),
            InBackground::Ended => "has ended; what it changes is being decided on".to_owned(),
            InBackground::Decided => "has ended; what it changed, if anything, is this action's own".to_owned(),
            InBackground::Discarded => "has ended; nothing of it was kept".to_owned(),
            InBackground::Unknown => {
                format!("runs no more, and how it ended was not heard: a poll of id {action} says what is real of it")
            }
        }
    }
}

impl ActionRecord {
    /// What became of it. One without an outcome whose turn is over never gets one.
    pub fn fate(&self) -> Fate {
        Fate::of(self.outcome.as_ref(), self.undone_by.is_some()).known_by(self.turn_ended)
    }
}

/// What became of an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It runs, or waits.
    Open,
    /// It changed nothing.
    NoChange,
    /// What it changed is real.
    Committed,
    /// What it would have changed was never real.
    Discarded,
    /// What it changed was real, and was taken back.
    Undone,
    /// Nobody knows.
    Unknown,
    /// It goes on in the background, or nobody has heard how it ended there.
    Background,
}

impl Fate {
    /// What became of an action with that outcome, which was taken back or not.
    pub fn of(outcome: Option<&ToolOutcome>, undone: bool) -> Fate {
        let Some(outcome) = outcome else { return Fate::Open };
        match (&outcome.standing, outcome.ended) {
            (Standing::Committed, _) if undone => Fate::Undone,
            (Standing::Committed, _) => Fate::Committed,
            (Standing::Discarded { .. }, _) => Fate::Discarded,
            (Standing::Nothing, Ended::Running) if undone => Fate::Undone,
            (Standing::Nothing, Ended::Running) => Fate::Background,
            (Standing::Nothing | Standing::Staged, Ended::Unknown) => Fate::Unknown,
            (Standing::Nothing, _) => Fate::NoChange,
            (Standing::Staged, _) => Fate::Unknown,
        }
    }

    /// The same, when its turn is over or not: what is open then stays so, and nobody knows.
    pub fn known_by(self, turn_ended: bool) -> Fate {
        match self {
            Fate::Open if turn_ended => Fate::Unknown,
            fate => fate,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Fate::Open => "runs",
            Fate::NoChange => "changed nothing",
            Fate::Committed => "committed",
            Fate::Discarded => "discarded",
            Fate::Undone => "undone",
            Fate::Unknown => "unknown",
            Fate::Background => "in the background",
        }
    }
}

/// How much an action created, changed and deleted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Counts {
    /// Created, of those listed.
    pub created: u64,
    /// Changed, of those listed.
    pub changed: u64,
    /// Deleted, of those listed.
    pub deleted: u64,
    /// Beyond those listed.
    pub more: u64,
}

impl Counts {
    /// Those of an outcome.
    pub fn of(outcome: &ToolOutcome) -> Counts {
        let count = |change: Change| outcome.effects.list.iter().filter(|one| one.change == change).count() as u64;
        Counts {
            created: count(Change::Created),
            changed: count(Change::Changed),
            deleted: count(Change::Deleted),
            more: outcome.effects.more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_real_is_said_whatever_the_end_and_what_nobody_knows_is_not_called_nothing() {
        let of = |standing, ended| Fate::of(Some(&ToolOutcome { standing, ..ToolOutcome::of(ended) }), false);
        let ends = [Ended::Exited { code: 1 }, Ended::Signalled { signal: 9 }, Ended::Unknown, Ended::Failed];
        for ended in ends {
            assert_eq!(of(Standing::Committed, ended), Fate::Committed);
            assert_eq!(of(Standing::Discarded { reason: String::new() }, ended), Fate::Discarded);
            assert_eq!(of(Standing::Staged, ended), Fate::Unknown);
        }
        assert_eq!(of(Standing::Nothing, Ended::Unknown), Fate::Unknown);
        assert_eq!(of(Standing::Nothing, Ended::TimedOut), Fate::NoChange);
        assert_eq!(Fate::of(None, true), Fate::Open);
        assert_eq!(of(Standing::Nothing, Ended::Running), Fate::Background);
        assert_eq!(Fate::of(Some(&ToolOutcome::of(Ended::Running)), true), Fate::Undone);
        let real = ToolOutcome { standing: Standing::Committed, ..ToolOutcome::of(Ended::Exited { code: 0 }) };
        assert_eq!(Fate::of(Some(&real), true), Fate::Undone);
    }
}
