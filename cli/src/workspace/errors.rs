//! What can go wrong in `chela workspace`: step, object, way out.

use std::io;
use std::path::{Path, PathBuf};

use crate::setup::SetupError;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// Not root.
    #[error("it hands directories to another account, which takes root: run it again with sudo")]
    NotRoot,
    /// A file could not be used.
    #[error("{step}: {}: {error}", object.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        object: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The root's own files.
    #[error("{0}")]
    Setup(#[from] SetupError),
    /// Nobody of that name.
    #[error("there is no principal {wanted:?}: so far there is the owner, {owner:?}")]
    NoPrincipal {
        /// Who was named.
        wanted: String,
        /// Who there is.
        owner: String,
    },
    /// The directory can't be one.
    #[error("{} can't be added: {why}", directory.display())]
    Refused {
        /// Which.
        directory: PathBuf,
        /// Why, and the way out.
        why: String,
    },
    /// The name can't be one.
    #[error("{name:?} can't be its name inside: {why}; name it with --name NAME")]
    Name {
        /// Which.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// Too many.
    #[error("{limit} directories are added, and more can't be: take one away with `chela workspace remove NAME`")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// None of that name.
    #[error("no directory {name:?} was added: see `chela workspace list`")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl WorkspaceError {
    /// An error of the system on a file.
    pub fn io(step: &'static str, object: &Path, error: io::Error) -> WorkspaceError {
        WorkspaceError::Io { step, object: object.to_path_buf(), error }
    }
}
