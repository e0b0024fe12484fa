//! `chela-model`: completes text with a local language model.
//!
//! # Reads
//! Before its seal: the engine's libraries in `/usr/lib`, `/lib` and `/lib64`, its kernels in `/backends`, the weights in
//! `/model.gguf`. After its seal: no file at all.
//!
//! # Writes
//! Its log stream, in which no word of a conversation stands.
//!
//! # Talks to
//! The gate, over its edge: conversations in, text or one tool call out. The launcher and the supervisor, over their
//! lines.
//!
//! # If taken over
//! It is a hijacked model that remembers this one principal's prompts: it can answer the gate with lies and with calls
//! that the gate decides upon. No network, no file, no process, no other principal.
#![forbid(unsafe_code)]

mod serve;

use std::path::Path;
use std::process::ExitCode;

use model::engine::Engine;

/// Where the table puts the kernels.
const KERNELS: &str = "/backends";
/// Where the table puts the weights.
const WEIGHTS: &str = "/model.gguf";

fn main() -> ExitCode {
    kit::run(kit::Role::Model, |_| Engine::load(Path::new(KERNELS), Path::new(WEIGHTS)), serve::serve)
}
