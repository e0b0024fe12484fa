//! `chela`: what a person types.
#![forbid(unsafe_code)]

mod setup;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chela, a self-hosted assistant that can do no more than its job.
#[derive(Parser)]
#[command(name = "chela", version)]
struct Options {
    /// Directory of configuration, state and sockets.
    #[arg(long, global = true, value_name = "DIR", default_value = "/var/lib/chela")]
    root: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a root directory ready for chelad.
    Setup(setup::SetupArgs),
}

fn main() -> ExitCode {
    let options = Options::parse();
    match &options.command {
        Command::Setup(args) => setup::run(&options.root, options.json, args),
    }
}
