//! `./x bench`: the figures that the project promises, each measured in this run beside a named peer or limit, with
//! the ratio. Nothing here passes or fails by time: it prints what is so, and fails when something was not measured.
//!
//! usage: chela-bench --peers DIR [--quick] [--only PART] [--cold-build-s SECONDS]
//! DIR holds `bin/zeroclaw`, `runit/usr/bin/runsv` and `bubblewrap/usr/bin/bwrap`: a peer that is missing there is said to be missing, never guessed.
#![forbid(unsafe_code)]

mod calls;
mod cells;
mod changes;
mod decisions;
mod edge;
mod figures;
mod growth;
mod network;
mod peers;
mod placement;
mod provider;
mod report;
mod restart;
mod sample;
mod transactions;
mod tree;
mod work;
mod zeroclaw;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line says.
pub struct Options {
    /// Directory of installed peers.
    pub peers: PathBuf,
    /// Directory of this project's peer sources.
    pub sources: PathBuf,
    /// Fewer repetitions and no growth.
    pub is_quick: bool,
    /// One part only, by the name that is printed while it is measured.
    pub only: Option<String>,
    /// Seconds that a build into an empty directory took, if there was one.
    pub cold_build_s: Option<f64>,
}

impl Options {
    /// How often something is measured.
    pub fn repetitions(&self, full: usize) -> usize {
        if self.is_quick { full.div_ceil(10).max(3) } else { full }
    }
}

fn main() -> ExitCode {
    let peer = std::env::args().nth(1).and_then(|kind| edge::be_peer(&kind));
    peer.unwrap_or_else(|| match options(std::env::args().skip(1)) {
        Some(options) => figures::all(options).unwrap_or_else(|reason| {
            eprintln!("chela-bench: {reason}");
            ExitCode::FAILURE
        }),
        None => {
            eprintln!("usage: chela-bench --peers DIR [--quick] [--only PART] [--cold-build-s SECONDS]");
            ExitCode::from(2)
        }
    })
}

/// `None`: wrong usage.
fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers");
    let mut options = Options { peers: PathBuf::new(), sources, is_quick: false, only: None, cold_build_s: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.is_quick = true,
            "--only" => options.only = Some(args.next()?),
            "--peers" => options.peers = PathBuf::from(args.next()?),
            "--cold-build-s" => options.cold_build_s = Some(args.next()?.parse().ok()?),
            _ => return None,
        }
    }
    (!options.peers.as_os_str().is_empty()).then_some(options)
}
