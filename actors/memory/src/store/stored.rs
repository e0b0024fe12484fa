//! How a step looks on the disk: JSON, with the version of its form beside it, and a tool's output as bytes of its own.
//!
//! JSON rather than the codec's bytes: it names its fields, so a later release that has more of them still reads it, and
//! so does a person with `sqlite3`. Messages on an edge live for milliseconds between two halves of one build; a
//! journal outlives releases. The tests hold the exact text of every kind of step: changing one takes a new version,
//! and a reader for the old.

use schema::edge::memory::{Step, TurnEnd};
use schema::label::{Confidentiality, Integrity, Label};
use schema::tool::ToolOutcome;

use super::actions::undoes;

/// Version of the form that is written now.
pub const VERSION: i64 = 1;
/// Kind of [`Step::ToolDecided`], which the journal asks for.
pub const TOOL_DECIDED: &str = "tool_decided";
/// Kind of [`Step::ToolFinished`].
pub const TOOL_FINISHED: &str = "tool_finished";

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
    /// The action that the decided call is to take back.
    pub undoes: Option<i64>,
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
            undoes: None,
        })
    };
    match step {
        Step::Completed(_) => plain("completed", None),
        Step::ToolDecided { action: 0, .. } => plain(TOOL_DECIDED, None),
        Step::ToolDecided { action, call, .. } => {
            Ok(Columns { undoes: undoes(call), ..plain(TOOL_DECIDED, Some(number(*action)?))? })
        }
        Step::ToolFinished { action, outcome } => {
            let bare = Step::ToolFinished {
                action: *action,
                outcome: ToolOutcome { stdout: Vec::new(), stderr: Vec::new(), ..outcome.clone() },
            };
            Ok(Columns {
                kind: TOOL_FINISHED,
                action: Some(number(*action)?),
                body: serde_json::to_string(&bare).map_err(|e| e.to_string())?,
                stdout: Some(outcome.stdout.clone()),
                stderr: Some(outcome.stderr.clone()),
                undoes: None,
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use schema::edge::memory::{Step, TurnEnd};
    use schema::label::{Confidentiality, Integrity, Label};
    use schema::talk::{Completion, CompletionEnd, Usage};
    use schema::tool::{Decision, Ended, Risk, ToolCall, ToolOutcome, Verdict};

    use super::{end_of, end_text, from_columns, label_of, label_text, to_columns};

    fn call() -> ToolCall {
        ToolCall { name: "list_files".into(), arguments: "{\"path\":\".\"}".into() }
    }

    /// Each kind of step, as version 1 writes it. A text that has to change here needs a new version, and a reader for
    /// this one: these lines are in people's databases.
    #[test]
    fn every_kind_of_step_is_written_and_read_as_in_version_1() {
        let usage = Usage { tokens_in: 1, tokens_cached: 2, tokens_out: 3, model_ms: 4 };
        let completed = Completion { text: "t".into(), call: Some(call()), ended: CompletionEnd::Length, usage };
        let decision = Decision {
            verdict: Verdict::Refused,
            reason: "a".into(),
            rule: "b".into(),
            risk: Risk::High,
            remedy: "c".into(),
        };
        let outcome = ToolOutcome {
            ended: Ended::Signalled { signal: 9 },
            stdout: vec![0, 255],
            stdout_dropped_bytes: 1,
            stderr: vec![7],
            stderr_dropped_bytes: 2,
            ms: 3,
            ..ToolOutcome::of(Ended::Unknown)
        };
        let cases = [
            (
                Step::Completed(completed),
                r#"{"Completed":{"text":"t","call":{"name":"list_files","arguments":"{\"path\":\".\"}"},"ended":"Length","usage":{"tokens_in":1,"tokens_cached":2,"tokens_out":3,"model_ms":4}}}"#,
            ),
            (
                Step::ToolDecided { call: call(), decision, action: 5 },
                r#"{"ToolDecided":{"call":{"name":"list_files","arguments":"{\"path\":\".\"}"},"decision":{"verdict":"refused","reason":"a","rule":"b","risk":"high","remedy":"c"},"action":5}}"#,
            ),
            (
                Step::ToolFinished { action: 5, outcome },
                r#"{"ToolFinished":{"action":5,"outcome":{"ended":{"signalled":{"signal":9}},"stdout":[],"stdout_dropped_bytes":1,"stderr":[],"stderr_dropped_bytes":2,"ms":3,"effects":{"list":[],"more":0,"more_deleted":0,"bytes_written":0,"undoable":false,"hosts":{"list":[],"more":0}},"standing":"Nothing","settled":{"ended_at_ms":0,"rule":"","reason":""},"limit":null,"reads":{"integrity":"owner","confidentiality":"public"},"wrote":null}}}"#,
            ),
            (Step::Crashed { role: "brain".into() }, r#"{"Crashed":{"role":"brain"}}"#),
        ];
        for (step, text) in cases {
            let columns = to_columns(&step).unwrap();
            assert_eq!(columns.body, text);
            assert_eq!(from_columns(1, text, columns.stdout, columns.stderr).unwrap(), step);
        }
        // Before there were effects, before these named hosts or a limit, and before they told deletions from the rest.
        for earlier in [
            r#"{"ToolFinished":{"action":5,"outcome":{"ended":"failed","stdout":[],"stdout_dropped_bytes":0,"stderr":[],"stderr_dropped_bytes":0,"ms":0}}}"#,
            r#"{"ToolFinished":{"action":5,"outcome":{"ended":"failed","stdout":[],"stdout_dropped_bytes":0,"stderr":[],"stderr_dropped_bytes":0,"ms":0,"effects":{"list":[],"more":0,"bytes_written":0,"undoable":false},"standing":"Nothing"}}}"#,
            r#"{"ToolFinished":{"action":5,"outcome":{"ended":"failed","stdout":[],"stdout_dropped_bytes":0,"stderr":[],"stderr_dropped_bytes":0,"ms":0,"effects":{"list":[],"more":0,"bytes_written":0,"undoable":false,"hosts":{"list":[],"more":0}},"standing":"Nothing"}}}"#,
        ] {
            let outcome = ToolOutcome::of(Ended::Failed);
            let read = from_columns(1, earlier, Some(Vec::new()), Some(Vec::new())).unwrap();
            assert_eq!(read, Step::ToolFinished { action: 5, outcome });
        }
        assert!(from_columns(2, r#"{"Crashed":{"role":"brain"}}"#, None, None).is_err());
        assert!(from_columns(1, "{", None, None).is_err());
    }

    #[test]
    fn an_action_that_no_number_in_the_database_can_hold_is_refused() {
        let decision = Decision {
            verdict: Verdict::Allowed,
            reason: String::new(),
            rule: String::new(),
            risk: Risk::Low,
            remedy: String::new(),
        };
        assert!(to_columns(&Step::ToolDecided { call: call(), decision, action: u64::MAX }).is_err());
    }

    #[test]
    fn every_label_and_every_end_comes_back() {
        for integrity in [Integrity::Owner, Integrity::Member, Integrity::Untrusted] {
            for confidentiality in [Confidentiality::Public, Confidentiality::Private, Confidentiality::Secret] {
                let label = Label { integrity, confidentiality };
                assert_eq!(label_of(&label_text(label)), Some(label));
            }
        }
        assert_eq!(label_of("owner"), None);
        for end in [TurnEnd::Answered, TurnEnd::Failed, TurnEnd::Quarantined, TurnEnd::Cancelled] {
            assert_eq!(end_of(end_text(end)), Some(end));
        }
    }
}
