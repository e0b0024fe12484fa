//! A call's arguments, from JSON to what the executor carries out: nothing in them is trusted.

use schema::limits::ARGUMENTS_BYTES;
use schema::tool::{Admitted, Edit, ToolCall};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::paths;
use super::refusal::{Refusal, bad_value, too_large};
use crate::limits::{COMMAND_BYTES_MAX, COMMAND_TIMEOUT_MS, COMMAND_TIMEOUT_MS_MAX, CONTENT_BYTES_MAX};
use crate::tools::{self, Tool};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunCommand {
    command: String,
    timeout_ms: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Undone {
    action: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListAt {
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteAt {
    path: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditAt {
    path: String,
    old: Option<String>,
    new: Option<String>,
    #[serde(default)]
    all: bool,
    diff: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveFrom {
    from: String,
    to: String,
    #[serde(default)]
    overwrite: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteAt {
    path: String,
    #[serde(default)]
    recursive: bool,
}

/// The call, checked.
pub fn admit(tool: Tool, call: &ToolCall) -> Result<Admitted, Refusal> {
    Ok(match tool {
        Tool::RunCommand => run_command(parse(tool, call)?)?,
        Tool::ReadFile => {
            let At { path } = parse(tool, call)?;
            Admitted::ReadFile { path: paths::file(&path)? }
        }
        Tool::WriteFile => write_file(parse(tool, call)?)?,
        Tool::EditFile => edit_file(parse(tool, call)?)?,
        Tool::ListFiles => {
            let ListAt { path } = parse(tool, call)?;
            Admitted::ListFiles { path: paths::any(path.as_deref().unwrap_or("."))? }
        }
        Tool::Move => {
            let MoveFrom { from, to, overwrite } = parse(tool, call)?;
            Admitted::Move { from: paths::inside(&from)?, to: paths::inside(&to)?, overwrite }
        }
        Tool::Delete => {
            let DeleteAt { path, recursive } = parse(tool, call)?;
            Admitted::Delete { path: paths::inside(&path)?, recursive }
        }
        Tool::MakeDirectory => {
            let At { path } = parse(tool, call)?;
            Admitted::MakeDirectory { path: paths::inside(&path)? }
        }
        Tool::Undo => {
            let Undone { action } = parse(tool, call)?;
            Admitted::Undo { action }
        }
    })
}

fn parse<T: DeserializeOwned>(tool: Tool, call: &ToolCall) -> Result<T, Refusal> {
    if call.arguments.len() > ARGUMENTS_BYTES {
        return Err(too_large("the arguments", ARGUMENTS_BYTES));
    }
    serde_json::from_str(&call.arguments).map_err(|error| Refusal {
        rule: "arguments.form",
        reason: format!("the arguments of {} are not what it takes: {error}", call.name),
        remedy: format!("It takes a JSON object: {}", tools::example(tool)),
    })
}

fn run_command(asked: RunCommand) -> Result<Admitted, Refusal> {
    if asked.command.trim().is_empty() {
        return Err(bad_value("the command is empty", "Say which command."));
    }
    if asked.command.len() > COMMAND_BYTES_MAX {
        return Err(too_large("the command", COMMAND_BYTES_MAX));
    }
    if asked.command.contains('\0') {
        return Err(bad_value("the command has a NUL byte in it", "Leave it out."));
    }
    let timeout_ms = asked.timeout_ms.unwrap_or(COMMAND_TIMEOUT_MS);
    if timeout_ms == 0 || timeout_ms > COMMAND_TIMEOUT_MS_MAX {
        return Err(bad_value(
            &format!("a time limit of {timeout_ms} ms is not possible"),
            &format!("1 to {COMMAND_TIMEOUT_MS_MAX} is."),
        ));
    }
    Ok(Admitted::RunCommand { command: asked.command, timeout_ms })
}

fn write_file(asked: WriteAt) -> Result<Admitted, Refusal> {
    at_most("the content", asked.content.len())?;
    Ok(Admitted::WriteFile { path: paths::file(&asked.path)?, content: asked.content.into_bytes() })
}

fn edit_file(asked: EditAt) -> Result<Admitted, Refusal> {
    let path = paths::file(&asked.path)?;
    let edit = match (asked.old, asked.new, asked.diff) {
        (Some(old), Some(new), None) => {
            at_most("old", old.len())?;
            at_most("new", new.len())?;
            if old.is_empty() {
                return Err(bad_value("old is empty", "Give the text to replace; write_file makes a new file."));
            }
            if old == new {
                return Err(bad_value("old and new are the same", "Give another text as new."));
            }
            Edit::Replace { old, new, all: asked.all }
        }
        (None, None, Some(diff)) if !asked.all => {
            at_most("the diff", diff.len())?;
            Edit::Diff(diff)
        }
        _ => {
            return Err(bad_value(
                "an edit is either old and new, or a diff",
                &format!("Give {}", tools::example(Tool::EditFile)),
            ));
        }
    };
    Ok(Admitted::EditFile { path, edit })
}

fn at_most(what: &str, bytes: usize) -> Result<(), Refusal> {
    if bytes > CONTENT_BYTES_MAX { Err(too_large(what, CONTENT_BYTES_MAX)) } else { Ok(()) }
}
