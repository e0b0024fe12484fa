//! Calls about commands in the background: what their arguments may be.

use schema::tool::{Admitted, TerminalSize, ToolCall};
use serde::Deserialize;

use super::arguments::{checked_command, checked_image, parse};
use super::refusal::{Refusal, bad_value, too_large};
use crate::limits::{
    BACKGROUND_TIMEOUT_MS, BACKGROUND_TIMEOUT_MS_MAX, INPUT_BYTES_MAX, POLL_WAIT_MS_MAX, TERMINAL_CELLS_MAX,
    TERMINAL_COLUMNS, TERMINAL_ROWS,
};
use crate::tools::Tool;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    command: String,
    timeout_ms: Option<u32>,
    pty: Option<bool>,
    rows: Option<u16>,
    columns: Option<u16>,
    image: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Poll {
    id: u64,
    wait_ms: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    id: u64,
    text: Option<String>,
    end: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    id: u64,
}

pub(super) fn start(call: &ToolCall) -> Result<Admitted, Refusal> {
    let asked: Start = parse(Tool::Start, call)?;
    let command = checked_command(asked.command)?;
    let timeout_ms = asked.timeout_ms.unwrap_or(BACKGROUND_TIMEOUT_MS);
    if timeout_ms == 0 || timeout_ms > BACKGROUND_TIMEOUT_MS_MAX {
        return Err(bad_value(
            &format!("a time limit of {timeout_ms} ms is not possible"),
            &format!("1 to {BACKGROUND_TIMEOUT_MS_MAX} is."),
        ));
    }
    let sized = asked.rows.is_some() || asked.columns.is_some();
    if sized && asked.pty != Some(true) {
        return Err(bad_value("rows and columns are of a pseudo-terminal", "Say \"pty\": true with them."));
    }
    let terminal = match asked.pty {
        Some(true) => Some(size(asked.rows.unwrap_or(TERMINAL_ROWS), asked.columns.unwrap_or(TERMINAL_COLUMNS))?),
        Some(false) | None => None,
    };
    let image = checked_image(asked.image)?;
    Ok(Admitted::Start { command, timeout_ms, terminal, image })
}

fn size(rows: u16, columns: u16) -> Result<TerminalSize, Refusal> {
    let possible = 1..=TERMINAL_CELLS_MAX;
    if possible.contains(&rows) && possible.contains(&columns) {
        return Ok(TerminalSize { rows, columns });
    }
    Err(bad_value(
        &format!("a terminal of {rows} rows and {columns} columns is not possible"),
        &format!("1 to {TERMINAL_CELLS_MAX} of each is."),
    ))
}

pub(super) fn poll(call: &ToolCall) -> Result<Admitted, Refusal> {
    let Poll { id, wait_ms } = parse(Tool::Poll, call)?;
    let wait_ms = wait_ms.unwrap_or(0);
    if wait_ms > POLL_WAIT_MS_MAX {
        return Err(bad_value(
            &format!("waiting {wait_ms} ms is not possible"),
            &format!("Wait {POLL_WAIT_MS_MAX} at most, and poll again."),
        ));
    }
    Ok(Admitted::Poll { action: id, wait_ms })
}

pub(super) fn input(call: &ToolCall) -> Result<Admitted, Refusal> {
    let Input { id, text, end } = parse(Tool::Input, call)?;
    let (text, end) = (text.unwrap_or_default(), end.unwrap_or(false));
    if text.len() > INPUT_BYTES_MAX {
        return Err(too_large("the text", INPUT_BYTES_MAX));
    }
    if text.is_empty() && !end {
        return Err(bad_value("there is nothing to write", "Give \"text\", or \"end\": true."));
    }
    Ok(Admitted::Input { action: id, text, end })
}

pub(super) fn stop(call: &ToolCall) -> Result<Admitted, Refusal> {
    let Stop { id } = parse(Tool::Stop, call)?;
    Ok(Admitted::Stop { action: id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(what: fn(&ToolCall) -> Result<Admitted, Refusal>, arguments: &str) -> Result<Admitted, String> {
        let call = ToolCall { name: "x".to_owned(), arguments: arguments.to_owned() };
        what(&call).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_start_has_limits_and_a_terminal_only_when_asked() {
        let command = "make".to_owned();
        let plain = Admitted::Start {
            command: command.clone(),
            timeout_ms: BACKGROUND_TIMEOUT_MS,
            terminal: None,
            image: None,
        };
        assert_eq!(of(start, r#"{"command":"make"}"#), Ok(plain));
        let size = TerminalSize { rows: TERMINAL_ROWS, columns: 132 };
        let on_terminal = Admitted::Start { command, timeout_ms: 5, terminal: Some(size), image: None };
        assert_eq!(of(start, r#"{"command":"make","timeout_ms":5,"pty":true,"columns":132}"#), Ok(on_terminal));
        for bad in [
            r#"{"command":" "}"#,
            r#"{"command":"a\u0000b"}"#,
            r#"{"command":"a","timeout_ms":0}"#,
            r#"{"command":"a","timeout_ms":86400001}"#,
            r#"{"command":"a","rows":24}"#,
            r#"{"command":"a","pty":true,"rows":0}"#,
            r#"{"command":"a","pty":true,"columns":1001}"#,
            r#"{"command":"a","shell":"b"}"#,
        ] {
            assert!(of(start, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_others_name_a_command_and_stay_within_limits() {
        assert_eq!(of(poll, r#"{"id":3}"#), Ok(Admitted::Poll { action: 3, wait_ms: 0 }));
        assert!(of(poll, r#"{"id":3,"wait_ms":60001}"#).is_err());
        assert!(of(poll, "{}").is_err());
        let ended = Admitted::Input { action: 3, text: String::new(), end: true };
        assert_eq!(of(input, r#"{"id":3,"end":true}"#), Ok(ended));
        assert!(of(input, r#"{"id":3}"#).is_err());
        let long = serde_json::json!({ "id": 3, "text": "x".repeat(INPUT_BYTES_MAX + 1) }).to_string();
        assert!(of(input, &long).is_err());
        assert_eq!(of(stop, r#"{"id":3}"#), Ok(Admitted::Stop { action: 3 }));
        assert!(of(stop, r#"{"id":-3}"#).is_err());
    }
}
