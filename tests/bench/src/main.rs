//! `./x bench`: the figures that the project promises, each measured in this run beside a named peer or limit, with
//! the ratio. Nothing here passes or fails a test: it prints what is so.
//!
//! usage: chela-bench --peers DIR [--quick]
//! DIR holds `bin/zeroclaw` (a peer that is missing there is said to be missing, never guessed).
#![forbid(unsafe_code)]

mod figures;
mod peers;
mod report;
mod sample;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line says.
pub struct Options {
    /// Directory of installed peers.
    pub peers: PathBuf,
    /// Directory of this project's peer sources.
    pub sources: PathBuf,
    /// Fewer repetitions and no growth.
    pub quick: bool,
}

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("usage: chela-bench --peers DIR [--quick]");
        return ExitCode::from(2);
    };
    if let Err(reason) = harness::require_root() {
        eprintln!("chela-bench: {reason}");
        return ExitCode::FAILURE;
    }
    figures::all(&options)
}

/// `None`: wrong usage.
fn options(mut args: impl ExactSizeIterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        peers: PathBuf::from("/nonexistent"),
        sources: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers"),
        quick: false,
    };
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.len()) {
            ("--quick", _) => options.quick = true,
            ("--peers", 1..) => options.peers = args.next().map(PathBuf::from)?,
            _ => return None,
        }
    }
    Some(options)
}
