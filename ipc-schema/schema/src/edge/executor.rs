//! Gate and executor: admitted calls of one principal.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::limits::EXECUTOR_FRAME_BYTES;
use crate::tool::{Admitted, ToolOutcome};

/// The edge's type.
pub enum ExecutorWire {}

impl Wire for ExecutorWire {
    type Down = ToExecutor;
    type Up = FromExecutor;
    const NAME: &'static str = "executor";
    const LIMIT_BYTES: usize = EXECUTOR_FRAME_BYTES;
}

/// What an executor is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToExecutor {
    /// Carry this out in a fresh sandbox. An action number is carried out once: a repeated one returns the first result.
    Run {
        /// Number of the action, never used twice.
        action: u64,
        /// What.
        call: Admitted,
    },
    /// Kill it if it still runs; `Finished` follows.
    Cancel {
        /// Number of the action.
        action: u64,
    },
}

/// What an executor says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromExecutor {
    /// Output as it comes, for the person who waits.
    Output {
        /// Number of the action.
        action: u64,
        /// From standard error rather than standard output.
        from_stderr: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It has ended; every process of it is gone.
    Finished {
        /// Number of the action.
        action: u64,
        /// What came of it.
        outcome: ToolOutcome,
    },
}
