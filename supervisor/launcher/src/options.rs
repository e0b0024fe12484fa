//! The command line: `chelad [--root DIR] [--libexec DIR]`.

use std::{ffi::OsString, path::PathBuf};

use crate::errors::{Failure, failure};

const USAGE: &str = "usage: chelad [--root DIR] [--libexec DIR]
  --root DIR     configuration (DIR/etc), state (DIR/var) and sockets (DIR/run); default /var/lib/chela
  --libexec DIR  where the role programs are; default: beside chelad, else ../libexec/chela";

/// Where this Chela lives.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub root: PathBuf,
    /// Where the role programs are, if not beside chelad.
    pub libexec: Option<PathBuf>,
}

/// Reads the command line; `None` when only help was asked for.
pub fn read() -> Result<Option<Options>, Failure> {
    let parsed = parse(std::env::args_os().skip(1));
    if let Ok(None) = parsed {
        println!("{USAGE}");
    }
    parsed.map_err(|argument| Failure {
        exit_status: 2,
        ..failure("command line", argument.display(), "not understood").or(USAGE)
    })
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Options>, OsString> {
    let mut given = Options { root: PathBuf::from("/var/lib/chela"), libexec: None };
    while let Some(argument) = arguments.next() {
        let value = match argument.to_str() {
            Some("--root" | "--libexec") => PathBuf::from(arguments.next().ok_or(argument.clone())?),
            Some("--help" | "-h") => return Ok(None),
            Some(_) | None => return Err(argument),
        };
        match argument == "--root" {
            true => given.root = value,
            false => given.libexec = Some(value),
        }
    }
    Ok(Some(given))
}

#[path = "../tests/unit/options.rs"]
#[cfg(test)]
mod tests;
