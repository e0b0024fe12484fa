//! `chela chat`: a conversation in the terminal. A line is a turn; Ctrl-C takes one back, Ctrl-D ends.

use std::path::Path;
use std::process::ExitCode;

use crate::client::Service;
use crate::error::{CliError, finish};
use crate::interrupt::{Lines, Typed};
use crate::screen::{Screen, Style};
use crate::turn;

const HELP: &str = "A line is a message. Ctrl-C stops the reply that is being written, Ctrl-D or /quit ends.";

/// Options of `chela chat`.
#[derive(clap::Args, Debug)]
pub struct ChatArgs {
    /// On whose behalf; needs that principal's consent or root.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
}

/// Runs it. Status 0 when the conversation was ended by the person.
pub fn run(root: &Path, json: bool, args: &ChatArgs) -> ExitCode {
    finish("chat", json, chat(root, json, args))
}

fn chat(root: &Path, json: bool, args: &ChatArgs) -> Result<ExitCode, CliError> {
    if json {
        return Err(CliError::Usage("a conversation has no JSON; use: chela ask --json TEXT".to_owned()));
    }
    let service = Service::of(root)?;
    service.greet()?;
    let mut screen = Screen::stdout();
    if screen.is_terminal() {
        screen.line(Style::Dim, HELP);
    }
    let mut lines = Lines::new();
    loop {
        screen.prompt("you> ");
        let line = match lines.next(service.interrupts())? {
            Typed::Line(line) => line,
            Typed::Interrupt => {
                screen.line(Style::Dim, "\u{20}(Ctrl-D ends)");
                continue;
            }
            Typed::End => break,
        };
        match line.trim() {
            "" => {}
            "/quit" | "/exit" => break,
            "/help" => screen.line(Style::Dim, HELP),
            message => say(&service, args, message, &mut screen)?,
        }
    }
    screen.end();
    if screen.is_terminal() {
        println!();
    }
    Ok(ExitCode::SUCCESS)
}

/// One turn. What the gate refuses is shown, and the conversation goes on; a service that is gone ends it.
fn say(service: &Service, args: &ChatArgs, message: &str, screen: &mut Screen) -> Result<(), CliError> {
    match turn::take(service, args.principal.as_deref(), message, screen, false) {
        Ok(reply) => {
            if !turn::answered(reply.end) {
                screen.line(Style::Warn, "(this turn was not answered)");
            }
            Ok(())
        }
        Err(error @ (CliError::Gate { .. } | CliError::Failed(_) | CliError::Usage(_) | CliError::Stopped)) => {
            screen.line(Style::Warn, &error.to_string());
            Ok(())
        }
        Err(
            error @ (CliError::Unreachable { .. }
            | CliError::Lost { .. }
            | CliError::Stranger { .. }
            | CliError::Io { .. }),
        ) => {
            screen.end();
            Err(error)
        }
    }
}
