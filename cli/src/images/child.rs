//! The process that unpacks. It takes what it is handed on standard input, gives up everything else, and answers on
//! standard output.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::ExitCode;

use images::{Limits, Unpacked, confine, hand};
use roles::rows::unpack::ACCOUNT;
use serde::{Deserialize, Serialize};

use crate::accounts;

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is in the directory.
    Unpacked(Unpacked),
    /// It is not, and why.
    Refused(String),
}

/// Its whole life.
pub fn run() -> ExitCode {
    let answer = work().map_or_else(Answer::Refused, Answer::Unpacked);
    let written = match serde_json::to_vec(&answer) {
        Ok(text) => std::io::stdout().write_all(&text).and_then(|()| std::io::stdout().flush()).is_ok(),
        Err(_) => false,
    };
    if written { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work() -> Result<Unpacked, String> {
    let account = accounts::by_name(ACCOUNT).ok_or_else(|| format!("there is no account {ACCOUNT}"))?;
    let handed = hand::receive(std::io::stdin().as_fd())
        .map_err(|error| format!("this is what `chela images import` runs, and nobody else: {error}"))?;
    let into = handed.into.as_fd();
    confine(account.uid, account.gid, into).map_err(|error| error.to_string())?;
    images::unpack(handed.opened, into, &handed.wanted, &Limits::default()).map_err(|error| error.to_string())
}
