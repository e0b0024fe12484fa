//! What a turn is, what can happen to it, what can be done about it.

use schema::edge::brain::{FromBrain, ToBrain};
use schema::edge::memory::{Step, TurnEnd};
use schema::label::Label;
use schema::talk::{CallMode, Completion, Message};
use schema::tool::{Admitted, Decision, ToolCall, ToolOutcome};

/// What a turn is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A message that a brain answers; the context before its first step.
    Conversation(Vec<Message>),
    /// One call without a brain.
    Tool(ToolCall),
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// It begins, or goes on after the gate that had it died.
    Begin {
        /// The gate that had it died.
        gate_died: bool,
    },
    /// It has a brain.
    BrainReady,
    /// Its brain says something.
    Brain(FromBrain),
    /// Its brain is gone.
    BrainGone,
    /// The completion is there.
    Completed(Completion),
    /// It can't be had.
    CompletionFailed(String),
    /// The model died on it.
    ModelGone,
    /// The call was decided.
    Decided {
        /// What.
        decision: Decision,
        /// Number of the action and what to do, when it was admitted.
        run: Option<(u64, Admitted)>,
    },
    /// The call, or the turn, can't go on, and why.
    CannotGoOn(String),
    /// The action has ended.
    ToolEnded(ToolOutcome),
    /// The executor died on it, or nobody can know what became of it.
    ToolLost {
        /// The executor died, and its successor may be asked.
        executor_died: bool,
    },
    /// It is taken back.
    Cancel,
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Get a brain; then `BrainReady`, and `StartTurn` with this.
    TakeBrain {
        /// The whole context.
        messages: Vec<Message>,
        /// What is left.
        steps_left: u32,
    },
    /// Tell the brain.
    TellBrain(ToBrain),
    /// Part with the brain; with what it did wrong, if it did.
    EndBrain(Option<&'static str>),
    /// Journal this, with the turn's label from here on.
    Record(Step, Label),
    /// Ask the model.
    Complete {
        /// The context.
        messages: Vec<Message>,
        /// Whether a call is wanted.
        call: CallMode,
        /// Whether the person sees it as it comes.
        streamed: bool,
    },
    /// The completion is not wanted any more.
    StopModel,
    /// Decide this call; then `Decided`.
    Decide(ToolCall, Label),
    /// Carry it out.
    Run(u64, Admitted),
    /// A gate or an executor that died had it: go on with it, without doing it twice.
    Rejoin(u64, ToolCall, Label),
    /// Kill it.
    StopTool(u64),
    /// It is over.
    End(TurnEnd, String),
}
