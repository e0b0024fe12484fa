//! How a step looks on the disk: JSON, with the version of its form beside it, and a tool's output as bytes of its own.
//!
//! JSON rather than the codec's bytes: it names its fields, so a later release that has more of them still reads it, and
//! so does a person with `sqlite3`. Messages on an edge live for milliseconds between two halves of one build; a
//! journal outlives releases. The tests hold the exact text of every kind of step: changing one takes a new version,
//! and a reader for the old.

use schema::edge::memory::{Step, TurnEnd};
use schema::label::{Confidentiality, Integrity, Label};
use schema::tool::ToolOutcome;

/// Version of the form that is written now.
pub const VERSION: i64 = 1;
/// Kind of [`Step::ToolDecided`], which the journal asks for.
pub const TOOL_DECIDED: &str = "tool_decided";

/// A step as its columns.
#[derive(PartialEq, Eq, Debug)]
pub struct Columns {
    /// Kind of the step.
    pub kind: &'static str,
    /// Number of the action that it belongs to.
    pub action: Option<i64>,
    /// All but the output.
    pub body: String,
    /// A tool's output.
    pub stdout: Option<Vec<u8>>,
    /// A tool's output on the error stream.
    pub stderr: Option<Vec<u8>>,
}

/// The columns of a step, or why it can't be written.
pub fn to_columns(step: &Step) -> Result<Columns, String> {
    let plain = |kind, action| {
        Ok(Columns {
            kind,
            action,
            body: serde_json::to_string(step).map_err(|e| e.to_string())?,
            stdout: None,
            stderr: None,
        })
    };
    match step {
        Step::Completed(_) => plain("completed", None),
        Step::ToolDecided { action: 0, .. } => plain(TOOL_DECIDED, None),
        Step::ToolDecided { action, .. } => plain(TOOL_DECIDED, Some(number(*action)?)),
        Step::ToolFinished { action, outcome } => {
            let bare = Step::ToolFinished {
                action: *action,
                outcome: ToolOutcome { stdout: Vec::new(), stderr: Vec::new(), ..outcome.clone() },
            };
            Ok(Columns {
                kind: "tool_finished",
                action: Some(number(*action)?),
                body: serde_json::to_string(&bare).map_err(|e| e.to_string())?,
                stdout: Some(outcome.stdout.clone()),
                stderr: Some(outcome.stderr.clone()),
            })
        }
        Step::Crashed { .. } => plain("crashed", None),
    }
}

/// The step in its columns, or why it can't be read.
pub fn from_columns(
    version: i64,
    body: &str,
    stdout: Option<Vec<u8>>,
    stderr: Option<Vec<u8>>,
) -> Result<Step, String> {
    if version != VERSION {
        return Err(format!("a step of version {version} is not known"));
    }
    let mut step = serde_json::from_str(body).map_err(|e| format!("a step does not parse: {e}"))?;
    if let Step::ToolFinished { outcome, .. } = &mut step {
        outcome.stdout = stdout.unwrap_or_default();
        outcome.stderr = stderr.unwrap_or_default();
    }
    Ok(step)
}

fn number(action: u64) -> Result<i64, String> {
    i64::try_from(action).map_err(|_| format!("action {action} is not a number that was ever given"))
}

/// A label as text, for example `owner private`.
pub fn label_text(label: Label) -> String {
    let integrity = match label.integrity {
        Integrity::Owner => "owner",
        Integrity::Member => "member",
        Integrity::Untrusted => "untrusted",
    };
    let confidentiality = match label.confidentiality {
        Confidentiality::Public => "public",
        Confidentiality::Private => "private",
        Confidentiality::Secret => "secret",
    };
    format!("{integrity} {confidentiality}")
}

/// The label in a text, if it is one.
pub fn label_of(text: &str) -> Option<Label> {
    let (integrity, confidentiality) = text.split_once(' ')?;
    Some(Label {
        integrity: match integrity {
            "owner" => Integrity::Owner,
            "member" => Integrity::Member,
            "untrusted" => Integrity::Untrusted,
            _ => return None,
        },
        confidentiality: match confidentiality {
            "public" => Confidentiality::Public,
            "private" => Confidentiality::Private,
            "secret" => Confidentiality::Secret,
            _ => return None,
        },
    })
}

/// An end as text.
pub fn end_text(end: TurnEnd) -> &'static str {
    match end {
        TurnEnd::Answered => "answered",
        TurnEnd::Failed => "failed",
        TurnEnd::Quarantined => "quarantined",
        TurnEnd::Cancelled => "cancelled",
    }
}

/// The end in a text, if it is one.
pub fn end_of(text: &str) -> Option<TurnEnd> {
    [TurnEnd::Answered, TurnEnd::Failed, TurnEnd::Quarantined, TurnEnd::Cancelled]
        .into_iter()
        .find(|end| end_text(*end) == text)
}
