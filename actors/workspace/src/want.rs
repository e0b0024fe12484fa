//! What the workspace is to look like, where it is to change: what a layer, a tool's changes and an undo all come to
//! before they are compared with what is there.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::node::{Image, Meta, Time};
use crate::plan::Slot;

/// A path, ordered so that a directory stands right before all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreePath(pub Vec<u8>);

impl Ord for TreePath {
    fn cmp(&self, other: &TreePath) -> Ordering {
        // A slash sorts before every byte that a name can have.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(rank).cmp(other.0.iter().map(rank))
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &TreePath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is to be at each path.
pub type Wants = BTreeMap<TreePath, Want>;

/// What is to be at a path.
#[derive(Debug, Clone)]
pub enum Want {
    /// Nothing.
    Absent,
    /// A file whose content is staged.
    File(FileWant),
    /// One more name of a file that the workspace has.
    Same {
        /// A name it has.
        from: Vec<u8>,
        /// A name it has in the staging directory.
        slot: Slot,
        /// What it will be.
        image: Image,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: Vec<u8>,
        /// Its time.
        mtime: Time,
    },
    /// A directory.
    Directory {
        /// What it is to have; `None`: what it has.
        meta: Option<Meta>,
        /// Only what is wanted is to be in it.
        opaque: bool,
    },
}

/// A file whose content is staged.
#[derive(Debug, Clone)]
pub struct FileWant {
    /// Where.
    pub slot: Slot,
    /// What it is.
    pub image: Image,
    /// A file that the path names now is to stay the same file, under all its names.
    pub stays: bool,
    /// Replace even a file that is alike: names that belong together were made so.
    pub relink: bool,
    /// The time of writing alone makes a difference, too.
    pub exact: bool,
}

/// Adds the directories above each path, as they are.
pub fn add_parents(wants: &mut Wants) {
    let mut missing = BTreeMap::new();
    for path in wants.keys() {
        let mut above = path.0.as_slice();
        while let Some(at) = above.iter().rposition(|byte| *byte == b'/') {
            above = &above[..at];
            let above = TreePath(above.to_vec());
            if wants.contains_key(&above) || missing.contains_key(&above) {
                break;
            }
            missing.insert(above, Want::Directory { meta: None, opaque: false });
        }
    }
    wants.append(&mut missing);
}
