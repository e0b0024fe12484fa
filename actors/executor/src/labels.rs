//! What a call could read: the join of the labels of it.

use schema::label::{Confidentiality, Integrity, Label};
use schema::tool::Admitted;
use workspace::{Area, AreaError};

/// The join of the labels of all that a call can read, as the workspace is now.
pub fn reads(area: &Area, call: &Admitted) -> Label {
    known(match call {
        Admitted::RunCommand { paths, .. } if paths.is_empty() => area.label_of_all(),
        Admitted::RunCommand { paths, .. } => {
            let labels = paths.iter().map(|path| area.label_below(below(path)));
            labels.into_iter().try_fold(Label::OWN, |all, one| Ok(all.join(one?)))
        }
        Admitted::ReadFile { path, .. } | Admitted::GetFile { path, .. } | Admitted::EditFile { path, .. } => {
            area.label_read(below(path))
        }
        Admitted::SearchFiles { path, .. } | Admitted::ListFiles { path, recursive: true } => {
            area.label_read_below(below(path))
        }
        Admitted::ListFiles { path, recursive: false } => area.label_read_in(below(path)),
        // It shows nothing of it, but puts it where others may run it.
        Admitted::Move { from, .. } => area.label_below(below(from)),
        // What it says of files is of the call itself, or that something is there.
        Admitted::WriteFile { .. }
        | Admitted::PutFile { .. }
        | Admitted::Delete { .. }
        | Admitted::MakeDirectory { .. }
        // It names what is in its way only where it fails.
        | Admitted::Undo { .. }
        // What such a command reads is kept beside it.
        | Admitted::Start { .. }
        | Admitted::Poll { .. }
        | Admitted::Input { .. }
        | Admitted::Stop { .. } => Ok(Label::NOTHING),
    })
}

/// The join of the labels of all directories that were added.
pub fn directories(area: &Area) -> Label {
    known(area.label_of_directories())
}

/// The join of all labels.
pub fn all(area: &Area) -> Label {
    known(area.label_of_all())
}

/// A label that can't be read may be any.
fn known(label: Result<Label, AreaError>) -> Label {
    label.unwrap_or_else(|error| {
        tracing::error!("{error}: what is read counts as untrusted and secret");
        Label { integrity: Integrity::Untrusted, confidentiality: Confidentiality::Secret }
    })
}

/// The gate says `.` for the workspace.
fn below(path: &str) -> &[u8] {
    if path == "." { b"" } else { path.as_bytes() }
}
