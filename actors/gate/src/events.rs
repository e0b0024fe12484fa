//! What reaches a turn from outside, each with the number by which the turn knows whether it is still meant.

use schema::edge::brain::FromBrain;
use schema::talk::Completion;
use schema::tool::ToolOutcome;

/// Something that happened to a turn.
#[derive(Debug)]
pub enum TurnEvent {
    /// Its brain said something.
    Brain {
        /// Number of the brain's start.
        number: u64,
        /// What.
        said: FromBrain,
    },
    /// Its brain is gone.
    BrainGone {
        /// Number of the brain's start.
        number: u64,
    },
    /// Its completion.
    Model {
        /// Number of the request.
        request: u64,
        /// What.
        said: ModelSaid,
    },
    /// Its tool call.
    Tool {
        /// Number of the action.
        action: u64,
        /// What.
        said: ToolSaid,
    },
    /// Somebody who may took it back.
    Cancel,
}

/// What becomes of a completion.
#[derive(Debug)]
pub enum ModelSaid {
    /// More text.
    Token(String),
    /// All of it.
    Completed(Completion),
    /// It can't be had.
    Failed(String),
    /// The model died on it.
    Gone,
}

/// What becomes of a tool call.
#[derive(Debug)]
pub enum ToolSaid {
    /// Output as it comes.
    Output {
        /// From standard error.
        from_stderr: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It has ended.
    Ended(Box<ToolOutcome>),
    /// The executor died while it ran.
    Gone,
}
