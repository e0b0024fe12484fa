//! `chela status`: every instance, its restarts, uptime and memory, and what waits. Status 0 when all is ready.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use schema::edge::control::{InstanceState, Phase};
use schema::edge::local::{FromClient, Status, ToClient};
use serde::Serialize;

use crate::client::Service;
use crate::error::{CliError, finish};
use crate::screen::{self, Screen, Style};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    ready: bool,
    instances: Vec<Row>,
    turns_open: u32,
    turns_waiting: u32,
    turns_quarantined: u32,
    audit_entries: u64,
}

/// One instance.
#[derive(Serialize)]
struct Row {
    role: String,
    slot: u32,
    /// As the host sees it; null when it does not run.
    pid: Option<u32>,
    phase: Phase,
    restarts: u32,
    uptime_ms: u64,
    /// Resident memory, KiB; null when it can't be read.
    rss_kib: Option<u64>,
    /// The share of it that is its own, KiB; needs root.
    pss_kib: Option<u64>,
    last_exit: String,
}

/// Runs it.
pub fn run(root: &Path, json: bool) -> ExitCode {
    finish("status", json, status(root, json))
}

fn status(root: &Path, json: bool) -> Result<ExitCode, CliError> {
    let status = fetch(&Service::of(root)?)?;
    let report = Report {
        ready: status.instances.iter().all(|one| as_it_should(one.phase)),
        instances: status.instances.iter().map(row).collect(),
        turns_open: status.turns_open,
        turns_waiting: status.turns_waiting,
        turns_quarantined: status.turns_quarantined,
        audit_entries: status.audit_entries,
    };
    if json {
        screen::json(&report);
    } else {
        show(&report, &mut Screen::stdout());
    }
    Ok(if report.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks the gate how everything is.
pub fn fetch(service: &Service) -> Result<Status, CliError> {
    service.request(&FromClient::Status, |message| match message {
        ToClient::Status(status) => Some(status),
        ToClient::Text(_)
        | ToClient::ToolDecided { .. }
        | ToClient::ToolOutput { .. }
        | ToClient::Replied(_)
        | ToClient::ToolReport { .. }
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

/// An instance on demand that is not running is as it should be.
fn as_it_should(phase: Phase) -> bool {
    match phase {
        Phase::Ready | Phase::Stopped => true,
        Phase::Starting | Phase::BackingOff | Phase::GivenUp | Phase::Stopping => false,
    }
}

fn row(state: &InstanceState) -> Row {
    let pid = (state.pid != 0).then_some(state.pid);
    Row {
        role: match state.place.role() {
            Some(role) => role.row().name.to_owned(),
            None => format!("role {}", state.place.role),
        },
        slot: state.place.slot,
        pid,
        phase: state.phase,
        restarts: state.restarts,
        uptime_ms: state.uptime_ms,
        rss_kib: pid.and_then(|pid| kib(&format!("/proc/{pid}/status"), "VmRSS:")),
        pss_kib: pid.and_then(|pid| kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:")),
        last_exit: state.last_exit.clone(),
    }
}

fn kib(file: &str, field: &str) -> Option<u64> {
    field_kib(&fs::read_to_string(file).ok()?, field)
}

fn field_kib(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn show(report: &Report, screen: &mut Screen) {
    let title = format!(
        "{:<11}{:>5}  {:>8}  {:<11}{:>8}  {:>9}  {:>9}  {:>9}  {}",
        "ROLE", "SLOT", "PID", "PHASE", "RESTARTS", "UPTIME", "RSS", "PSS", "LAST EXIT"
    );
    screen.line(Style::Bold, title.trim_end());
    for row in &report.instances {
        let style = if as_it_should(row.phase) { Style::Plain } else { Style::Warn };
        screen.line(style, line(row).trim_end());
    }
    screen.line(
        Style::Plain,
        &format!(
            "turns: {} open, {} waiting, {} quarantined; audit log: {} entries",
            report.turns_open, report.turns_waiting, report.turns_quarantined, report.audit_entries
        ),
    );
    let (style, word) = if report.ready { (Style::Plain, "all is ready") } else { (Style::Warn, "not all is ready") };
    screen.line(style, word);
}

fn line(row: &Row) -> String {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), mib);
    let pid = row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    format!(
        "{:<11}{:>5}  {:>8}  {:<11}{:>8}  {:>9}  {:>9}  {:>9}  {}",
        row.role,
        row.slot,
        pid,
        phase_name(row.phase),
        row.restarts,
        if row.pid.is_some() { span(row.uptime_ms) } else { "-".to_owned() },
        number(row.rss_kib),
        number(row.pss_kib),
        row.last_exit
    )
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::BackingOff => "backing off",
        Phase::GivenUp => "given up",
        Phase::Stopping => "stopping",
        Phase::Stopped => "stopped",
    }
}

fn mib(kib: u64) -> String {
    format!("{}.{} MB", kib / 1024, kib % 1024 * 10 / 1024)
}

fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match (seconds / 86_400, seconds / 3600, seconds / 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{field_kib, mib, span};

    #[test]
    fn memory_is_read_from_procs_own_form() {
        let status = "Name:\tchela-gate\nVmRSS:\t    2148 kB\nThreads:\t1\n";
        assert_eq!(field_kib(status, "VmRSS:"), Some(2148));
        assert_eq!(field_kib(status, "Pss:"), None);
        assert_eq!(mib(2148), "2.0 MB");
    }

    #[test]
    fn spans_read_well() {
        assert_eq!(span(900), "0 s");
        assert_eq!(span(61_000), "1 min 1 s");
        assert_eq!(span(3_700_000), "1 h 1 min");
        assert_eq!(span(90_000_000), "1 d 1 h");
    }
}
