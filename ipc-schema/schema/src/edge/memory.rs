//! Gate and memory. Every request is answered once, in order; every write is on the disk before its answer. Requests
//! are idempotent, so that the gate may repeat one whose answer a crash took.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::actions::{ActionBrief, ActionRecord};
use crate::label::Label;
use crate::limits::MEMORY_FRAME_BYTES;
use crate::talk::{Completion, Message};
use crate::tool::{Decision, ToolCall, ToolOutcome};

/// The edge's type.
pub enum MemoryWire {}

impl Wire for MemoryWire {
    type Down = ToMemory;
    type Up = FromMemory;
    const NAME: &'static str = "memory";
    const LIMIT_BYTES: usize = MEMORY_FRAME_BYTES;
}

/// What a memory instance is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToMemory {
    /// Returned with the answer.
    pub request: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of a memory instance. A principal's instance answers the first group, the house the second; one asked
/// for the other's ends itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// A message came in: journal it as a new turn, unless (channel, message id) is known.
    Receive {
        /// For example `local`.
        channel: String,
        /// The channel's id of the message.
        message_id: String,
        /// What was said.
        text: String,
        /// Its label.
        label: Label,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// A step of a turn. The same (turn, step) again changes nothing.
    RecordStep {
        /// The turn.
        turn: u64,
        /// Counted from 0 in the turn.
        step: u32,
        /// What happened.
        record: Step,
        /// The turn's label from here on.
        label: Label,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// The turn is answered: the reply goes to the outbox.
    Finish {
        /// The turn.
        turn: u64,
        /// How.
        end: TurnEnd,
        /// For the person.
        reply: String,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// All that is journaled of a turn.
    LoadTurn {
        /// The turn.
        turn: u64,
    },
    /// The conversation before a turn, newest last: at most so many messages and bytes.
    History {
        /// The turn.
        before_turn: u64,
        /// At most so many messages.
        messages_max: u32,
        /// At most so many bytes of text.
        bytes_max: u32,
    },
    /// Turns without an end.
    OpenTurns,
    /// The newest actions.
    ListActions {
        /// Only those with a smaller number; `None`: the newest of all.
        before: Option<u64>,
        /// At most so many.
        actions_max: u32,
    },
    /// All that is journaled of an action.
    LoadAction {
        /// Its number.
        action: u64,
    },
    /// A command that went on in the background has ended, long after its call was answered. The first end stands.
    EndBackground {
        /// Number of the action that started it.
        action: u64,
        /// What came of it.
        outcome: ToolOutcome,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// House: write a record.
    Put {
        /// For example `principals`.
        table: String,
        /// Which record.
        key: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// House: read a record.
    Get {
        /// The table.
        table: String,
        /// Which record.
        key: String,
    },
    /// House: remove a record.
    Remove {
        /// The table.
        table: String,
        /// Which record.
        key: String,
    },
    /// House: all records of a table, by key.
    List {
        /// The table.
        table: String,
    },
}

/// One journaled step of a turn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// The model answered.
    Completed(Completion),
    /// A tool call was decided; `action` is its number when it was admitted. Journaled before it runs.
    ToolDecided {
        /// The call.
        call: ToolCall,
        /// What the gate decided.
        decision: Decision,
        /// Number of the action, or 0.
        action: u64,
    },
    /// An admitted call has ended.
    ToolFinished {
        /// Number of the action.
        action: u64,
        /// What came of it.
        outcome: ToolOutcome,
    },
    /// A process that worked on the turn died.
    Crashed {
        /// Name of its role.
        role: String,
    },
}

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnEnd {
    /// With a reply.
    Answered,
    /// With an error that the person was told.
    Failed,
    /// Set aside because it crashed a role twice.
    Quarantined,
    /// Taken back by its sender.
    Cancelled,
}

/// What a memory instance answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FromMemory {
    /// Number of the request.
    pub request: u64,
    /// The answer.
    pub answer: Answer,
}

/// Answers, in the order of [`Ask`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To `Receive`.
    Received {
        /// The turn of this message.
        turn: u64,
        /// Whether it was known already.
        known: bool,
        /// How it ended, if it did: with the reply.
        ended: Option<(TurnEnd, String)>,
    },
    /// To `RecordStep`, `Finish`, `EndBackground`, `Put`, `Remove`: it is on the disk.
    Stored,
    /// To `LoadTurn`.
    Turn(Option<TurnRecord>),
    /// To `History`.
    Messages(Vec<Message>),
    /// To `OpenTurns`: their numbers.
    Open(Vec<u64>),
    /// To `ListActions`: newest first.
    Actions(Vec<ActionBrief>),
    /// To `LoadAction`.
    Action(Option<Box<ActionRecord>>),
    /// To `Get`.
    Value(Option<Vec<u8>>),
    /// To `List`.
    Records(Vec<(String, Vec<u8>)>),
    /// It could not be done: a full disk, a damaged database. Nothing was changed.
    Failed {
        /// Which step, which file, and the way out.
        reason: String,
    },
}

/// All that is journaled of a turn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TurnRecord {
    /// Its number.
    pub turn: u64,
    /// Where the message came from.
    pub channel: String,
    /// The channel's id of it.
    pub message_id: String,
    /// What was said.
    pub text: String,
    /// The turn's label now.
    pub label: Label,
    /// When it came, milliseconds since 1970.
    pub at_ms: u64,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// How it ended, if it did: with the reply.
    pub ended: Option<(TurnEnd, String)>,
}
