//! Gate and `chela`, over the local socket. Who is there is the kernel's word, never the client's.

use serde::{Deserialize, Serialize};

use super::control::{InstanceState, Place};
use super::memory::TurnEnd;
use super::{ProbeResult, Wire};
use crate::actions::{ActionBrief, ActionRecord};
use crate::limits::LOCAL_FRAME_BYTES;
use crate::policy::PolicyState;

use crate::talk::Usage;
use crate::tool::{Decision, ToolCall, ToolOutcome};
use crate::undo::UndoPreview;

/// The edge's type.
pub enum LocalWire {}

impl Wire for LocalWire {
    type Down = ToClient;
    type Up = FromClient;
    const NAME: &'static str = "local";
    const LIMIT_BYTES: usize = LOCAL_FRAME_BYTES;
}

/// What a local client asks. One request is open at a time on a connection, `Cancel` excepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromClient {
    /// One turn. Asked again with the same id, it is the same turn and is answered once.
    Ask {
        /// Made by the client, unique.
        message_id: String,
        /// On whose behalf; `None` is whoever the kernel says is there.
        principal: Option<String>,
        /// The message.
        text: String,
    },
    /// One tool call without a model.
    Tool {
        /// On whose behalf.
        principal: Option<String>,
        /// The call.
        call: ToolCall,
        /// A call with a key already used returns the first one's result.
        key: Option<String>,
        /// Treat it as coming from a tainted turn.
        untrusted: bool,
    },
    /// A part of a file that a `put_file` will write; each follows the one before.
    Upload {
        /// Whose.
        principal: Option<String>,
        /// Number of the file, made by the client, unique.
        upload: u64,
        /// The part's first byte.
        offset: u64,
        /// The part.
        bytes: Vec<u8>,
    },
    /// Stop the request that is open.
    Cancel,
    /// How is everything?
    Status,
    /// Ask every role to try its forbidden file (the owner and root only).
    Probe,
    /// Entries of the audit log (the owner and root only).
    ReadLog {
        /// Sequence number of the first.
        from: u64,
        /// At most so many.
        entries_max: u32,
    },
    /// The newest actions of a principal.
    ListActions {
        /// Whose.
        principal: Option<String>,
        /// Only those with a smaller number; `None`: the newest of all.
        before: Option<u64>,
        /// At most so many.
        actions_max: u32,
    },
    /// What would taking an action back do? Nothing is changed.
    PreviewUndo {
        /// Whose.
        principal: Option<String>,
        /// Its number.
        action: u64,
    },
    /// What would be decided of a call, and why? Nothing is changed.
    Explain {
        /// On whose behalf.
        principal: Option<String>,
        /// The call.
        call: ToolCall,
        /// As from a tainted turn.
        untrusted: bool,
    },
    /// Which policies are in force?
    ShowPolicy,
    /// All that is journaled of an action.
    ShowAction {
        /// Whose.
        principal: Option<String>,
        /// Its number.
        action: u64,
    },
}

/// What a local client is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToClient {
    /// More of the reply.
    Text(String),
    /// A tool call of this turn was decided.
    ToolDecided {
        /// Number of the action, or 0 when it was not admitted.
        action: u64,
        /// The call.
        call: ToolCall,
        /// What the gate decided.
        decision: Decision,
    },
    /// Output of a running tool.
    ToolOutput {
        /// Number of the action.
        action: u64,
        /// From standard error rather than standard output.
        from_stderr: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The turn is over.
    Replied(Reply),
    /// The answer to `Tool`.
    ToolReport {
        /// Number of the action, or 0 when it was not admitted.
        action: u64,
        /// What the gate decided.
        decision: Decision,
        /// What came of it, if it ran.
        outcome: Option<ToolOutcome>,
    },
    /// The answer to `Upload`.
    Uploaded {
        /// How much of the file is there.
        bytes: u64,
    },
    /// The answer to `Status`.
    Status(Status),
    /// The answer to `Probe`.
    Probed(Vec<(Place, ProbeResult)>),
    /// The answer to `ReadLog`: one JSON text an entry, oldest first.
    Log(Vec<String>),
    /// The answer to `ListActions`: newest first. One that is not full is the last.
    Actions(Vec<ActionBrief>),
    /// The answer to `PreviewUndo`.
    UndoPreviewed {
        /// Number of the action.
        action: u64,
        /// What it would do.
        preview: UndoPreview,
    },
    /// The answer to `Explain`.
    Explained(Decision),
    /// The answer to `ShowPolicy`.
    Policy(PolicyState),
    /// The answer to `ShowAction`.
    Action {
        /// Whose.
        principal: String,
        /// All of it.
        record: Box<ActionRecord>,
    },
    /// The request is refused or failed.
    Failed {
        /// Which step, which object, and the way out.
        reason: String,
        /// Refused by a rule rather than failed.
        refused: bool,
    },
}

/// A finished turn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// For the person.
    pub text: String,
    /// How it ended.
    pub end: TurnEnd,
    /// Number of the turn.
    pub turn: u64,
    /// Numbers of its actions.
    pub actions: Vec<u64>,
    /// What its completions cost.
    pub usage: Usage,
    /// All the time from message to reply that was not the model's, microseconds.
    pub overhead_us: u64,
}

/// How everything is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Every instance that runs or should run.
    pub instances: Vec<InstanceState>,
    /// Turns in flight.
    pub turns_open: u32,
    /// Turns that wait for a brain.
    pub turns_waiting: u32,
    /// Turns set aside.
    pub turns_quarantined: u32,
    /// Sequence number of the newest audit entry.
    pub audit_entries: u64,
}
