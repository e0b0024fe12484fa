//! `chela ask`: one turn.

use std::path::Path;
use std::process::ExitCode;

use schema::edge::local::Reply;
use schema::limits::MESSAGE_BYTES;
use serde::Serialize;

use crate::client::Service;
use crate::error::{CliError, finish};
use crate::interrupt::whole_input;
use crate::screen::{self, Screen};
use crate::turn;

/// Options of `chela ask`.
#[derive(clap::Args, Debug)]
pub struct AskArgs {
    /// On whose behalf; needs that principal's consent or root.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// The message; `-` reads it from standard input.
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    reply: &'a str,
    turn: u64,
    actions: &'a [u64],
    /// Read and written by the model together.
    tokens: u64,
    model_ms: u32,
    /// All but the model's time, to the microsecond.
    overhead_ms: f64,
}

impl Answer<'_> {
    fn of(reply: &Reply) -> Answer<'_> {
        Answer {
            reply: &reply.text,
            turn: reply.turn,
            actions: &reply.actions,
            tokens: u64::from(reply.usage.tokens_in) + u64::from(reply.usage.tokens_out),
            model_ms: reply.usage.model_ms,
            overhead_ms: reply.overhead_us as f64 / 1000.0,
        }
    }
}

/// Runs it. Status 0 when the turn was answered.
pub fn run(root: &Path, json: bool, args: &AskArgs) -> ExitCode {
    finish("ask", json, ask(root, json, args))
}

fn ask(root: &Path, json: bool, args: &AskArgs) -> Result<ExitCode, CliError> {
    let text = match args.text.as_slice() {
        [one] if one == "-" => whole_input(MESSAGE_BYTES)?,
        words => words.join(" "),
    };
    if text.trim().is_empty() {
        return Err(CliError::Usage("the message is empty".to_owned()));
    }
    let service = Service::of(root)?;
    let reply = turn::take(&service, args.principal.as_deref(), &text, &mut Screen::stdout(), json)?;
    if json {
        screen::json(&Answer::of(&reply));
    }
    Ok(if turn::answered(reply.end) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
