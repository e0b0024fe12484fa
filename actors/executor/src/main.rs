//! `chela-executor`: one principal's tool calls, each in a disposable sandbox.
//!
//! # Reads
//! Nothing: it can't open a file. Its maker reads the system directories and the principal's workspace.
//!
//! # Writes
//! Its log stream. What runs in a sandbox writes to the workspace and to a /tmp that goes with it.
//!
//! # Talks to
//! The gate, over its edge; the supervisor, over its control line; its own maker, which makes the sandboxes.
//!
//! # If taken over
//! That one principal's workspace; no network, no other account's file.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use executor::{maker, serve::serve, stage::Plan};

fn main() -> ExitCode {
    kit::run(kit::Role::Executor, |_| maker::start(&Plan::of_the_table()), serve)
}
