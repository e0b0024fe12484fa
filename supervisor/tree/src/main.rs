//! `chela-supervisor`: decides when a role runs; never what it may do.
//!
//! # Reads
//! `/etc/supervisor/tree.toml`, at its start and when told to reload.
//!
//! # Writes
//! Nothing but its log stream.
//!
//! # Talks to
//! The launcher, over its line: asks for starts and signals, hears what became of them. Each role, over its control
//! line: heartbeats, orderly stop. It holds no edge.
//!
//! # If taken over
//! It can start and stop roles, as fast as the launcher lets it. It sees no message of anybody, can mislabel nothing and
//! can give no role anything but its place in the table.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use kit::{Role, Sealed, Seat};
use schema::edge::ProbeResult;

use chela_supervisor::serve::{Means, ServeError, serve};
use chela_supervisor::settings::{PATH, Settings, SettingsError};

fn main() -> ExitCode {
    kit::run(Role::Supervisor, prepare, |sealed: Sealed, means| supervise(sealed, means))
}

/// Why it does not come to be sealed.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("a seed of the kernel's random numbers: {0}")]
    Seed(#[from] getrandom::Error),
}

fn prepare(_seat: &Seat) -> Result<Means, PrepareError> {
    // ractor's registries ask how many processors there are when first used, which the seal does not allow.
    ractor::registry::registered();
    ractor::pg::which_groups();
    let settings = Settings::read(Path::new(PATH))?;
    Ok(Means { settings, path: PATH.into(), seed: getrandom::u64()?, probe })
}

async fn supervise(sealed: Sealed, means: Means) -> Result<(), ServeError> {
    // Never closed before the process has ended: the launcher ends whoever has closed its line, with SIGKILL.
    serve(Box::leak(Box::new(sealed.line)), means).await
}

fn probe() -> ProbeResult {
    kit::probe::probe(Role::Supervisor.row())
}
