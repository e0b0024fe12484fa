//! Gate and brain. A brain is given one turn, asks for completions and tools, and replies once.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::limits::BRAIN_FRAME_BYTES;
use crate::talk::{CallMode, Completion, Message};
use crate::tool::{Decision, ToolCall, ToolOutcome, ToolSpec};

/// The edge's type.
pub enum BrainWire {}

impl Wire for BrainWire {
    type Down = ToBrain;
    type Up = FromBrain;
    const NAME: &'static str = "brain";
    const LIMIT_BYTES: usize = BRAIN_FRAME_BYTES;
}

/// What a brain is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToBrain {
    /// The turn; once, first. Finished steps of a resumed turn are history in `messages`.
    StartTurn {
        /// Standing instructions, history and the new message, oldest first.
        messages: Vec<Message>,
        /// Tools the model may ask for.
        tools: Vec<ToolSpec>,
        /// Completions and tool calls that are left to this turn.
        steps_left: u32,
    },
    /// A completion that was asked for.
    CompletionFinished {
        /// The number of the request.
        request: u32,
        /// What the model answered.
        completion: Completion,
    },
    /// A completion that could not be had.
    CompletionFailed {
        /// The number of the request.
        request: u32,
        /// Why, in words for the person.
        reason: String,
    },
    /// A tool call that was admitted and has ended.
    ToolFinished {
        /// The number of the request.
        request: u32,
        /// What came of it.
        outcome: ToolOutcome,
    },
    /// A tool call that was not admitted.
    ToolRefused {
        /// The number of the request.
        request: u32,
        /// What the gate decided and why.
        decision: Decision,
    },
}

/// What a brain asks. One request is open at a time; numbers count up from 0.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromBrain {
    /// A completion over these messages.
    RequestCompletion {
        /// Number of the request.
        request: u32,
        /// The whole context.
        messages: Vec<Message>,
        /// Whether a call is wanted.
        call: CallMode,
        /// Whether the person should see the text as it is written.
        streamed: bool,
    },
    /// A tool call.
    RequestTool {
        /// Number of the request.
        request: u32,
        /// The call.
        call: ToolCall,
    },
    /// The reply; once, last.
    Reply {
        /// For the person.
        text: String,
    },
}
