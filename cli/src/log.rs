//! `chela log`: the newest entries of the audit log, and whether all of them are what was written.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use chela_audit_log::{Report, verify};
use schema::edge::local::{FromClient, ToClient};
use serde_json::{Value, json};

use crate::client::Service;
use crate::error::{CliError, finish};
use crate::limits::{FOLLOW_PAUSE_MS, LOG_ENTRIES};
use crate::screen::{self, Screen, Style};
use crate::{date, paths, status};

/// Options of `chela log`.
#[derive(clap::Args, Debug)]
pub struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(clap::Subcommand, Debug)]
enum LogCommand {
    /// Show the newest entries.
    Tail {
        /// How many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        lines: u32,
        /// Go on with each new one, until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
    },
    /// Find any edit, gap or truncation; works with the service stopped, too.
    Verify,
}

/// Runs it. `verify` has status 1 when it finds a fault.
pub fn run(root: &Path, json: bool, args: &LogArgs) -> ExitCode {
    let result = match args.command {
        LogCommand::Tail { lines, follow } => tail(root, json, lines, follow),
        LogCommand::Verify => check(root, json),
    };
    finish("log", json, result)
}

fn tail(root: &Path, json: bool, lines: u32, follow: bool) -> Result<ExitCode, CliError> {
    let service = Service::of(root)?;
    let mut screen = Screen::stdout();
    let newest = status::fetch(&service)?.audit_entries;
    let mut from = newest.saturating_sub(u64::from(lines)) + 1;
    loop {
        // Without --follow: up to the entry that was the newest when this began.
        let entries = if follow || from <= newest { read(&service, from)? } else { Vec::new() };
        for entry in &entries {
            show(entry, json, &mut screen);
        }
        from += entries.len() as u64;
        if !entries.is_empty() {
            continue;
        }
        let waited = follow
            && service.interrupts().pause(FOLLOW_PAUSE_MS).map_err(|e| CliError::io("wait", "the next entry", e))?;
        if !waited {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn read(service: &Service, from: u64) -> Result<Vec<String>, CliError> {
    let request = FromClient::ReadLog { from, entries_max: LOG_ENTRIES };
    service.request(&request, |message| match message {
        ToClient::Log(entries) => Some(entries),
        ToClient::Text(_)
        | ToClient::ToolDecided { .. }
        | ToClient::ToolOutput { .. }
        | ToClient::Replied(_)
        | ToClient::ToolReport { .. }
        | ToClient::Status(_)
        | ToClient::Probed(_)
        | ToClient::Actions(_)
        | ToClient::UndoPreviewed { .. }
        | ToClient::Uploaded { .. }
        | ToClient::Action { .. }
        | ToClient::Explained(_)
        | ToClient::Policy(_)
        | ToClient::Failed { .. } => None,
    })
}

fn show(entry: &str, json: bool, screen: &mut Screen) {
    match serde_json::from_str::<Value>(entry) {
        Ok(value) if !json => screen.line(Style::Plain, &readable(&value)),
        Ok(value) => screen::json(&value),
        Err(_) => screen.line(Style::Warn, entry),
    }
}

fn readable(entry: &Value) -> String {
    let at_ms = entry["at_ms"].as_u64().unwrap_or(0);
    let event = entry["event"].as_str().unwrap_or("?");
    format!("{:>6}  {}  {event}  {}", entry["seq"], date::utc(at_ms), entry["body"])
}

fn check(root: &Path, json: bool) -> Result<ExitCode, CliError> {
    let path = paths::audit_log(root);
    let failed = |source: std::io::Error| {
        let hint = match source.kind() {
            ErrorKind::PermissionDenied => ". The log belongs to the gate's account: run this as root",
            ErrorKind::NotFound => ". Chela has not been started on this root; name another with --root DIR",
            _ => "",
        };
        CliError::Io { step: "read the audit log", object: path.display().to_string(), source, hint }
    };
    let report = verify(File::open(&path).map_err(failed)?, None).map_err(failed)?;
    if json {
        screen::json(&as_json(&report));
    } else {
        explain(&report, &path, &mut Screen::stdout());
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(report: &Report) -> Value {
    let faults: Vec<Value> =
        report.faults.iter().map(|found| json!({ "line": found.line, "fault": found.fault.to_string() })).collect();
    json!({
        "intact": report.is_clean(),
        "entries": report.entries,
        "torn": report.torn,
        "last_seq": report.last.as_ref().map(|entry| entry.seq),
        "last_hash": report.last.as_ref().map(|entry| entry.hash.to_string()),
        "ended_in_order": report.ended_in_order,
        "faults_counted": report.faults_counted,
        "faults": faults,
    })
}

fn explain(report: &Report, path: &Path, screen: &mut Screen) {
    for found in &report.faults {
        screen.line(Style::Warn, &format!("{}:{}: {}", path.display(), found.line, found.fault));
    }
    let unnamed = report.faults_counted.saturating_sub(report.faults.len() as u64);
    if unnamed > 0 {
        screen.line(Style::Warn, &format!("and {unnamed} more"));
    }
    let crashes = match report.torn {
        0 => String::new(),
        torn => format!(", {torn} lines cut off by a crash and accounted for"),
    };
    let verdict = if report.is_clean() { "intact" } else { "NOT intact" };
    screen.line(Style::Plain, &format!("{verdict}: {} entries{crashes}", report.entries));
    if let Some(last) = &report.last {
        let what = format!("last: {} {} {}", last.seq, date::utc(last.at_ms), last.hash);
        screen.line(Style::Dim, &what);
    }
}
