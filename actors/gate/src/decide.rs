//! The decision on a tool call, pure: who asks, for what, in a turn of which label. Nothing is looked up here.
//!
//! What can be admitted so far stays in the principal's own workspace, inside a sandbox without network; so a turn that
//! has seen untrusted text may ask for it too. The label is written down with every decision, and rules that depend on
//! it come with tools that can do more.

use schema::label::{Integrity, Label};
use schema::limits::ARGUMENTS_BYTES;
use schema::tool::{Admitted, Decision, Risk, ToolCall, Verdict};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::limits::{COMMAND_BYTES_MAX, COMMAND_TIMEOUT_MS, COMMAND_TIMEOUT_MS_MAX, CONTENT_BYTES_MAX, PATH_BYTES_MAX};
use crate::principals::Principal;
use crate::tools::{LIST_FILES, READ_FILE, RUN_COMMAND, UNDO, WRITE_FILE};

/// A decision, and what is to be carried out when it allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// What was decided, and why.
    pub decision: Decision,
    /// The checked call; `None` when it is refused.
    pub admitted: Option<Admitted>,
}

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

/// Why a call is refused.
struct Refusal {
    rule: &'static str,
    reason: String,
    remedy: String,
}

/// Decides.
pub fn decide(principal: &Principal, call: &ToolCall, label: Label) -> Decided {
    match admit(call) {
        Ok((admitted, risk)) => Decided {
            decision: Decision {
                verdict: Verdict::Allowed,
                reason: reason(principal, label),
                rule: "workspace.sandboxed".to_owned(),
                risk,
                remedy: String::new(),
            },
            admitted: Some(admitted),
        },
        Err(refusal) => Decided {
            decision: Decision {
                verdict: Verdict::Refused,
                reason: refusal.reason,
                rule: refusal.rule.to_owned(),
                risk: risk_of(&call.name),
                remedy: refusal.remedy,
            },
            admitted: None,
        },
    }
}

/// The decision on an undo of what can't be taken back.
pub fn no_undo(decision: Decision, reason: String) -> Decided {
    let rule = "undo.possible".to_owned();
    let decision = Decision { verdict: Verdict::Refused, reason, rule, ..decision };
    Decided { decision, admitted: None }
}

fn reason(principal: &Principal, label: Label) -> String {
    let who = &principal.name;
    match label.integrity {
        Integrity::Owner | Integrity::Member => {
            format!("stays in the workspace of {who}, in a sandbox without network")
        }
        Integrity::Untrusted => format!(
            "asked by a turn that has seen untrusted text, but stays in the workspace of {who}, in a sandbox without \
             network"
        ),
    }
}

fn risk_of(tool: &str) -> Risk {
    match tool {
        READ_FILE | LIST_FILES => Risk::Low,
        RUN_COMMAND | WRITE_FILE | UNDO => Risk::Medium,
        // Whatever it is, it is not on the list.
        _ => Risk::High,
    }
}

fn admit(call: &ToolCall) -> Result<(Admitted, Risk), Refusal> {
    let admitted = match call.name.as_str() {
        RUN_COMMAND => run_command(parse(call)?)?,
        READ_FILE => {
            let At { path } = parse(call)?;
            Admitted::ReadFile { path: file_path(&path)? }
        }
        WRITE_FILE => write_file(parse(call)?)?,
        UNDO => {
            let Undone { action } = parse(call)?;
            Admitted::Undo { action }
        }
        LIST_FILES => {
            let ListAt { path: at } = parse(call)?;
            Admitted::ListFiles { path: path(at.as_deref().unwrap_or("."))? }
        }
        name => {
            return Err(Refusal {
                rule: "tools.listed",
                reason: format!("there is no tool {:?}", shortened(name)),
                remedy: format!("The tools are {RUN_COMMAND}, {READ_FILE}, {WRITE_FILE} and {LIST_FILES}."),
            });
        }
    };
    Ok((admitted, risk_of(&call.name)))
}

fn parse<T: DeserializeOwned>(call: &ToolCall) -> Result<T, Refusal> {
    if call.arguments.len() > ARGUMENTS_BYTES {
        return Err(too_large("the arguments", ARGUMENTS_BYTES));
    }
    serde_json::from_str(&call.arguments).map_err(|error| Refusal {
        rule: "arguments.form",
        reason: format!("the arguments of {} are not what it takes: {error}", call.name),
        remedy: format!("It takes a JSON object: {}", example(&call.name)),
    })
}

fn example(tool: &str) -> &'static str {
    match tool {
        RUN_COMMAND => r#"{"command": "ls -l"} and, if wanted, "timeout_ms": 1000."#,
        WRITE_FILE => r#"{"path": "notes.txt", "content": "…"}."#,
        _ => r#"{"path": "notes.txt"}."#,
    }
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
    if asked.content.len() > CONTENT_BYTES_MAX {
        return Err(too_large("the content", CONTENT_BYTES_MAX));
    }
    Ok(Admitted::WriteFile { path: file_path(&asked.path)?, content: asked.content })
}

/// A path that names something in the workspace, not the workspace itself.
fn file_path(asked: &str) -> Result<String, Refusal> {
    let path = path(asked)?;
    if path == "." || asked.ends_with('/') {
        return Err(bad_path("is a directory", "Name a file in it."));
    }
    Ok(path)
}

/// The path, relative to the workspace, each part a name.
fn path(asked: &str) -> Result<String, Refusal> {
    if asked.is_empty() {
        return Err(bad_path("is empty", "\".\" is the workspace."));
    }
    if asked.len() > PATH_BYTES_MAX {
        return Err(too_large("the path", PATH_BYTES_MAX));
    }
    if asked.contains('\0') {
        return Err(bad_path("has a NUL byte in it", "Leave it out."));
    }
    if asked.starts_with('/') {
        return Err(bad_path("is absolute", "Only the workspace can be reached: give the path relative to it."));
    }
    let mut parts = Vec::new();
    for part in asked.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                return Err(bad_path(
                    "has \"..\" in it",
                    "Only the workspace can be reached: give the path relative to it.",
                ));
            }
            name => parts.push(name),
        }
    }
    if parts.is_empty() {
        return Ok(".".to_owned());
    }
    Ok(parts.join("/"))
}

fn bad_path(what: &str, remedy: &str) -> Refusal {
    Refusal { rule: "arguments.path", reason: format!("the path {what}"), remedy: remedy.to_owned() }
}

fn bad_value(reason: &str, remedy: &str) -> Refusal {
    Refusal { rule: "arguments.value", reason: reason.to_owned(), remedy: remedy.to_owned() }
}

fn too_large(what: &str, limit_bytes: usize) -> Refusal {
    Refusal {
        rule: "arguments.limit",
        reason: format!("{what} may be {limit_bytes} bytes at most"),
        remedy: "Do it in smaller parts.".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
