//! Why the tree could not be looked at: step, object, way out.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Other accounts' entries in /proc are closed to anybody but root.
    #[error(
        "chela audit reads what /proc says about processes of other accounts, which takes root. Run it again with sudo"
    )]
    NotRoot,
    /// No chelad on this root.
    #[error(
        "no chelad runs on {}: its lock {} {problem}. Start it (./x run, or systemctl start chelad), or name another root with --root",
        root.display(),
        lock.display()
    )]
    NotRunning {
        /// The root directory.
        root: PathBuf,
        /// The lock.
        lock: PathBuf,
        /// What is the matter with it.
        problem: String,
    },
    /// A system call on a file failed.
    #[error("{step} {}: {error}", object.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        object: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The kernel's list of Unix sockets could not be had.
    #[error("asking the kernel for its Unix sockets: {0}. Is the module unix_diag there? Try: modprobe unix_diag")]
    Sockets(String),
    /// The root's setup is not whole.
    #[error("{0}")]
    Setup(#[from] crate::setup::SetupError),
}

impl AuditError {
    /// An error of the system on a file.
    pub fn io(step: &'static str, object: &Path, error: io::Error) -> AuditError {
        AuditError::Io { step, object: object.to_path_buf(), error }
    }
}
