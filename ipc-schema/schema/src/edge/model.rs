//! Gate and model: completions of one principal's turns.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::limits::MODEL_FRAME_BYTES;
use crate::talk::{CallMode, Completion, Message};
use crate::tool::ToolSpec;

/// The edge's type.
pub enum ModelWire {}

impl Wire for ModelWire {
    type Down = ToModel;
    type Up = FromModel;
    const NAME: &'static str = "model";
    const LIMIT_BYTES: usize = MODEL_FRAME_BYTES;
}

/// What a model is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToModel {
    /// Complete this conversation.
    Complete {
        /// Number of the request.
        request: u64,
        /// The conversation, oldest first.
        messages: Vec<Message>,
        /// Tools it may call.
        tools: Vec<ToolSpec>,
        /// Whether it may or must.
        call: CallMode,
        /// Largest number of tokens to write.
        tokens_max: u32,
    },
    /// Stop that completion; `Completed` with what there is follows.
    Cancel {
        /// Number of the request.
        request: u64,
    },
}

/// What a model says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromModel {
    /// More text, whole characters; never part of a tool call.
    Token {
        /// Number of the request.
        request: u64,
        /// The text.
        text: String,
    },
    /// It is done.
    Completed {
        /// Number of the request.
        request: u64,
        /// All of it.
        completion: Completion,
    },
    /// It could not be done.
    Failed {
        /// Number of the request.
        request: u64,
        /// Why, in words for the person.
        reason: String,
    },
}
