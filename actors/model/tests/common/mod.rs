//! The default model's file and an engine for it, for tests and benches.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use model::engine::{Engine, Request};
use model::sample::Choice;
use schema::label::Label;
use schema::talk::{CallMode, Message, Speaker};

/// The default model, fetched when it is not there yet. Without it these tests fail: there is nothing to skip.
pub fn model_file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/fetch-model");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("model.gguf");
        let status = Command::new(&fetch).arg(&file).status().expect("packaging/fetch-model can be started");
        assert!(status.success(), "the default model is missing: run {} {}", fetch.display(), file.display());
        file
    })
}

/// The kernels that were built with this program.
pub fn kernels() -> &'static Path {
    Path::new(env!("CHELA_BUILT_BACKENDS"))
}

/// A fresh engine.
pub fn engine() -> Engine {
    let mut engine = Engine::load(kernels(), model_file()).expect("the default model loads");
    engine.start_threads();
    engine
}

/// One message.
pub fn said(speaker: Speaker, text: &str) -> Message {
    Message { speaker, text: text.to_owned(), label: Label::NOTHING }
}

/// A request for words.
pub fn ask(messages: &[Message], tokens_max: u32) -> Request {
    Request {
        messages: messages.to_vec(),
        tools: vec![],
        call: CallMode::Never,
        tokens_max,
        words: Choice { temperature: 0.0, ..Choice::WORDS },
    }
}
