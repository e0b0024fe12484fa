//! What can go wrong: the step and the object in each.

use std::fmt;

use rustix::io::Errno;

use crate::area::State;

/// A step on an object that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What was tried.
    pub step: &'static str,
    /// On what, escaped.
    pub object: String,
    /// The kernel's answer.
    pub errno: Errno,
}

impl Failed {
    pub(crate) fn new(step: &'static str, object: &[u8], errno: Errno) -> Failed {
        Failed { step, object: shown(object), errno }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.errno {
            Errno::XDEV => "the path leads out of the workspace".to_owned(),
            Errno::LOOP => "there is a symbolic link on the way, which is not followed".to_owned(),
            Errno::NOSPC => "the disk is full".to_owned(),
            Errno::DQUOT => "the disk quota is used up".to_owned(),
            other => std::io::Error::from(other).to_string(),
        };
        write!(to, "could not {} {}: {why}", self.step, self.object)
    }
}

impl std::error::Error for Failed {}

/// A path as it may be shown: one line, nothing that a terminal obeys.
pub fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        return "the workspace".to_owned();
    }
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if c.is_control() => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Names step and object of an error.
pub(crate) trait At<T> {
    /// `object` is a path from the workspace, or a name of the store.
    fn at(self, step: &'static str, object: &[u8]) -> Result<T, Failed>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: &'static str, object: &[u8]) -> Result<T, Failed> {
        self.map_err(|errno| Failed::new(step, object, errno))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, step: &'static str, object: &[u8]) -> Result<T, Failed> {
        self.map_err(|error| Failed::new(step, object, errno_of(&error)))
    }
}

/// An error that no system call gave (a stream that ended, a codec's) counts as one of input and output.
fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The workspace or its store could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum AreaError {
    /// The kernel refused a step.
    #[error(transparent)]
    Io(#[from] Failed),
    /// The directory is gone.
    #[error(
        "the workspace was removed while it was in use; what is staged and what an undo needs are kept: make the directory again \
         and restart the service"
    )]
    Removed,
    /// Another process has it open.
    #[error("the workspace's store is in use by another process")]
    Busy,
    /// It was written with another key.
    #[error("the workspace's store was written with another key")]
    WrongKey,
    /// A file of the store is not what was written.
    #[error("{what} in the workspace's store is damaged: {why}")]
    Damaged {
        /// Which.
        what: String,
        /// How.
        why: String,
    },
    /// A directory beside the workspace can't be used.
    #[error("{directory}: {why}")]
    Unusable {
        /// Which.
        directory: String,
        /// Why, and the way out.
        why: String,
    },
    /// A commit could be neither finished nor taken back.
    #[error(
        "the commit of action {action} could be neither finished nor taken back: {why}; it is taken back as soon as that is \
         possible, and nothing else is changed before"
    )]
    Torn {
        /// Which action's.
        action: u64,
        /// Why.
        why: String,
    },
}

/// An action could not be staged; the workspace is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The kernel refused a step.
    #[error(transparent)]
    Io(#[from] Failed),
    /// The store.
    #[error(transparent)]
    Area(#[from] AreaError),
    /// There is an action of this number.
    #[error("action {0} exists already")]
    Known(u64),
    /// The layer is not one that `export` writes.
    #[error("the sandbox's layer is refused at {}: {why}", shown(.path))]
    Layer {
        /// Where.
        path: Vec<u8>,
        /// Why.
        why: String,
    },
    /// A pipe, socket or device, which can be neither shown nor undone.
    #[error("{} is {what}: only files, directories and symbolic links can be changed or kept", shown(.path))]
    Special {
        /// Where.
        path: Vec<u8>,
        /// What it is.
        what: &'static str,
    },
    /// A limit is reached.
    #[error("{what} at {}: more than the limit of {limit}", shown(.path))]
    Limit {
        /// Of what.
        what: &'static str,
        /// Where.
        path: Vec<u8>,
        /// The limit.
        limit: u64,
    },
    /// The requested change can't be made to what is there.
    #[error("{}: {why}", shown(.path))]
    Change {
        /// Where.
        path: Vec<u8>,
        /// Why not.
        why: &'static str,
    },
    /// Names of one file were each changed, to different contents; which of them counts nobody can say.
    #[error("{} are names of one file and were changed to different contents", list(.paths))]
    Split {
        /// The names.
        paths: Vec<Vec<u8>>,
    },
}

/// The workspace could not be copied for a long command.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The kernel refused a step.
    #[error(transparent)]
    Io(#[from] Failed),
    /// The store.
    #[error(transparent)]
    Area(#[from] AreaError),
    /// A limit is reached.
    #[error(
        "copying the workspace for a command in the background takes more than {limit} {what}: remove what is not \
         needed from the workspace, or use run_command, which needs no copy"
    )]
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The disk is nearly full.
    #[error(
        "copying the workspace for a command in the background would leave less than {left_bytes} bytes of the disk free"
    )]
    Room {
        /// What must be left.
        left_bytes: u64,
    },
}

