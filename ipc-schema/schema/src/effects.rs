//! What an action did to its principal's workspace, as it was seen before anything of it became real.

use serde::{Deserialize, Serialize};

/// Everything that an action changes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Effects {
    /// Each file, directory or link that is created, changed or deleted, by path.
    pub list: Vec<Effect>,
    /// Effects beyond those listed.
    pub more: u64,
    /// Deletions among those.
    #[serde(default)]
    pub more_deleted: u64,
    /// Bytes of new content.
    pub bytes_written: u64,
    /// Whether it can be taken back.
    pub undoable: bool,
    /// Whom it tried to reach, which nobody can from a sandbox.
    #[serde(default)]
    pub hosts: Box<Hosts>,
}

/// Whom an action tried to reach.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hosts {
    /// Each a name, or a name or address with port and protocol.
    pub list: Vec<String>,
    /// Hosts beyond those listed.
    pub more: u64,
}

impl Effects {
    /// Roughly what they hold in memory: their texts.
    pub fn weight_bytes(&self) -> usize {
        let one =
            |effect: &Effect| size_of::<Effect>() + effect.path.len() + effect.diff.as_ref().map_or(0, String::len);
        self.list.iter().map(one).sum()
    }

    /// Nothing is changed, whomever it tried to reach.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.more == 0
    }
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Effect {
    /// From the workspace; bytes that are no UTF-8, and control characters, are escaped.
    pub path: String,
    /// What happens to it.
    pub change: Change,
    /// What it is, after the action where it still is.
    pub kind: Kind,
    /// What it was.
    pub before: Option<Side>,
    /// What it will be.
    pub after: Option<Side>,
    /// For text within the limits: a unified diff.
    pub diff: Option<String>,
    /// Its content, before or after, was looked at and is no text.
    #[serde(default)]
    pub binary: bool,
    /// Where a symbolic link leads, escaped as a path is; after the action where it still is.
    #[serde(default)]
    pub target: Option<String>,
}

/// What happens to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there.
    Created,
    /// Its content, mode, attributes or kind.
    Changed,
    /// It will not be there.
    Deleted,
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A node before or after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Side {
    /// Length in bytes; of a link: its target's.
    pub bytes: u64,
    /// Permissions.
    pub mode: u32,
    /// SHA-256 of the content; of a link: of its target; of a directory: zeros.
    pub digest: [u8; 32],
}

/// What became of what an action changes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Standing {
    /// It changes nothing.
    #[default]
    Nothing,
    /// Rehearsed and shown; nothing of it is real yet.
    Staged,
    /// All of it is real.
    Committed,
    /// None of it is real, and why.
    Discarded {
        /// Why, in words for a person.
        reason: String,
    },
}
