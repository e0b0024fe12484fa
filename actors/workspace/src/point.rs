//! The points of a commit at which a crash is tried.

/// A moment between two steps of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The workspace was found to be what it was at `stage`, and old content is in the undo store.
    Kept,
    /// Everything that redoing takes is on the disk, and nothing says yet that it is to be done.
    Prepared,
    /// The journal says that it is to be done. From here on the commit is finished, whatever happens.
    Journaled,
    /// So many steps are done.
    Step(usize),
    /// All steps are done, and directories have their permissions and times.
    Applied,
    /// All that is on the disk.
    Synced,
    /// Labels are those that it leaves.
    Labelled,
    /// The action's record says that it is committed.
    Recorded,
    /// The journal is gone.
    Closed,
    /// What the commit replaced is gone from the staging directory.
    Cleaned,
}
