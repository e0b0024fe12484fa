//! File tools, inside a sandbox, on the workspace. Links are never followed out of it: openat2 refuses to leave the
//! directory it starts from, a ruleset of Landlock leaves nothing else to open, and there is nothing to reach out there.
//!
//! These are the tools that look into files, whose content is anybody's. The tools that only give and take names
//! ([`crate::names`]) need no sandbox.

use std::io::{self, Write};

use nix::errno::Errno;
use schema::tool::{Admitted, Edit};

mod beneath;
mod diff;
mod edit;
mod found;
mod list;
mod read;
mod search;
mod shown;
mod write;

pub use beneath::NO_LINKS;

/// Why a file tool did not do what it was asked, in words for a person.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A step on an object failed.
    #[error("could not {step} {object}: {}", explain(*.errno))]
    Step {
        /// What was tried.
        step: &'static str,
        /// On what.
        object: String,
        /// The error.
        errno: Errno,
    },
    /// It is not what the tool needs.
    #[error("{object} is {is}, not {wanted}")]
    Kind {
        /// What.
        object: String,
        /// What it is.
        is: &'static str,
        /// What was needed.
        wanted: &'static str,
    },
    /// It is too large.
    #[error("{object} has {size} bytes, more than {limit}: use run_command with {instead}")]
    TooLarge {
        /// What.
        object: String,
        /// Its size in bytes.
        size: u64,
        /// How many there may be.
        limit: u64,
        /// What else does it.
        instead: &'static str,
    },
    /// What was asked for does not fit what is there.
    #[error("{object} was not {verb}: {why}")]
    Fit {
        /// What.
        object: String,
        /// What was to be done with it.
        verb: &'static str,
        /// Why, and the way out.
        why: String,
    },
    /// A pattern that is none.
    #[error("the {what} can't be used: {why}")]
    Pattern {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
}

fn explain(errno: Errno) -> String {
    match errno {
        Errno::EXDEV => "the path leads out of the workspace".to_owned(),
        Errno::ELOOP => "there is a symbolic link on the way, which is not followed".to_owned(),
        other => io::Error::from(other).to_string(),
    }
}

fn failed(step: &'static str, object: &str) -> impl Fn(Errno) -> FileError {
    let object = object.escape_default().to_string();
    move |errno| FileError::Step { step, object: object.clone(), errno }
}

fn failed_io(step: &'static str, object: &str) -> impl Fn(io::Error) -> FileError {
    let failed = failed(step, object);
    move |error| failed(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// Carries out a file tool and returns the exit status; an error goes to standard error.
pub fn run(call: &Admitted) -> i32 {
    match carry_out(call) {
        Ok(()) => 0,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            1
        }
    }
}

fn carry_out(call: &Admitted) -> Result<(), FileError> {
    match call {
        Admitted::ReadFile { path, offset, limit } => read::read(path, *offset, *limit),
        Admitted::GetFile { path, offset } => read::part(path, *offset),
        Admitted::SearchFiles { path, what } => search::search(path, what),
        Admitted::ListFiles { path, recursive } => list::list(path, *recursive),
        Admitted::WriteFile { path, content } => write::write(path, content),
        Admitted::EditFile { path, edit: Edit::Replace { old, new, all } } => {
            edit::edit(path, |text| edit::replace(text, old.as_bytes(), new.as_bytes(), *all))
        }
        Admitted::EditFile { path, edit: Edit::Diff(diff) } => {
            edit::edit(path, |text| diff::apply(text, diff.as_bytes()))
        }
        Admitted::RunCommand { .. }
        | Admitted::Move { .. }
        | Admitted::Delete { .. }
        | Admitted::MakeDirectory { .. }
        | Admitted::PutFile { .. }
        | Admitted::Undo { .. }
        | Admitted::Start { .. }
        | Admitted::Poll { .. }
        | Admitted::Input { .. }
        | Admitted::Stop { .. } => Err(failed("carry out as a file tool", "the call")(Errno::EINVAL)),
    }
}
