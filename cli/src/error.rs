//! What a command can fail with, and the exit status of each: 1 refused or failed, 2 usage, 4 no service.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::screen::harmless;

/// Exit status of a call that waits for an approval.
pub const WAITS: u8 = 3;

/// Why a command did not work; says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Nobody answers on the socket.
    #[error(
        "can't reach Chela at {}: {why}\n  Start it with: chelad --root {}   (or systemctl start chelad), or name the \
         right directory with --root DIR",
        socket.display(), root.display()
    )]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// The root directory.
        root: PathBuf,
        /// What happened.
        why: String,
    },
    /// The connection broke, and could not be made again in time.
    #[error(
        "lost Chela at {}: {why}\n  See how it is with: chela status.  The request is safe: made again, it is done once",
        socket.display()
    )]
    Lost {
        /// The socket.
        socket: PathBuf,
        /// What happened.
        why: String,
    },
    /// Something is there, but it does not speak our schema.
    #[error("what answers at {} is not of this release: {why}\n  Install chela and chelad from one build", socket.display())]
    Stranger {
        /// The socket.
        socket: PathBuf,
        /// What it did.
        why: String,
    },
    /// The gate refused or failed.
    #[error("{reason}")]
    Gate {
        /// Which step, which object, and the way out.
        reason: String,
        /// Refused by a rule rather than failed.
        refused: bool,
    },
    /// What the command itself was to do.
    #[error("{0}")]
    Failed(String),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Stopped from the keyboard.
    #[error("stopped")]
    Stopped,
    /// A file, the terminal or the system's random source.
    #[error("{step}: {object}: {source}{hint}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// With what.
        object: String,
        /// The system's word.
        source: io::Error,
        /// What to do about it; empty, or begins with its own punctuation.
        hint: &'static str,
    },
}

impl CliError {
    /// An error of the system.
    pub fn io(step: &'static str, object: impl Into<String>, source: io::Error) -> CliError {
        CliError::Io { step, object: object.into(), source, hint: "" }
    }

    fn status(&self) -> u8 {
        match self {
            CliError::Gate { .. }
            | CliError::Failed(_)
            | CliError::Stopped
            | CliError::Io { .. }
            | CliError::Stranger { .. } => 1,
            CliError::Usage(_) => 2,
            CliError::Unreachable { .. } | CliError::Lost { .. } => 4,
        }
    }
}

/// The end of a command: prints what went wrong, in the form that was asked for.
pub fn finish(command: &str, json: bool, result: Result<ExitCode, CliError>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            let refused = matches!(error, CliError::Gate { refused: true, .. });
            if json {
                println!("{}", serde_json::json!({ "error": error.to_string(), "refused": refused }));
            }
            eprintln!("chela {command}: {}", harmless(&error.to_string()));
            ExitCode::from(error.status())
        }
    }
}
