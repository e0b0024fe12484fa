//! `chelad`, the launcher: starts every other process of Chela in its cage and makes the edges between them.
//!
//! # Reads
//! `etc/uids` (two numbers), the accounts in /etc/passwd, fixed-size requests of the supervisor, one byte from any
//! other role, /proc. Nothing that a user or a network wrote.
//! # Writes
//! `run/` (lock, listener), directories and log files below `var/`, the service manager's socket, its own log (standard
//! error), control groups below its own.
//! # Talks to
//! Each role over that role's line, the supervisor first of all.
//! # If taken over
//! Everything: it is root. Hence no parser, no runtime, no thread, no inet socket, and few lines.
#![deny(unsafe_code)]

mod accounts;
mod cage;
mod capabilities;
mod cgroup;
mod child;
mod directories;
mod edges;
mod errors;
mod launcher;
mod line;
mod notify;
mod options;
mod paths;
mod reap;
mod requests;
mod sanitize;
mod sealed;
mod slots;
mod spawn;
#[allow(unsafe_code)]
mod sys;

use std::process::ExitCode;

fn main() -> ExitCode {
    run().unwrap_or_else(|failure| {
        errors::say(&failure);
        ExitCode::from(failure.exit_status)
    })
}

fn run() -> Result<ExitCode, errors::Failure> {
    let manager = notify::Manager::from_environment();
    sanitize::process()?;
    let Some(options) = options::read()? else {
        return Ok(ExitCode::SUCCESS);
    };
    sanitize::require_root()?;
    let host = paths::Host::open(options)?;
    capabilities::keep_listed()?;
    launcher::Launcher::new(host, manager)?.serve()
}
