//! `chela doctor`: what this host and this root directory lack, and the fix. It changes nothing.
//!
//! Each check reads something and hands it to a pure function that judges it.

mod host;
mod kernel;
mod root;

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Chela works; something that it could use is not there.
    Weaker,
    /// Chela does not work, or not safely.
    Missing,
}

/// One check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// What is so.
    pub found: String,
    /// What to do; empty when nothing is.
    pub fix: String,
}

impl Check {
    /// As it should be.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, state: State::Ok, found: found.into(), fix: String::new() }
    }

    /// Something that Chela could use is not there.
    pub fn weaker(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, state: State::Weaker, found: found.into(), fix: fix.into() }
    }

    /// Something that Chela needs is not there.
    pub fn missing(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, state: State::Missing, found: found.into(), fix: fix.into() }
    }
}

/// Runs it. Exit status 1 when something that is needed is missing.
pub fn run(dir: &Path, json: bool) -> ExitCode {
    let mut checks = kernel::checks();
    checks.extend(host::checks());
    checks.extend(root::checks(dir));
    let is_well = checks.iter().all(|check| check.state != State::Missing);
    if json {
        let report = serde_json::json!({ "root": dir, "ok": is_well, "checks": checks });
        println!("{report:#}");
    } else {
        print(&checks, is_well);
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(checks: &[Check], is_well: bool) {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in checks {
        let mark = match check.state {
            State::Ok => "ok     ",
            State::Weaker => "weaker ",
            State::Missing => "MISSING",
        };
        println!("{mark}  {:width$}  {}", check.name, check.found);
        if !check.fix.is_empty() {
            println!("{:9}{:width$}  fix: {}", "", "", check.fix);
        }
    }
    println!(
        "{}",
        if is_well { "Nothing that Chela needs is missing." } else { "Chela can't work like this: see MISSING above." }
    );
}
