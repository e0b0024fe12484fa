//! `chela actions`: what was done, for whom, and what became of it.

use std::path::Path;
use std::process::ExitCode;

use schema::actions::{ActionBrief, ActionRecord, Counts, Fate, InBackground};
use schema::edge::local::{FromClient, ToClient};
use schema::label::Label;
use schema::limits::ACTIONS_LISTED;
use schema::tool::{Ended, ToolOutcome};
use serde_json::{Value, json};

use crate::background;
use crate::client::Service;
use crate::effects::{self, Shown};
use crate::error::{CliError, finish};
use crate::limits::{ACTIONS_DEFAULT, ARGUMENTS_SHOWN};
use crate::screen::{self, Screen, Style, shortened};
use crate::{date, tool};

/// Options of `chela actions`.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  chela actions\n  chela actions list --limit 5\n  chela actions show 17")]
pub struct ActionsArgs {
    #[command(flatten)]
    list: ListArgs,
    #[command(subcommand)]
    command: Option<ActionsCommand>,
}

#[derive(clap::Args, Debug)]
struct ListArgs {
    /// Whose; needs that principal's consent or root.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// How many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = ACTIONS_DEFAULT)]
    limit: u32,
}

#[derive(clap::Subcommand, Debug)]
enum ActionsCommand {
    /// The newest actions, newest first.
    List(ListArgs),
    /// All that is known of one: call, decision, effects, output, times.
    Show {
        /// Whose; needs that principal's consent or root.
        #[arg(long = "as", value_name = "PRINCIPAL")]
        principal: Option<String>,
        /// Its number.
        action: u64,
    },
}

/// Runs it. Status 0 when there is such an action.
pub fn run(root: &Path, json: bool, args: &ActionsArgs) -> ExitCode {
    let result = match &args.command {
        None => list(root, json, &args.list),
        Some(ActionsCommand::List(args)) => list(root, json, args),
        Some(ActionsCommand::Show { principal, action }) => show(root, json, principal.as_deref(), *action),
    };
    finish("actions", json, result)
}

fn list(root: &Path, json: bool, args: &ListArgs) -> Result<ExitCode, CliError> {
    let service = Service::of(root)?;
    let mut screen = Screen::stdout();
    let (mut left, mut before, mut all) = (args.limit, None, Vec::new());
    while left > 0 {
        let actions_max = left.min(ACTIONS_LISTED);
        let page = page(&service, args.principal.clone(), before, actions_max)?;
        let got = u32::try_from(page.len()).unwrap_or(u32::MAX);
        before = page.last().map(|one| one.action);
        for one in &page {
            if json {
                all.push(brief(one));
            } else {
                screen.line(Style::Plain, &line(one));
            }
        }
        left -= got.min(left);
        if got < actions_max {
            break;
        }
    }
    if json {
        screen::json(&all);
    } else if before.is_none() {
        screen.line(Style::Dim, "no action so far: chela tool run_command command='ls -l' makes the first");
    }
    Ok(ExitCode::SUCCESS)
}

fn page(
    service: &Service,
    principal: Option<String>,
    before: Option<u64>,
    actions_max: u32,
) -> Result<Vec<ActionBrief>, CliError> {
    service.request(&FromClient::ListActions { principal, before, actions_max }, |message| {
        if let ToClient::Actions(briefs) = message { Some(briefs) } else { None }
    })
}

fn line(one: &ActionBrief) -> String {
    let asked = date::utc(one.asked_at_ms);
    let call = shortened(&format!("{} {}", one.tool, one.arguments), ARGUMENTS_SHOWN);
    format!("{:>6}  {asked}  {}  {call}", one.action, became(one))
}

