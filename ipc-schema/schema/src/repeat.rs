//! Calls that may be carried out again, and those that may not.

use crate::tool::Admitted;

/// Whether a call may be carried out again when nobody knows how far it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// It was only rehearsed: nothing of it is real before it is settled, and that is known.
    Freely,
    /// Something may have left the machine, or it was begun and went on by itself: a person decides.
    Never,
}

impl Admitted {
    /// Whether this call may be carried out again.
    pub fn repeat(&self) -> Repeat {
        match self {
            Admitted::RunCommand { .. }
            | Admitted::ReadFile { .. }
            | Admitted::GetFile { .. }
            | Admitted::SearchFiles { .. }
            | Admitted::WriteFile { .. }
            | Admitted::PutFile { .. }
            | Admitted::EditFile { .. }
            | Admitted::Move { .. }
            | Admitted::Delete { .. }
            | Admitted::MakeDirectory { .. }
            | Admitted::Undo { .. }
            | Admitted::Poll { .. }
            | Admitted::Stop { .. }
            | Admitted::ListFiles { .. } => Repeat::Freely,
            // What was begun or written went into a process that nobody can ask any more.
            Admitted::Start { .. } | Admitted::Input { .. } => Repeat::Never,
        }
    }
}
