//! The executor's transactions: what a command did in its sandbox is staged, shown, committed wholly or not at all, and
//! undone.
#![forbid(unsafe_code)]

mod across;
mod again;
mod apply;
mod area;
mod beneath;
mod change;
mod check;
mod commit;
mod content;
mod counter;
mod delta;
mod diff;
mod effects;
mod error;
mod expire;
mod freeze;
mod keep;
mod kept_links;
mod labels;
mod layer;
mod limits;
mod links;
mod look;
mod node;
mod parents;
mod plan;
mod planner;
mod point;
mod preview;
mod record;
mod recover;
mod remembered;
mod roots;
mod seal;
mod since;
mod stage;
mod store;
mod take_back;
mod tidy;
mod torn;
mod undo;
mod want;

pub use area::{Area, Hook, Recovered, State};
pub use change::Change;
pub use commit::Committed;
pub use effects::{ChangeKind, Effect, Effects, NodeKind, Side};
pub use error::{
    AreaError, CommitError, Conflict, ConflictKind, ExportError, Failed, FreezeError, StageError, UndoError, shown,
};
pub use freeze::{Freezing, Thawing};
pub use layer::export::{Exported, export, export_beside};
pub use limits::{Frozen, Limits};
pub use point::Point;
pub use roots::{DIRECTORIES, STAGING};
pub use seal::Key;
pub use since::Since;
pub use undo::Undo;