fn became(one: &ActionBrief) -> String {
    let Counts { created, changed, deleted, more } = one.counts;
    let mut text = one.fate.words().to_owned();
    match one.background {
        Some(InBackground::Running | InBackground::Ended) => text = "in the background".to_owned(),
        Some(InBackground::Unknown) => text = "in the background, end unknown".to_owned(),
        Some(InBackground::Decided | InBackground::Discarded) | None => {}
    }
    if let Some(of) = background::tells_of(&one.tool, &one.arguments) {
        text = format!("tells of {of}: {text}");
    }
    if created + changed + deleted + more > 0 {
        text.push_str(&format!(" (~{changed} -{deleted} +{created}"));
        text.push_str(&if more > 0 { format!(" and {more} more)") } else { ")".to_owned() });
    }
    if let Some(how) = how(one) {
        text.push_str(&format!(", {how}"));
    }
    if let Some(by) = one.undone_by {
        text.push_str(&format!(" by {by}"));
    }
    if let Some(of) = one.undoes {
        text.push_str(&format!(", takes back {of}"));
    }
    text
}

/// How it ended, where that says more than its state.
fn how(one: &ActionBrief) -> Option<String> {
    one.ended.filter(|ended| *ended != Ended::Running).and_then(tool::unusual)
}

fn brief(one: &ActionBrief) -> Value {
    json!({
        "action": one.action,
        "turn": one.turn,
        "channel": one.channel,
        "tool": one.tool,
        "arguments": one.arguments,
        "decision": one.verdict,
        "risk": one.risk,
        "asked_at": date::utc(one.asked_at_ms),
        "fate": one.fate,
        "effects": one.counts,
        "exit_code": one.ended.and_then(tool::exit_code),
        "note": how(one),
        "background": one.background,
        "undoes": one.undoes,
        "undone_by": one.undone_by,
    })
}

fn show(root: &Path, json: bool, principal: Option<&str>, action: u64) -> Result<ExitCode, CliError> {
    let service = Service::of(root)?;
    let request = FromClient::ShowAction { principal: principal.map(str::to_owned), action };
    let (name, record) = service.request(&request, |message| {
        if let ToClient::Action { principal, record } = message { Some((principal, record)) } else { None }
    })?;
    if json {
        screen::json(&whole(&name, &record));
    } else {
        explain(&name, &record, &mut Screen::stdout());
    }
    Ok(ExitCode::SUCCESS)
}

/// As `chela tool --json` says it, and all that only the journal knows.
fn whole(name: &str, record: &ActionRecord) -> Value {
    let outcome = record.outcome.as_ref();
    let text = |pick: fn(&ToolOutcome) -> &Vec<u8>| outcome.map(|it| String::from_utf8_lossy(pick(it)).into_owned());
    let ended_at = outcome.map(|it| it.settled.ended_at_ms).filter(|at| *at > 0);
    json!({
        "action": record.action,
        "principal": name,
        "turn": record.turn,
        "channel": record.channel,
        "said": record.said,
        "tool": record.call.name,
        "arguments": serde_json::from_str::<Value>(&record.call.arguments).unwrap_or_else(|_| json!(record.call.arguments)),
        "label": record.label,
        "labels": outcome.map(ToolOutcome::label),
        "wrote": outcome.and_then(|it| it.wrote),
        "decision": record.decision.verdict,
        "reason": record.decision.reason,
        "rule": record.decision.rule,
        "risk": record.decision.risk,
        "remedy": record.decision.remedy,
        "fate": record.fate(),
        "settled_by": outcome.map(|it| &it.settled).filter(|it| !it.rule.is_empty())
            .map(|it| json!({ "rule": it.rule, "reason": it.reason })),
        "effects": Shown::of(outcome.map(|it| &it.effects)),
        "committed": outcome.map_or(Some(false), tool::committed),
        "background": record.background.map(|state| json!({
            "state": state,
            "changes_of": record.action,
            "undo": undo(record),
            "words": state.words(record.action),
        })),
        "undoes": record.undoes,
        "undone_by": record.undone_by,
        "exit_code": outcome.and_then(|it| tool::exit_code(it.ended)),
        "ended_by": outcome.and_then(|it| it.limit),
        "note": outcome.and_then(tool::note).filter(|_| record.background != Some(InBackground::Unknown)),
        "stdout": text(|it| &it.stdout),
        "stdout_dropped_bytes": outcome.map(|it| it.stdout_dropped_bytes),
        "stderr": text(|it| &it.stderr),
        "stderr_dropped_bytes": outcome.map(|it| it.stderr_dropped_bytes),
        "ms": outcome.map(|it| it.ms),
        "asked_at": date::utc(record.asked_at_ms),
        "ended_at": ended_at.map(date::utc),
        "settled_at": record.settled_at_ms.map(date::utc),
    })
}

