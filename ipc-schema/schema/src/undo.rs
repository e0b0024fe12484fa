//! What taking an action back would do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::effects::Effects;

/// What `undo` of an action would do now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum UndoPreview {
    /// This.
    Would(Effects),
    /// Nothing: what the action changed was changed again.
    Conflicts {
        /// Each path.
        list: Vec<UndoConflict>,
        /// Conflicts beyond those listed.
        more: u64,
    },
    /// Nothing, and why in words for a person, with the way out.
    Cannot(String),
}

/// A path that is not what the action left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UndoConflict {
    /// From the workspace; bytes that are no UTF-8, and control characters, are escaped.
    pub path: String,
    /// What is the matter.
    pub why: ConflictWhy,
    /// The later action that changed it; `None`: nobody through Chela, as far as is known.
    pub by: Option<u64>,
}

/// What is the matter with a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictWhy {
    /// Its kind, content or mode is another.
    Changed,
    /// It is there again.
    Appeared,
    /// It is not there any more.
    Vanished,
}

impl fmt::Display for UndoConflict {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            ConflictWhy::Changed => "was changed since",
            ConflictWhy::Appeared => "is there again",
            ConflictWhy::Vanished => "is not there any more",
        };
        write!(to, "{} {why}", self.path)?;
        match self.by {
            Some(by) => write!(to, ", by action {by}"),
            None => write!(to, ", by hand or by an action that is not known any more"),
        }
    }
}
