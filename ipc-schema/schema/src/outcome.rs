//! What came of a call.

use serde::{Deserialize, Serialize};

use crate::effects::{Effects, Standing};
use crate::ended::{Ended, Limit};
use crate::label::Label;

/// What came of an admitted call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolOutcome {
    /// How it ended.
    pub ended: Ended,
    /// Tail of standard output.
    pub stdout: Vec<u8>,
    /// Bytes of standard output before that tail.
    pub stdout_dropped_bytes: u64,
    /// Tail of standard error.
    pub stderr: Vec<u8>,
    /// Bytes of standard error before that tail.
    pub stderr_dropped_bytes: u64,
    /// Time it took, milliseconds.
    pub ms: u32,
    /// What it changes in the workspace.
    #[serde(default)]
    pub effects: Effects,
    /// What became of that.
    #[serde(default)]
    pub standing: Standing,
    /// The gate's word on it.
    #[serde(default)]
    pub settled: Settled,
    /// The limit that ended it, or at which it was when it failed, where that is known.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// The join of the labels of all that it could read.
    #[serde(default)]
    pub reads: Label,
    /// The label of what it wrote, once that is real.
    #[serde(default)]
    pub wrote: Option<Label>,
}

/// What the gate adds to an outcome.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// When the gate heard of the call's end, milliseconds since 1970.
    pub ended_at_ms: u64,
    /// The rule that decided on what it changes; empty when it changes nothing.
    pub rule: String,
    /// Why, in words for a person.
    pub reason: String,
}

impl ToolOutcome {
    /// Roughly what it holds in memory: its texts.
    pub fn weight_bytes(&self) -> usize {
        self.stdout.len() + self.stderr.len() + self.effects.weight_bytes()
    }

    /// The label of what it read and wrote.
    pub fn label(&self) -> Label {
        self.wrote.unwrap_or(self.reads)
    }

    /// As a brain gets it. What stands in files that are overwritten or deleted is not among what the call reads, so
    /// their names and diffs stay away.
    pub fn for_brain(mut self) -> ToolOutcome {
        self.effects.more = self.effects.more.saturating_add(self.effects.list.len() as u64);
        self.effects.list.clear();
        self
    }

    /// One without output or effects.
    pub fn of(ended: Ended) -> ToolOutcome {
        ToolOutcome {
            ended,
            stdout: Vec::new(),
            stdout_dropped_bytes: 0,
            stderr: Vec::new(),
            stderr_dropped_bytes: 0,
            ms: 0,
            effects: Effects::default(),
            standing: Standing::Nothing,
            settled: Settled::default(),
            limit: None,
            reads: Label::NOTHING,
            wrote: None,
        }
    }
}
