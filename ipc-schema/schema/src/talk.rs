//! What a conversation is made of: messages as a model reads them, and what a model answers.

use serde::{Deserialize, Serialize};

use crate::label::Label;
use crate::tool::ToolCall;

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The standing instructions, written by the gate.
    System,
    /// The person.
    User,
    /// The assistant; a tool call stands here as its JSON.
    Assistant,
    /// A tool's result.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said, UTF-8.
    pub text: String,
    /// Where it came from and who may see it.
    pub label: Label,
}

/// Whether the model may or must answer with a tool call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CallMode {
    /// Text only.
    Never,
    /// Text, or one call.
    May,
    /// One call, held to the tools' grammar.
    Must,
}

/// What a model answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Completion {
    /// The text; empty when it is a call.
    pub text: String,
    /// The tool call it asks for.
    pub call: Option<ToolCall>,
    /// Why it ended.
    pub ended: CompletionEnd,
    /// What it cost.
    pub usage: Usage,
}

/// Why a completion ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CompletionEnd {
    /// The model said that it is done.
    Done,
    /// The limit on tokens was reached.
    Length,
    /// It was cancelled.
    Cancelled,
}

/// What completions cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the context.
    pub tokens_in: u32,
    /// Of these, the ones that were not read again.
    pub tokens_cached: u32,
    /// Tokens written.
    pub tokens_out: u32,
    /// Time the model took, milliseconds.
    pub model_ms: u32,
}

impl Usage {
    /// The sum of two costs.
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            tokens_in: self.tokens_in.saturating_add(other.tokens_in),
            tokens_cached: self.tokens_cached.saturating_add(other.tokens_cached),
            tokens_out: self.tokens_out.saturating_add(other.tokens_out),
            model_ms: self.model_ms.saturating_add(other.model_ms),
        }
    }
}
