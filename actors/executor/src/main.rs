//! `chela-executor`: one principal's tool calls, each in a disposable sandbox.
//!
//! # Reads
//! The principal's workspace and the store beside it; directories of theirs that root has added. Its maker reads the system directories too.
//!
//! # Writes
//! Its log stream; the workspace, and those directories that may be changed, by whole transactions that the gate has decided on; the store of staged changes and of
//! what is needed to undo them. What runs in a sandbox writes to a layer over the workspace that goes with it.
//!
//! # Talks to
//! The gate, over its edge; the supervisor, over its control line; its own maker, which makes the sandboxes.
//!
//! # If taken over
//! That one principal's workspace; no network, no other account's file.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;

use executor::{area, directories, maker, serve::serve, stage::Plan};

fn main() -> ExitCode {
    kit::run(kit::Role::Executor, |_| begin(), serve)
}

/// The maker is forked before the store is open: it has no descriptor of it.
fn begin() -> Result<(workspace::Area, OwnedFd), BeginError> {
    let principal = Path::new(area::PRINCIPAL);
    area::make(principal)?;
    let plan = Plan::of_the_table().map_err(BeginError::Directories)?;
    let maker = maker::start(&plan)?;
    Ok((area::open(principal, &directories::writable(&plan.directories))?, maker))
}

/// Why an executor can't begin.
#[derive(Debug, thiserror::Error)]
enum BeginError {
    #[error("{0}")]
    Area(#[from] area::OpenError),
    #[error("list the directories that were added: {0}")]
    Directories(std::io::Error),
    #[error("{0}")]
    Maker(#[from] maker::MakerError),
}