/// What takes it back, while it is real.
fn undo(record: &ActionRecord) -> Option<String> {
    (record.fate() == Fate::Committed).then(|| format!("chela undo {}", record.action))
}

fn explain(name: &str, record: &ActionRecord, screen: &mut Screen) {
    screen.line(Style::Bold, &format!("action {}: {}", record.action, record.fate().words()));
    screen.line(Style::Plain, &format!("call      {} {}", record.call.name, record.call.arguments));
    let from = if record.channel == "tool" { "chela tool".to_owned() } else { format!("{:?}", record.said) };
    screen.line(Style::Plain, &format!("asked by  {name}, turn {} ({}: {from})", record.turn, record.channel));
    let decision = &record.decision;
    let risk = format!("{:?}", decision.risk).to_lowercase();
    let verdict = format!("{:?}", decision.verdict).to_lowercase();
    screen
        .line(Style::Plain, &format!("decision  {verdict}: {} (rule {}, risk {risk})", decision.reason, decision.rule));
    screen.line(Style::Plain, &format!("label     {} (of its turn)", record.label));
    screen.line(Style::Plain, &format!("asked     {}", date::utc(record.asked_at_ms)));
    if let Some(state) = record.background {
        let undo = undo(record).map_or_else(String::new, |undo| format!(" ({undo})"));
        screen.line(Style::Plain, &format!("command   {}{undo}", state.words(record.action)));
    }
    let Some(outcome) = &record.outcome else { return };
    if outcome.settled.ended_at_ms > 0 {
        let ended = date::utc(outcome.settled.ended_at_ms);
        screen.line(Style::Plain, &format!("ended     {ended}, {} ms of work", outcome.ms));
    }
    if let Some(at) = record.settled_at_ms {
        let rule = &outcome.settled.rule;
        let why = if rule.is_empty() { String::new() } else { format!(": {} (rule {rule})", outcome.settled.reason) };
        screen.line(Style::Plain, &format!("settled   {}{why}", date::utc(at)));
    }
    if let Some(code) = tool::exit_code(outcome.ended) {
        screen.line(Style::Plain, &format!("status    {code}"));
    }
    if outcome.reads != Label::NOTHING {
        screen.line(Style::Plain, &format!("could read {}", outcome.reads));
    }
    if let Some(wrote) = outcome.wrote {
        screen.line(Style::Plain, &format!("wrote     {wrote} (the label of its files)"));
    }
    if let Some(note) = tool::note(outcome).filter(|_| record.background != Some(InBackground::Unknown)) {
        screen.line(Style::Warn, &format!("note      {note}"));
    }
    let output = [
        ("stdout", &outcome.stdout, outcome.stdout_dropped_bytes),
        ("stderr", &outcome.stderr, outcome.stderr_dropped_bytes),
    ];
    for (what, bytes, dropped) in output {
        if dropped > 0 {
            screen.line(Style::Dim, &format!("{what}: {dropped} bytes before this are not kept"));
        }
        for line in String::from_utf8_lossy(bytes).lines() {
            screen.line(Style::Plain, &format!("{what}    {line}"));
        }
    }
    effects::list(screen, &outcome.effects);
    if let Some(of) = record.undoes {
        screen.line(Style::Plain, &format!("takes back action {of}"));
    }
    if let Some(by) = record.undone_by {
        screen.line(Style::Plain, &format!("taken back by action {by} (chela undo {by} brings it back)"));
    }
}
