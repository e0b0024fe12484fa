//! Tools: what a model is told of them, a call, and what came of it.

use serde::{Deserialize, Serialize};

pub use crate::ended::{Ended, Limit};
pub use crate::outcome::{Settled, ToolOutcome};
pub use crate::repeat::Repeat;

/// What a model is told of a tool. Every byte is sent with every turn, so each earns its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name, `[a-z_]+`.
    pub name: String,
    /// One short sentence.
    pub description: String,
    /// Its arguments, in order.
    pub parameters: Vec<Parameter>,
}

/// One argument of a tool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, `[a-z_]+`.
    pub name: String,
    /// Its type in JSON.
    pub kind: ParameterKind,
    /// Whether a call must have it.
    pub required: bool,
}

/// Type of an argument in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// true or false.
    Boolean,
}

/// A call as the model or a person wrote it: nothing in it is trusted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolCall {
    /// Which tool.
    pub name: String,
    /// Its arguments: a JSON object, as text.
    pub arguments: String,
}

/// A call that the gate has parsed, checked and admitted: what the executor carries out. Paths are relative to the
/// workspace and contain no `..`; the executor checks that once more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Admitted {
    /// A shell command line, run by `/bin/sh -c` in the workspace.
    RunCommand {
        /// The command line.
        command: String,
        /// Wall-clock limit, milliseconds.
        timeout_ms: u32,
        /// All that it sees of the workspace; empty: everything.
        paths: Vec<String>,
        /// Name of the image that is its root; none: the host's system directories.
        image: Option<String>,
    },
    /// Lines of a text file; answered as stdout.
    ReadFile {
        /// Where.
        path: String,
        /// The first line, from 1.
        offset: u64,
        /// How many lines at most; `None`: as many as can be shown at once.
        limit: Option<u64>,
    },
    /// Bytes of a file as they are, for a person's own copy; answered as stdout. Stderr has the length of the whole file
    /// and a word that is another one when the file is.
    GetFile {
        /// Where.
        path: String,
        /// The first byte, from 0.
        offset: u64,
    },
    /// Lines that match, in files below a path; answered as stdout.
    SearchFiles {
        /// Where: a directory or a file.
        path: String,
        /// For what.
        what: Search,
    },
    /// A file written whole, its directories made.
    WriteFile {
        /// Where.
        path: String,
        /// What.
        content: Vec<u8>,
    },
    /// A file written whole, of what was uploaded before.
    PutFile {
        /// Where.
        path: String,
        /// Number of the upload.
        upload: u64,
        /// Its length.
        bytes: u64,
        /// Its SHA-256.
        digest: [u8; 32],
    },
    /// A part of a file's text, or all of it, replaced by another.
    EditFile {
        /// Where.
        path: String,
        /// How.
        edit: Edit,
    },
    /// A file, link or directory gets another name; the directories of that are made.
    Move {
        /// Which.
        from: String,
        /// Its new name.
        to: String,
        /// A file or link that has this name already goes.
        overwrite: bool,
    },
    /// A file or link is removed.
    Delete {
        /// Which.
        path: String,
        /// A directory too, with all that is in it.
        recursive: bool,
    },
    /// A directory, and those above it that are missing.
    MakeDirectory {
        /// Where.
        path: String,
    },
    /// Takes back what an action changed; the action itself, like any other, is shown and can be undone.
    Undo {
        /// Number of the action to take back.
        action: u64,
    },
    /// Names in a directory, one a line, directories with a slash; answered as stdout.
    ListFiles {
        /// Where.
        path: String,
        /// All below it too.
        recursive: bool,
    },
    /// A shell command line in a sandbox of its own, over a copy of the workspace as it is now, that goes on in the
    /// background. What it changes is this action's, and is decided on when it ends.
    Start {
        /// The command line.
        command: String,
        /// Wall-clock limit, milliseconds.
        timeout_ms: u32,
        /// On a pseudo-terminal of this size.
        terminal: Option<TerminalSize>,
        /// Name of the image that is its root; none: the host's system directories.
        image: Option<String>,
    },
    /// What a command in the background has written since the last `Poll`, and how it ended if it has.
    Poll {
        /// Number of the action that started it.
        action: u64,
        /// How long to wait for something new, milliseconds.
        wait_ms: u32,
    },
    /// Standard input for a command in the background.
    Input {
        /// Number of the action that started it.
        action: u64,
        /// What.
        text: String,
        /// Nothing more will come.
        end: bool,
    },
    /// Ends a command in the background: nothing that it changed is kept.
    Stop {
        /// Number of the action that started it.
        action: u64,
    },
}

