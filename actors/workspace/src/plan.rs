//! What a staged action will do: the nodes it changes, and the steps that change them.
//!
//! A step moves a node that is complete already between the staging directory and the workspace, so each can be done
//! again after a crash, and taken back.

use schema::label::Label;
use serde::{Deserialize, Serialize};

use crate::effects::Effects;
use crate::labels::Relabel;
use crate::node::{Image, Meta};

/// A node in an action's staging directory: its name is this number.
pub type Slot = u64;

/// Everything about a staged action.
#[derive(Debug, Default)]
pub struct Plan {
    /// The action that this one takes back.
    pub undo_of: Option<u64>,
    /// How often the workspace had been committed to when the rehearsal began.
    pub since: u64,
    /// Each node that is created, changed or deleted, parents before what is in them.
    pub deltas: Vec<Delta>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Directories whose names or permissions change, parents before what is in them.
    pub touched: Vec<Touched>,
    /// Files that staging has linked to: they must be the same still.
    pub relied_on: Vec<(Vec<u8>, Image)>,
    /// The same of names that the undo store has, in the directory of the action that this one takes back.
    pub relied_links: Vec<(u64, Image)>,
    /// Labels that paths bring along: from the names that they had, or from the time that an undo goes back to.
    pub brings: Vec<(Vec<u8>, Label)>,
    /// Labels that it changes, or would have to bring back; known once the action has a label.
    pub relabels: Vec<Relabel>,
    /// What it does in other directories, by name. These have neither effects nor others of their own.
    pub others: Vec<(Vec<u8>, Plan)>,
    /// As shown.
    pub effects: Effects,
    /// The first slot that is free.
    pub next_slot: Slot,
}

/// A node that is created, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// From the workspace.
    pub path: Vec<u8>,
    /// What it was.
    pub before: Option<Image>,
    /// What it will be. Its inode number means nothing.
    pub after: Option<Image>,
    /// The file stays the same file, under all its names.
    pub in_place: bool,
}

/// One step of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The node in the workspace.
    pub path: Vec<u8>,
    /// What is done to it.
    pub op: Op,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The slot's node gets the name, which nothing had.
    Create {
        /// Empty afterwards.
        slot: Slot,
    },
    /// The slot's node and the name's change places.
    Replace {
        /// Holds what was replaced afterwards.
        slot: Slot,
        /// The new node, to tell one from the other after a crash.
        inode: u64,
        /// The permissions of what is replaced, where that is a directory: it may have to be writable to be moved.
        dir_mode: Option<u32>,
    },
    /// The name's node goes into the slot.
    Delete {
        /// Empty before.
        slot: Slot,
        /// As for what is replaced.
        dir_mode: Option<u32>,
    },
    /// A file of several names is written in place.
    Overwrite {
        /// A further name of it, so that it is found whatever the other steps do to the names it has.
        target: Slot,
        /// The new content.
        content: Slot,
        /// A copy of the old content, made before the first step.
        backup: Slot,
        /// What it gets with it.
        after: Meta,
        /// What it had.
        before: Meta,
    },
    /// A file's permissions or attributes.
    Meta {
        /// What it gets.
        after: Meta,
        /// What it had.
        before: Meta,
    },
}

/// A directory whose names or permissions change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// From the workspace; empty: the workspace itself.
    pub path: Vec<u8>,
    /// What it had; `None` for one that the action makes.
    pub before: Option<Meta>,
    /// What it will have. For a directory that is only changed by what is in it, a time that says so.
    pub after: Meta,
}