/// An export could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The kernel refused a step.
    #[error(transparent)]
    Io(#[from] Failed),
    /// Who reads the stream is gone, or its disk is full.
    #[error("could not write the layer: {0}")]
    Write(#[source] std::io::Error),
    /// A pipe, socket or device, which can't be committed.
    #[error("{} is {what}: only files, directories and symbolic links can be committed", shown(.path))]
    Special {
        /// Where.
        path: Vec<u8>,
        /// What it is.
        what: &'static str,
    },
    /// A limit is reached.
    #[error("{what} at {}: more than the limit of {limit}", shown(.path))]
    Limit {
        /// Of what.
        what: &'static str,
        /// Where.
        path: Vec<u8>,
        /// The limit.
        limit: u64,
    },
}

/// A commit was not done; the workspace is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The kernel refused a step.
    #[error(transparent)]
    Io(#[from] Failed),
    /// The store.
    #[error(transparent)]
    Area(#[from] AreaError),
    /// There is nothing to commit.
    #[error("action {action} is not staged but {state:?}")]
    NotStaged {
        /// Which.
        action: u64,
        /// What it is instead.
        state: State,
    },
    /// Something else was committed since the rehearsal began, which may have changed what the action would do.
    #[error(
        "the workspace was committed to {commits} times since the rehearsal of action {action}: it must be rehearsed again"
    )]
    Outdated {
        /// Which.
        action: u64,
        /// How often.
        commits: u64,
    },
    /// The workspace is not what it was at `stage`.
    #[error("changed since the rehearsal: {}", list(.0.iter().map(|conflict| &conflict.path)))]
    Conflict(Vec<Conflict>),
    /// The note is too large.
    #[error("the note has more than {0} bytes")]
    NoteTooLarge(usize),
}

/// An undo could not be staged; the workspace is as it was.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// Staging failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// It is not a committed action that still stands.
    #[error("action {action} can't be undone: it is {state:?}")]
    NotUndoable {
        /// Which.
        action: u64,
        /// What it is.
        state: State,
    },
}

impl From<Failed> for UndoError {
    fn from(failed: Failed) -> UndoError {
        UndoError::Stage(StageError::Io(failed))
    }
}

impl From<AreaError> for UndoError {
    fn from(error: AreaError) -> UndoError {
        UndoError::Stage(StageError::Area(error))
    }
}

/// A path that is not what the action needs it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// From the workspace.
    pub path: Vec<u8>,
    /// What is the matter.
    pub kind: ConflictKind,
}

/// What is the matter with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// Its kind, content or mode is another.
    Changed,
    /// It is there and was not.
    Appeared,
    /// It was there and is not.
    Vanished,
}

fn list<'a>(paths: impl IntoIterator<Item = &'a Vec<u8>>) -> String {
    const SHOWN_MAX: usize = 8;
    let mut out = String::new();
    for (number, path) in paths.into_iter().enumerate() {
        if number == SHOWN_MAX {
            out.push_str(" and others");
            break;
        }
        if number > 0 {
            out.push_str(", ");
        }
        out.push_str(&shown(path));
    }
    out
}