/// Size of a pseudo-terminal; neither is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// How a file is edited.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Edit {
    /// Exactly this text becomes that one.
    Replace {
        /// What is there; must be there once, unless `all`.
        old: String,
        /// What comes in its place.
        new: String,
        /// Wherever it is.
        all: bool,
    },
    /// A unified diff.
    Diff(String),
}

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Search {
    /// A regular expression, or the text itself.
    pub pattern: String,
    /// The text itself.
    pub literal: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// Only files with such a name, or, with a slash in it, such a path below where the search begins.
    pub glob: Option<String>,
    /// Lines to show around a match, before and after it.
    pub context: u32,
}

impl Admitted {
    /// Bytes of its texts: what of it can be large.
    pub fn texts_bytes(&self) -> usize {
        match self {
            Admitted::RunCommand { command, paths, image, .. } => {
                command.len() + paths.iter().chain(image).map(String::len).sum::<usize>()
            }
            Admitted::ReadFile { path, .. } | Admitted::GetFile { path, .. } | Admitted::ListFiles { path, .. } => {
                path.len()
            }
            Admitted::SearchFiles { path, what } => {
                path.len() + what.pattern.len() + what.glob.as_ref().map_or(0, String::len)
            }
            Admitted::WriteFile { path, content } => path.len() + content.len(),
            Admitted::EditFile { path, edit: Edit::Replace { old, new, .. } } => path.len() + old.len() + new.len(),
            Admitted::EditFile { path, edit: Edit::Diff(diff) } => path.len() + diff.len(),
            Admitted::Move { from, to, .. } => from.len() + to.len(),
            Admitted::Delete { path, .. } | Admitted::MakeDirectory { path } | Admitted::PutFile { path, .. } => {
                path.len()
            }
            Admitted::Start { command, image, .. } => command.len() + image.as_ref().map_or(0, String::len),
            Admitted::Input { text, .. } => text.len(),
            Admitted::Undo { .. } | Admitted::Poll { .. } | Admitted::Stop { .. } => 0,
        }
    }

    /// Whether what it writes comes from what it reads. What it writes otherwise is in the call itself, or keeps the
    /// label that it has under another name, or had before.
    pub fn writes_what_it_reads(&self) -> bool {
        match self {
            Admitted::RunCommand { .. }
            | Admitted::EditFile { .. }
            | Admitted::Start { .. }
            | Admitted::Input { .. }
            | Admitted::ReadFile { .. }
            | Admitted::GetFile { .. }
            | Admitted::SearchFiles { .. }
            | Admitted::ListFiles { .. }
            | Admitted::Poll { .. }
            | Admitted::Stop { .. } => true,
            Admitted::WriteFile { .. }
            | Admitted::PutFile { .. }
            | Admitted::Move { .. }
            | Admitted::Delete { .. }
            | Admitted::MakeDirectory { .. }
            | Admitted::Undo { .. } => false,
        }
    }

    /// Whether it may change the workspace.
    pub fn changes(&self) -> bool {
        match self {
            Admitted::RunCommand { .. }
            | Admitted::WriteFile { .. }
            | Admitted::PutFile { .. }
            | Admitted::EditFile { .. }
            | Admitted::Move { .. }
            | Admitted::Delete { .. }
            | Admitted::MakeDirectory { .. }
            | Admitted::Start { .. }
            | Admitted::Input { .. }
            | Admitted::Undo { .. } => true,
            Admitted::ReadFile { .. }
            | Admitted::GetFile { .. }
            | Admitted::SearchFiles { .. }
            | Admitted::ListFiles { .. }
            | Admitted::Poll { .. }
            | Admitted::Stop { .. } => false,
        }
    }
}

/// What the gate decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was done.
    Allowed,
    /// It waits for a person.
    Asked,
    /// It was not done.
    Refused,
}

/// How much harm a call could do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// None that can't be taken back.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

/// What the gate decided of a call, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Why, in words for a person.
    pub reason: String,
    /// The rule that decided, by name.
    pub rule: String,
    /// How much harm it could do.
    pub risk: Risk,
    /// What the person may do about it; empty when it is allowed.
    pub remedy: String,
}
