//! What there is to say of each tool.

use schema::tool::Risk;

/// Whom a tool is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// A model is always told of it.
    Always,
    /// A model is told of it when a turn is more than small talk.
    AtWork,
    /// A person knows of it.
    Never,
}

/// What there is to say of a tool.
pub struct About {
    /// As a call names it.
    pub name: &'static str,
    /// Whom it is for.
    pub told: Told,
    /// How much harm it could do.
    pub risk: Risk,
    /// For a model.
    pub description: &'static str,
    /// In order; one with `?` is optional; of a kind other than text, the kind stands behind a colon.
    pub parameters: &'static [&'static str],
    /// Arguments, for a person who gave others.
    pub example: &'static str,
}

/// Runs a shell command.
pub const RUN_COMMAND: About = About {
    name: "run_command",
    told: Told::Always,
    risk: Risk::Medium,
    description: "Run a shell command in the workspace, without network.",
    parameters: &["command", "image?"],
    example: r#"{"command": "ls -l"} and, if wanted, "timeout_ms": 1000, "paths": ["all that it is to see"], "image": "debian:13"."#,
};

/// Reads a file.
pub const READ_FILE: About = About {
    name: "read_file",
    told: Told::Always,
    risk: Risk::Low,
    description: "Read lines of a text file.",
    parameters: &["path", "offset?:integer", "limit?:integer"],
    example: r#"{"path": "notes.txt"} and, if wanted, "offset": 200, "limit": 50: the first line and how many."#,
};

/// Writes a file.
pub const WRITE_FILE: About = About {
    name: "write_file",
    told: Told::Always,
    risk: Risk::Medium,
    description: "Write a whole file.",
    parameters: &["path", "content"],
    example: r#"{"path": "notes.txt", "content": "…"}, or content_base64 for what is no text."#,
};

/// Lists a directory.
pub const LIST_FILES: About = About {
    name: "list_files",
    told: Told::Always,
    risk: Risk::Low,
    description: "List a directory; \".\" is the workspace.",
    parameters: &["path", "recursive?:boolean"],
    example: r#"{"path": "."} and, if wanted, "recursive": true."#,
};

/// Changes a part of a file.
pub const EDIT_FILE: About = About {
    name: "edit_file",
    told: Told::AtWork,
    risk: Risk::Medium,
    description: "Replace the one place in a file that is exactly `old`; or apply a unified diff.",
    parameters: &["path", "old?", "new?", "all?:boolean", "diff?"],
    example: r#"{"path": "notes.txt", "old": "…", "new": "…"} or {"path": "notes.txt", "diff": "@@ …"}."#,
};

/// Gives a file or directory another name.
pub const MOVE: About = About {
    name: "move",
    told: Told::AtWork,
    risk: Risk::Medium,
    description: "Rename or move a file or directory.",
    parameters: &["from", "to", "overwrite?:boolean"],
    example: r#"{"from": "notes.txt", "to": "old/notes.txt"}."#,
};

/// Removes a file or directory.
pub const DELETE: About = About {
    name: "delete",
    told: Told::AtWork,
    risk: Risk::Medium,
    description: "Delete a file; a directory if recursive.",
    parameters: &["path", "recursive?:boolean"],
    example: r#"{"path": "notes.txt"} or {"path": "dir", "recursive": true}."#,
};

/// Makes a directory.
pub const MAKE_DIRECTORY: About = About {
    name: "make_directory",
    told: Told::AtWork,
    risk: Risk::Medium,
    description: "Make a directory and those above it.",
    parameters: &["path"],
    example: r#"{"path": "some/dir"}."#,
};

/// Takes back what an action changed. For people: a model is not told of it.
pub const UNDO: About = About {
    name: "undo",
    told: Told::Never,
    risk: Risk::Medium,
    description: "",
    parameters: &[],
    example: r#"{"action": 17}."#,
};

/// Finds lines in files.
pub const SEARCH_FILES: About = About {
    name: "search_files",
    told: Told::AtWork,
    risk: Risk::Low,
    description: "Find lines that match a regular expression.",
    parameters: &["pattern", "literal?:boolean", "path?", "glob?", "ignore_case?:boolean", "context?:integer"],
    example: r#"{"pattern": "fn \\w+", "path": "src", "glob": "*.rs", "context": 2}, or "literal": true for plain text."#,
};

/// Copies a part of a file out as it is. For people: a model is not told of it.
pub const GET_FILE: About = About {
    name: "get_file",
    told: Told::Never,
    risk: Risk::Low,
    description: "",
    parameters: &[],
    example: r#"{"path": "photo.jpg"} and, if wanted, "offset": 1000: the first byte."#,
};

/// Writes a file that was uploaded in parts. For `chela files put`: a model is not told of it.
pub const PUT_FILE: About = About {
    name: "put_file",
    told: Told::Never,
    risk: Risk::Medium,
    description: "",
    parameters: &[],
    example: r#"{"path": "photo.jpg", "upload": 7, "bytes": 5000000, "sha256": "…"}: chela files put gives it."#,
};

/// Starts a command in the background.
pub const START: About = About {
    name: "start",
    told: Told::AtWork,
    risk: Risk::Medium,
    description: "Start a long command in the background.",
    parameters: &["command"],
    example: r#"{"command": "make"} and, if wanted, "timeout_ms": 3600000, "pty": true, "rows": 24, "columns": 80, "image": "debian:13"."#,
};

/// What a command in the background has written, and how it ended.
pub const POLL: About = About {
    name: "poll",
    told: Told::AtWork,
    risk: Risk::Low,
    description: "New output of a started command, and its end.",
    parameters: &["id:integer", "wait_ms?:integer"],
    example: r#"{"id": 7} and, if wanted, "wait_ms": 1000."#,
};

/// Writes to the standard input of a command in the background.
pub const INPUT: About = About {
    name: "input",
    told: Told::AtWork,
    risk: Risk::Medium,
    description: "Write to its input.",
    parameters: &["id:integer", "text", "end?:boolean"],
    example: r#"{"id": 7, "text": "yes\n"} and, if wanted, "end": true."#,
};

/// Ends a command in the background.
pub const STOP: About = About {
    name: "stop",
    told: Told::AtWork,
    risk: Risk::Low,
    description: "Kill it; its changes are dropped.",
    parameters: &["id:integer"],
    example: r#"{"id": 7}."#,
};
