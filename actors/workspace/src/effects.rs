//! What an action does to the workspace, in the terms a person decides on.

use serde::{Deserialize, Serialize};

/// What an action does, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Each node that is created, changed or deleted, by path.
    pub list: Vec<Effect>,
    /// Effects beyond those listed.
    pub more: u64,
    /// Deletions among those.
    pub more_deleted: u64,
    /// Bytes of new content.
    pub bytes_written: u64,
    /// Whether the undo store can hold what it takes to take this back.
    pub undoable: bool,
}

impl Effects {
    /// Nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.more == 0
    }
}

/// One node that an action creates, changes or deletes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// From the workspace, without a slash in front; any bytes but zero.
    pub path: Vec<u8>,
    /// What happens to it.
    pub change: ChangeKind,
    /// What it is, after the action where it still is.
    pub what: NodeKind,
    /// What it was.
    pub before: Option<Side>,
    /// What it will be.
    pub after: Option<Side>,
    /// Other names of the same file, which show the same change.
    pub other_names: u64,
    /// For text within the limits: a unified diff.
    pub diff: Option<String>,
    /// Its content, before or after, was looked at and is no text.
    pub binary: bool,
    /// Where a symbolic link leads, after the action where it still is.
    pub target: Option<Vec<u8>>,
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was not there.
    Created,
    /// Its content, mode, attributes or kind.
    Changed,
    /// It will not be there.
    Deleted,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A node before or after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Length; of a link: its target's.
    pub bytes: u64,
    /// Permissions.
    pub mode: u32,
    /// SHA-256 of the content; of a link: of its target; of a directory: zeros.
    pub digest: [u8; 32],
}
