//! `chela tool`: one tool call without a model, through the same gate.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use schema::edge::local::{FromClient, ToClient};
use schema::effects::Standing;
use schema::label::Label;
use schema::limits::{ARGUMENTS_BYTES, KEY_BYTES, NAME_BYTES};
use schema::tool::{Decision, Ended, Limit, Risk, ToolCall, ToolOutcome, Verdict};
use serde::Serialize;

use crate::arguments::{Given, from_json, from_pairs, given};
use crate::background;
use crate::client::{Service, unique_id};
use crate::effects::{self, Shown};
use crate::error::{CliError, WAITS, finish};
use crate::interrupt::whole_input;
use crate::screen::{self, Screen, harmless, printable};

/// Options of `chela tool`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  chela tool run_command command='ls -l'\n  chela tool read_file '{\"path\": \"notes.txt\"}'\n  \
                        echo '{\"path\": \"a.txt\", \"content\": \"hi\"}' | chela tool write_file -"
)]
pub struct ToolArgs {
    /// On whose behalf; needs that principal's consent or root.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// A call with a key already used returns the first one's result and does nothing again.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Treat the call as coming from a turn that has seen untrusted text.
    #[arg(long, value_name = "LABEL", value_parser = ["untrusted"])]
    label: Option<String>,
    /// Which tool.
    name: String,
    /// Its arguments: a JSON object, key=value pairs, or `-` for JSON on standard input.
    #[arg(value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// The call that takes an action back.
pub fn undo(root: &Path, json: bool, principal: Option<String>, action: u64) -> Result<ExitCode, CliError> {
    let arguments = vec![format!("{{\"action\":{action}}}")];
    tool(root, json, &ToolArgs { principal, key: None, label: None, name: "undo".to_owned(), arguments })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// Its number; null when it was not admitted.
    action: Option<u64>,
    decision: Verdict,
    reason: &'a str,
    rule: &'a str,
    risk: Risk,
    /// What a person may do about a call that was not allowed.
    remedy: &'a str,
    effects: Shown<'a>,
    /// Whether what it changed stands; null when nobody knows.
    committed: Option<bool>,
    /// Of what it read, and of what it wrote; null when it did not run.
    labels: Option<Label>,
    /// Exit status, 128 and the signal's number for a killed command, null when there is none.
    exit_code: Option<i32>,
    /// The limit that ended it, or at which it was when it failed, where that is known.
    ended_by: Option<Limit>,
    /// How it ended, in words, when it did not end by itself with status 0.
    note: Option<String>,
    stdout: String,
    stderr: String,
    ms: u32,
}

struct Answered {
    action: u64,
    decision: Decision,
    outcome: Option<ToolOutcome>,
    streamed: bool,
}

/// Runs it. Status 0 when it was done and went well, 1 when it was refused or failed, 3 when it waits for an approval.
pub fn run(root: &Path, json: bool, args: &ToolArgs) -> ExitCode {
    finish("tool", json, tool(root, json, args))
}

fn tool(root: &Path, json: bool, args: &ToolArgs) -> Result<ExitCode, CliError> {
    let request = request(args)?;
    let service = Service::of(root)?;
    let mut screen = Screen::stdout();
    let answered = call(&service, &request, &mut screen, json)?;
    let FromClient::Tool { call: asked, .. } = &request else { return Ok(status(&answered)) };
    let of = background::tells_of(&asked.name, &asked.arguments);
    if json {
        screen::json(&report(&answered, of));
    } else {
        show(&answered, of, &mut screen);
    }
    Ok(status(&answered))
}

/// One call of a tool, shown as `chela tool` shows it.
pub fn once(
    root: &Path,
    json: bool,
    principal: Option<String>,
    name: &str,
    arguments: &serde_json::Value,
) -> Result<ExitCode, CliError> {
    tool(root, json, &call_of(principal, name, arguments))
}

/// One call of a tool, whose outcome is not shown. One that is refused is an error.
pub fn ask(
    service: &Service,
    principal: Option<&str>,
    name: &str,
    arguments: &serde_json::Value,
) -> Result<ToolOutcome, CliError> {
    let request = request(&call_of(principal.map(str::to_owned), name, arguments))?;
    let answered = call(service, &request, &mut Screen::stdout(), true)?;
    answered.outcome.ok_or_else(|| {
        let Decision { reason, remedy, verdict, .. } = answered.decision;
        CliError::Gate { reason: format!("{reason}. {remedy}"), refused: verdict == Verdict::Refused }
    })
}

fn call_of(principal: Option<String>, name: &str, arguments: &serde_json::Value) -> ToolArgs {
    ToolArgs { principal, key: None, label: None, name: name.to_owned(), arguments: vec![arguments.to_string()] }
}

fn request(args: &ToolArgs) -> Result<FromClient, CliError> {
    let arguments = match given(&args.arguments) {
        Given::Input => from_json(&whole_input(ARGUMENTS_BYTES)?),
        Given::Json(text) => from_json(text),
        Given::Pairs(pairs) => from_pairs(pairs),
    };
    let arguments = arguments.map_err(CliError::Usage)?;
    at_most("the arguments", arguments.len(), ARGUMENTS_BYTES)?;
    at_most("the tool's name", args.name.len(), NAME_BYTES)?;
    // Always with a key: a call whose connection broke is asked for again, and must not run twice.
    let key = match &args.key {
        Some(key) => key.clone(),
        None => unique_id()?,
    };
    at_most("the key", key.len(), KEY_BYTES)?;
    Ok(FromClient::Tool {
        principal: args.principal.clone(),
        call: ToolCall { name: args.name.clone(), arguments },
        key: Some(key),
        untrusted: args.label.is_some(),
    })
}

fn at_most(what: &str, bytes: usize, limit: usize) -> Result<(), CliError> {
    if bytes <= limit {
        return Ok(());
    }
    Err(CliError::Usage(format!("{what} has {bytes} bytes, the limit is {limit}")))
}

fn call(service: &Service, request: &FromClient, screen: &mut Screen, json: bool) -> Result<Answered, CliError> {
    let mut streamed = false;
    service.request(request, |message| match message {
        ToClient::ToolOutput { from_stderr, bytes, .. } => {
            if !json {
                streamed = true;
                output(screen, from_stderr, &bytes);
            }
            None
        }
        ToClient::ToolReport { action, decision, outcome } => Some(Answered { action, decision, outcome, streamed }),
        ToClient::Text(_)
        | ToClient::ToolDecided { .. }
        | ToClient::Replied(_)
        | ToClient::Status(_)
        | ToClient::Probed(_)
        | ToClient::Actions(_)
        | ToClient::UndoPreviewed { .. }
        | ToClient::Uploaded { .. }
        | ToClient::Action { .. }
        | ToClient::Explained(_)
        | ToClient::Policy(_)
        | ToClient::Log(_)
        | ToClient::Failed { .. } => None,
    })
}

fn output(screen: &mut Screen, from_stderr: bool, bytes: &[u8]) {
    if from_stderr {
        let mut stderr = std::io::stderr();
        // A closed standard error is nobody's to tell.
        let _ = if stderr.is_terminal() {
            stderr.write_all(harmless(&String::from_utf8_lossy(bytes)).as_bytes())
        } else {
            stderr.write_all(bytes)
        };
    } else {
        screen.bytes(bytes);
    }
}

/// `of`: the action whose changes it tells of, where they are not its own.
fn show(answered: &Answered, of: Option<u64>, screen: &mut Screen) {
    let Some(outcome) = &answered.outcome else {
        let decision = &answered.decision;
        let verdict = match decision.verdict {
            Verdict::Allowed => "allowed, but it did not run",
            Verdict::Asked => "waits for an approval",
            Verdict::Refused => "refused",
        };
        let why = format!("{verdict}: {} (rule {}). {}", decision.reason, decision.rule, decision.remedy);
        eprintln!("chela tool: {}", printable(&why));
        return;
    };
    if !answered.streamed {
        for (bytes, from_stderr) in [(&outcome.stdout, false), (&outcome.stderr, true)] {
            if !bytes.is_empty() {
                output(screen, from_stderr, bytes);
            }
        }
    }
    if let Some(how) = how(outcome) {
        eprintln!("chela tool: {how}");
    }
    effects::show(screen, of.unwrap_or(answered.action), outcome);
}

/// How it ended, in words, when it did not end by itself with status 0.
pub fn unusual(ended: Ended) -> Option<String> {
    match ended {
        Ended::Exited { code: 0 } => None,
        Ended::Exited { code } => Some(format!("exit status {code}")),
        Ended::Signalled { signal } => Some(format!("ended by signal {signal}")),
        Ended::TimedOut => Some("ran into its time limit and was killed".to_owned()),
        Ended::Cancelled => Some("cancelled".to_owned()),
        Ended::Failed => Some("could not be carried out".to_owned()),
        Ended::Unknown => Some("what it did is unknown, and it is not repeated: look before you ask again".to_owned()),
        Ended::Running => Some("runs in the background".to_owned()),
    }
}

/// As [`unusual`], with the limit that it ran into.
fn how(outcome: &ToolOutcome) -> Option<String> {
    let how = unusual(outcome.ended)?;
    Some(match outcome.limit.filter(|_| outcome.ended != Ended::TimedOut) {
        Some(limit) => format!("{how}: ran into {}", limit.words()),
        None => how,
    })
}

/// How it ended, and why what it changes is not real.
pub fn note(outcome: &ToolOutcome) -> Option<String> {
    let discarded = match &outcome.standing {
        Standing::Discarded { reason } => Some(format!("nothing was changed: {reason}")),
        Standing::Nothing | Standing::Staged | Standing::Committed => None,
    };
    let notes: Vec<String> = how(outcome).into_iter().chain(discarded).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn report(answered: &Answered, of: Option<u64>) -> Report<'_> {
    let decision = &answered.decision;
    let outcome = answered.outcome.as_ref();
    let text = |pick: fn(&ToolOutcome) -> &Vec<u8>| {
        outcome.map_or_else(String::new, |o| String::from_utf8_lossy(pick(o)).into_owned())
    };
    Report {
        action: (answered.action != 0).then_some(answered.action),
        decision: decision.verdict,
        reason: &decision.reason,
        rule: &decision.rule,
        risk: decision.risk,
        remedy: &decision.remedy,
        effects: Shown::of(outcome.map(|o| &o.effects)),
        committed: outcome.map_or(Some(false), committed),
        labels: outcome.map(ToolOutcome::label),
        exit_code: outcome.and_then(|o| exit_code(o.ended)),
        ended_by: outcome.and_then(|o| o.limit),
        note: outcome.and_then(|o| note(o).or_else(|| whose(o, of))),
        stdout: text(|o| &o.stdout),
        stderr: text(|o| &o.stderr),
        ms: outcome.map_or(0, |o| o.ms),
    }
}

/// By which number what it tells of is taken back.
fn whose(outcome: &ToolOutcome, of: Option<u64>) -> Option<String> {
    of.filter(|_| outcome.standing == Standing::Committed)
        .map(|of| format!("committed as action {of} (chela undo {of})"))
}

/// What a call changes is committed wholly or not at all.
pub fn committed(outcome: &ToolOutcome) -> Option<bool> {
    match (&outcome.standing, outcome.ended) {
        (_, Ended::Unknown) => None,
        (Standing::Committed, _) => Some(true),
        (Standing::Nothing | Standing::Staged | Standing::Discarded { .. }, _) => Some(false),
    }
}

/// Exit status, 128 and the signal's number for a killed command.
pub fn exit_code(ended: Ended) -> Option<i32> {
    match ended {
        Ended::Exited { code } => Some(code),
        Ended::Signalled { signal } => Some(128 + signal),
        Ended::TimedOut | Ended::Cancelled | Ended::Failed | Ended::Unknown | Ended::Running => None,
    }
}

fn status(answered: &Answered) -> ExitCode {
    match (answered.decision.verdict, answered.outcome.as_ref().map(|o| o.ended)) {
        (Verdict::Asked, _) => ExitCode::from(WAITS),
        (Verdict::Allowed, Some(Ended::Exited { code: 0 } | Ended::Running)) if !was_discarded(answered) => {
            ExitCode::SUCCESS
        }
        (Verdict::Allowed | Verdict::Refused, _) => ExitCode::FAILURE,
    }
}

fn was_discarded(answered: &Answered) -> bool {
    answered.outcome.as_ref().is_some_and(|o| matches!(o.standing, Standing::Discarded { .. }))
}
