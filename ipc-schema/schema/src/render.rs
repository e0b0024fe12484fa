//! How a turn's calls and results look in the conversation that a model reads. The brain writes them as they happen, the
//! gate writes them again for a turn that resumes: one place, so that both read alike.

use crate::limits::OUTPUT_SHOWN_BYTES;
use crate::tool::{Decision, Ended, ToolCall, ToolOutcome, Verdict};

/// A call as its JSON: the text of an assistant's message.
pub fn call(call: &ToolCall) -> String {
    let mut text = String::with_capacity(call.name.len() + call.arguments.len() + 32);
    text.push_str("{\"name\": ");
    push_json_string(&mut text, &call.name);
    text.push_str(", \"arguments\": ");
    // Arguments are JSON already, or whatever the model wrote in their place.
    text.push_str(call.arguments.trim());
    text.push('}');
    text
}

/// A result behind the name of the tool that it is of: the text of a tool's message.
pub fn result(call: &ToolCall, text: &str) -> String {
    format!("{}: {text}", call.name)
}

/// What a call that ran brought: a status line, then the tail of its output.
pub fn outcome(outcome: &ToolOutcome) -> String {
    let mut text = status(outcome.ended);
    if let Some(limit) = outcome.limit.filter(|_| outcome.ended != Ended::TimedOut) {
        text.push_str("; ran into ");
        text.push_str(limit.words());
    }
    push_output(&mut text, "", &outcome.stdout, outcome.stdout_dropped_bytes);
    push_output(&mut text, "stderr:\n", &outcome.stderr, outcome.stderr_dropped_bytes);
    if !outcome.effects.hosts.list.is_empty() {
        text.push_str("\ntried to reach ");
        text.push_str(&outcome.effects.hosts.list.join(", "));
        text.push_str("; commands have no network");
    }
    text
}

/// What the model is told of a call that was not admitted.
pub fn refusal(decision: &Decision) -> String {
    let verdict = match decision.verdict {
        Verdict::Allowed => "allowed",
        Verdict::Asked => "waits for approval",
        Verdict::Refused => "refused",
    };
    let mut text = format!("{verdict}: {}", decision.reason);
    if !decision.remedy.is_empty() {
        text.push(' ');
        text.push_str(&decision.remedy);
    }
    text
}

fn status(ended: Ended) -> String {
    match ended {
        Ended::Exited { code: 0 } => "ok".to_owned(),
        Ended::Exited { code } => format!("exit status {code}"),
        Ended::Signalled { signal } => format!("killed by signal {signal}"),
        Ended::TimedOut => "timed out and was killed".to_owned(),
        Ended::Cancelled => "cancelled".to_owned(),
        Ended::Failed => "could not be carried out".to_owned(),
        Ended::Unknown => "interrupted: what it did is unknown; it was not repeated".to_owned(),
        Ended::Running => "running".to_owned(),
    }
}

fn push_output(text: &mut String, title: &str, kept: &[u8], dropped_bytes: u64) {
    if kept.is_empty() && dropped_bytes == 0 {
        return;
    }
    text.push('\n');
    text.push_str(title);
    let from = kept.len().saturating_sub(OUTPUT_SHOWN_BYTES);
    let left_out = dropped_bytes.saturating_add(from as u64);
    if left_out > 0 {
        text.push_str(&format!("[{left_out} bytes left out]\n"));
    }
    text.push_str(String::from_utf8_lossy(&kept[from..]).trim_end_matches('\n'));
}

fn push_json_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c < ' ' => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_valid_json_whatever_its_name() {
        let text = call(&ToolCall { name: "a\"\\\n".to_owned(), arguments: " {\"x\": 1} ".to_owned() });
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "a\"\\\n");
        assert_eq!(value["arguments"]["x"], 1);
    }

    #[test]
    fn output_is_the_tail_with_what_is_missing_named() {
        let text = outcome(&ToolOutcome {
            ended: Ended::Exited { code: 3 },
            stdout: vec![b'x'; OUTPUT_SHOWN_BYTES + 5],
            stdout_dropped_bytes: 7,
            stderr: b"bad\n".to_vec(),
            ms: 1,
            ..ToolOutcome::of(Ended::Unknown)
        });
        assert!(text.starts_with("exit status 3\n[12 bytes left out]\nxxx"));
        assert!(text.ends_with("\nstderr:\nbad"));
    }
}
