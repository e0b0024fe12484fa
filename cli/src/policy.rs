//! `chela policy`: which policies are in force, whether a file would be one, what they can speak of, and what they would say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::policy::{Policies, SCHEMA};
use schema::edge::local::{FromClient, ToClient};
use schema::limits::ARGUMENTS_BYTES;
use schema::tool::{Decision, ToolCall, Verdict};
use serde_json::json;

use crate::arguments::{Given, from_json, from_pairs, given};
use crate::client::Service;
use crate::error::{CliError, finish};
use crate::interrupt::whole_input;
use crate::screen::{self, Screen, Style};

/// Options of `chela policy`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  chela policy show\n  chela policy check my.cedar\n  \
                        chela policy explain run_command '{\"command\":\"rm -rf /\"}'\n\nPolicies are the files of \
                        DIR/etc/gate/policy; `systemctl reload chelad` (or SIGHUP to chelad) reads them again.")]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Option<PolicyCommand>,
}

#[derive(clap::Subcommand, Debug)]
enum PolicyCommand {
    /// The policies in force.
    Show,
    /// Whether a file could be one of them.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// What policies can speak of.
    Schema,
    /// What would be decided of a call, and why; changes nothing.
    Explain {
        /// On whose behalf; needs that principal's consent or root.
        #[arg(long = "as", value_name = "PRINCIPAL")]
        principal: Option<String>,
        /// As from a turn that has seen untrusted text.
        #[arg(long, value_name = "LABEL", value_parser = ["untrusted"])]
        label: Option<String>,
        /// Which tool.
        tool: String,
        /// Its arguments: a JSON object, key=value pairs, or `-` for JSON on standard input.
        #[arg(value_name = "ARGUMENTS")]
        arguments: Vec<String>,
    },
}

/// Runs it. Status 0 when the files are in force, the file is one, or the call would be allowed; 1 when not; 3 when it would
/// be asked about.
pub fn run(root: &Path, json: bool, args: &PolicyArgs) -> ExitCode {
    let result = match &args.command {
        None | Some(PolicyCommand::Show) => show(root, json),
        Some(PolicyCommand::Check { file }) => check(json, file),
        Some(PolicyCommand::Schema) => {
            if json {
                screen::json(&json!({ "schema": SCHEMA }));
            } else {
                Screen::stdout().line(Style::Plain, SCHEMA.trim_end());
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(PolicyCommand::Explain { principal, label, tool, arguments }) => call(tool, arguments).and_then(|call| {
            let untrusted = label.is_some();
            explain(root, json, FromClient::Explain { principal: principal.clone(), call, untrusted })
        }),
    };
    finish("policy", json, result)
}

fn show(root: &Path, json: bool) -> Result<ExitCode, CliError> {
    let state = Service::of(root)?.request(&FromClient::ShowPolicy, |message| {
        if let ToClient::Policy(state) = message { Some(state) } else { None }
    })?;
    if json {
        let files: Vec<_> = state.files.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
        screen::json(&json!({ "sha256": state.digest, "problem": state.problem, "files": files }));
    } else {
        let mut screen = Screen::stdout();
        for (name, text) in &state.files {
            screen.line(Style::Bold, name);
            screen.line(Style::Plain, text.trim_end());
        }
        screen.line(Style::Plain, &format!("sha256 {}", state.digest));
        if let Some(problem) = &state.problem {
            screen.line(Style::Warn, &format!("the files are not what is in force: {problem}"));
        }
    }
    Ok(if state.problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(json: bool, file: &Path) -> Result<ExitCode, CliError> {
    let text = fs::read_to_string(file).map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let loaded = Policies::load(&[(name, text)]);
    let names = loaded.as_ref().map_or_else(|_| Vec::new(), Policies::names);
    let problem = loaded.err().map(|error| error.to_string());
    if json {
        screen::json(&json!({ "valid": problem.is_none(), "policies": names, "problem": problem }));
    } else {
        match &problem {
            None => Screen::stdout().line(Style::Bold, &format!("valid: {}", names.join(", "))),
            Some(problem) => Screen::stdout().line(Style::Warn, problem),
        }
    }
    Ok(if problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn call(tool: &str, arguments: &[String]) -> Result<ToolCall, CliError> {
    let arguments = match given(arguments) {
        Given::Input => from_json(&whole_input(ARGUMENTS_BYTES)?),
        Given::Json(text) => from_json(text),
        Given::Pairs(pairs) => from_pairs(pairs),
    };
    Ok(ToolCall { name: tool.to_owned(), arguments: arguments.map_err(CliError::Usage)? })
}

fn explain(root: &Path, json: bool, request: FromClient) -> Result<ExitCode, CliError> {
    let decision = Service::of(root)?
        .request(&request, |message| if let ToClient::Explained(decision) = message { Some(decision) } else { None })?;
    let Decision { verdict, reason, rule, risk, remedy } = &decision;
    if json {
        screen::json(&json!({ "decision": verdict, "reason": reason, "rule": rule, "risk": risk, "remedy": remedy }));
    } else {
        let (style, word) = match verdict {
            Verdict::Allowed => (Style::Bold, "allowed"),
            Verdict::Asked => (Style::Warn, "asked about"),
            Verdict::Refused => (Style::Warn, "refused"),
        };
        Screen::stdout().line(style, &format!("{word} by {rule}: {reason}. {remedy}"));
    }
    Ok(match verdict {
        Verdict::Allowed => ExitCode::SUCCESS,
        Verdict::Asked => ExitCode::from(crate::error::WAITS),
        Verdict::Refused => ExitCode::FAILURE,
    })
}
