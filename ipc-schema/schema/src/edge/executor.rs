//! Gate and executor: admitted calls of one principal.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::effects::Standing;
use crate::label::Label;
use crate::limits::EXECUTOR_FRAME_BYTES;
use crate::tool::{Admitted, ToolOutcome};
use crate::undo::UndoPreview;

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
    /// Rehearse this in a fresh sandbox: what it changes is staged, and nothing of it real before `Settle`. An action number
    /// is carried out once: a repeated one returns the first result.
    Run {
        /// Number of the action, never used twice.
        action: u64,
        /// What.
        call: Admitted,
        /// Of the turn that asks.
        label: Label,
    },
    /// What it changes is to become real, wholly, or to be forgotten. Said again, it is answered again: by `Settled`, or by
    /// `Again` where it can't become real any more as it was shown.
    Settle {
        /// Number of the action.
        action: u64,
        /// To become real.
        commit: bool,
        /// The label of what it writes, which is committed with it.
        label: Label,
    },
    /// What would taking an action back do? Nothing is changed.
    PreviewUndo {
        /// Returned with the answer.
        request: u64,
        /// Number of the action to take back.
        action: u64,
    },
    /// A part of a file that a `put_file` will write.
    Upload {
        /// Returned with the answer.
        request: u64,
        /// Number of the file.
        upload: u64,
        /// The part's first byte.
        offset: u64,
        /// The part.
        bytes: Vec<u8>,
    },
    /// Kill it if it still runs; `Finished` follows.
    Cancel {
        /// Number of the action.
        action: u64,
    },
    /// Nobody knows of this command in the background: it is to be stopped, and nothing of it kept. Not answered.
    Forget {
        /// Number of the action that started it.
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
    /// The workspace was changed meanwhile, so it is rehearsed again: what was shown of it counts no more, and another
    /// `Finished` follows.
    Again {
        /// Number of the action.
        action: u64,
    },
    /// It has ended; every process of it is gone.
    Finished {
        /// Number of the action.
        action: u64,
        /// What came of it.
        outcome: ToolOutcome,
    },
    /// What became of what it changes.
    Settled {
        /// Number of the action.
        action: u64,
        /// Never `Staged`.
        standing: Standing,
    },
    /// The answer to `PreviewUndo`.
    UndoPreviewed {
        /// Number of the request.
        request: u64,
        /// What it would do.
        preview: UndoPreview,
    },
    /// The answer to `Upload`.
    Uploaded {
        /// Number of the request.
        request: u64,
        /// How much of the file is there, or in words why the part is not.
        held: Result<u64, String>,
    },
    /// A command runs in the background: said before its `Finished`, and first on each new edge.
    Background {
        /// Number of the action that started it.
        action: u64,
    },
    /// A command in the background has ended. What it changes is staged and waits for `Settle`, or nothing is; said
    /// again on a new edge until it is settled.
    Ended {
        /// Number of the action that started it.
        action: u64,
        /// What came of it, without its output.
        outcome: ToolOutcome,
    },
}
