//! A call's arguments, from JSON to what the executor carries out: nothing in them is trusted.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schema::image::{NAME_RULE, is_name};
use schema::limits::{ARGUMENTS_BYTES, UPLOAD_BYTES_MAX};
use schema::tool::{Admitted, Edit, Search, ToolCall};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::refusal::{Refusal, bad_value, too_large};
use super::{background, paths};
use crate::limits::{
    COMMAND_BYTES_MAX, COMMAND_PATHS_MAX, COMMAND_TIMEOUT_MS, COMMAND_TIMEOUT_MS_MAX, CONTENT_BYTES_MAX,
    PATTERN_BYTES_MAX, SEARCH_CONTEXT_LINES_MAX,
};
use crate::tools::{self, Tool};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunCommand {
    command: String,
    timeout_ms: Option<u32>,
    paths: Option<Vec<String>>,
    image: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadAt {
    path: String,
    offset: Option<u64>,
    limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetAt {
    path: String,
    #[serde(default)]
    offset: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchAt {
    pattern: String,
    #[serde(default)]
    literal: bool,
    path: Option<String>,
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    context: u32,
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
    #[serde(default)]
    recursive: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteAt {
    path: String,
    content: Option<String>,
    /// For what is no text.
    content_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutAt {
    path: String,
    upload: u64,
    bytes: u64,
    sha256: String,
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
            let ReadAt { path, offset, limit } = parse(tool, call)?;
            let offset = offset.unwrap_or(1);
            if offset == 0 || limit == Some(0) {
                return Err(bad_value("the first line is 1, and 0 lines are none", "Leave it out, or count from 1."));
            }
            Admitted::ReadFile { path: paths::file(&path)?, offset, limit }
        }
        Tool::GetFile => {
            let GetAt { path, offset } = parse(tool, call)?;
            if offset > i64::MAX as u64 {
                return Err(bad_value("no file is that long", "Give a smaller offset."));
            }
            Admitted::GetFile { path: paths::file(&path)?, offset }
        }
        Tool::SearchFiles => search_files(parse(tool, call)?)?,
        Tool::WriteFile => write_file(parse(tool, call)?)?,
        Tool::PutFile => put_file(parse(tool, call)?)?,
        Tool::EditFile => edit_file(parse(tool, call)?)?,
        Tool::ListFiles => {
            let ListAt { path, recursive } = parse(tool, call)?;
            Admitted::ListFiles { path: paths::any(path.as_deref().unwrap_or("."))?, recursive }
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
        Tool::Start => background::start(call)?,
        Tool::Poll => background::poll(call)?,
        Tool::Input => background::input(call)?,
        Tool::Stop => background::stop(call)?,
    })
}

pub(super) fn parse<T: DeserializeOwned>(tool: Tool, call: &ToolCall) -> Result<T, Refusal> {
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
    let command = checked_command(asked.command)?;
    let timeout_ms = asked.timeout_ms.unwrap_or(COMMAND_TIMEOUT_MS);
    if timeout_ms == 0 || timeout_ms > COMMAND_TIMEOUT_MS_MAX {
        return Err(bad_value(
            &format!("a time limit of {timeout_ms} ms is not possible"),
            &format!("1 to {COMMAND_TIMEOUT_MS_MAX} is; what takes longer goes to the background with start."),
        ));
    }
    let paths = asked.paths.map_or(Ok(Vec::new()), |paths| seen(&paths))?;
    Ok(Admitted::RunCommand { command, timeout_ms, paths, image: checked_image(asked.image)? })
}

/// The name of an image, if it can be one.
pub(super) fn checked_image(asked: Option<String>) -> Result<Option<String>, Refusal> {
    if let Some(image) = asked.as_deref().filter(|image| !is_name(image)) {
        let reason = format!("{image:.64?} can't be an image's name");
        return Err(bad_value(&reason, &format!("{NAME_RULE}; chela images list shows what there is.")));
    }
    Ok(asked)
}

/// What a command is to see; the workspace itself is all of it.
fn seen(asked: &[String]) -> Result<Vec<String>, Refusal> {
    if asked.is_empty() {
        return Err(bad_value("paths is an empty list", "Name what the command is to see, or leave paths out."));
    }
    if asked.len() > COMMAND_PATHS_MAX {
        let reason = format!("paths has {} paths, the limit is {COMMAND_PATHS_MAX}", asked.len());
        return Err(bad_value(&reason, "Name directories that hold them."));
    }
    let paths: Result<Vec<String>, Refusal> = asked.iter().map(|path| paths::any(path)).collect();
    let paths = paths?;
    Ok(if paths.iter().any(|path| path == ".") { Vec::new() } else { paths })
}

fn search_files(asked: SearchAt) -> Result<Admitted, Refusal> {
    if asked.pattern.is_empty() {
        return Err(bad_value("the pattern is empty", "Say what to search for; list_files lists files."));
    }
    for (what, text) in [("the pattern", Some(&asked.pattern)), ("the glob", asked.glob.as_ref())] {
        if text.is_some_and(|text| text.len() > PATTERN_BYTES_MAX) {
            return Err(too_large(what, PATTERN_BYTES_MAX));
        }
    }
    if asked.context > SEARCH_CONTEXT_LINES_MAX {
        let reason = format!("{} lines around each match are too many", asked.context);
        return Err(bad_value(&reason, &format!("{SEARCH_CONTEXT_LINES_MAX} are possible; read_file shows more.")));
    }
    let path = paths::any(asked.path.as_deref().unwrap_or("."))?;
    let (literal, ignore_case, context) = (asked.literal, asked.ignore_case, asked.context);
    let what = Search { pattern: asked.pattern, literal, ignore_case, glob: asked.glob, context };
    Ok(Admitted::SearchFiles { path, what })
}

/// A command line that can be one.
pub(super) fn checked_command(command: String) -> Result<String, Refusal> {
    if command.trim().is_empty() {
        return Err(bad_value("the command is empty", "Say which command."));
    }
    if command.len() > COMMAND_BYTES_MAX {
        return Err(too_large("the command", COMMAND_BYTES_MAX));
    }
    if command.contains('\0') {
        return Err(bad_value("the command has a NUL byte in it", "Leave it out."));
    }
    Ok(command)
}

fn write_file(asked: WriteAt) -> Result<Admitted, Refusal> {
    let content = match (asked.content, asked.content_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => BASE64_STANDARD.decode(&text).map_err(|error| {
            bad_value(
                &format!("content_base64 is not base64: {error}"),
                "Write it with the usual alphabet and padding.",
            )
        })?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(bad_value("there must be one content", "Give content, or content_base64 for what is no text."));
        }
    };
    at_most("the content", content.len())?;
    Ok(Admitted::WriteFile { path: paths::file(&asked.path)?, content })
}

fn put_file(asked: PutAt) -> Result<Admitted, Refusal> {
    if asked.bytes > UPLOAD_BYTES_MAX as u64 {
        return Err(too_large("the file", UPLOAD_BYTES_MAX));
    }
    let digits = asked.sha256.as_bytes();
    let mut digest = [0; 32];
    let pairs = digits.chunks_exact(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap_or_default(), 16));
    let is_one =
        digits.len() == 64 && digest.iter_mut().zip(pairs).all(|(to, byte)| byte.map(|byte| *to = byte).is_ok());
    if !is_one {
        return Err(bad_value("sha256 is no digest", "It has 64 hexadecimal digits."));
    }
    Ok(Admitted::PutFile { path: paths::file(&asked.path)?, upload: asked.upload, bytes: asked.bytes, digest })
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
