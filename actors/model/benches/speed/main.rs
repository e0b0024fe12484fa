//! How fast our engine reads and writes, beside llama.cpp's own way, on the same file with the same threads in the same
//! run. Ours does all that the role does: template, tokens, sampling, text. Exits with 1 when a ratio is below 0.9.
#![deny(unsafe_code)]
#![allow(clippy::expect_used)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod sys;

use std::fs;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{ask, engine, kernels, model_file, said};
use model::engine::{Engine, threads};
use model::sys::Kernels;
use schema::talk::Speaker;
use sys::Peer;

/// Rounds of each, alternating; the best counts, since other programs only ever slow one down.
const ROUNDS: usize = 10;
/// Between two turns: an engine's threads spin for a while after their last token, and would slow the other down.
const PAUSE_MS: u64 = 400;
/// Tokens written in a round.
const WRITTEN_TOKENS: u32 = 32;
/// What must be reached.
const RATIO_MIN: f64 = 0.9;

#[derive(Default)]
struct Best {
    read: f64,
    wrote: f64,
}

impl Best {
    fn keep(&mut self, read: f64, wrote: f64) {
        self.read = self.read.max(read);
        self.wrote = self.wrote.max(wrote);
    }
}

fn main() -> ExitCode {
    let begun = Instant::now();
    let mut engine = engine();
    let load_ms = begun.elapsed().as_millis();
    let kernels = Kernels::load(kernels()).expect("kernels are loaded");
    let ours_only = memory();
    let mut peer = Peer::new(kernels, model_file(), threads()).expect("the peer loads");
    let (mut ours, mut theirs) = (Best::default(), Best::default());
    for _ in 0..ROUNDS {
        sleep(Duration::from_millis(PAUSE_MS));
        let tokens = round(&mut engine, &mut ours);
        sleep(Duration::from_millis(PAUSE_MS));
        let (read, wrote) = peer.read_and_write(&tokens, WRITTEN_TOKENS as usize).expect("the peer computes");
        let per_second = |count: usize, time: Duration| count as f64 / time.as_secs_f64();
        theirs.keep(per_second(tokens.len(), read), per_second(WRITTEN_TOKENS as usize, wrote));
    }
    println!("load {load_ms} ms, {} threads", threads());
    println!("memory after loading: {ours_only}");
    println!("memory after all, with the peer: {}", memory());
    let reads = line("reads", ours.read, theirs.read);
    let writes = line("writes", ours.wrote, theirs.wrote);
    if reads && writes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One round of ours; returns the prompt.
fn round(engine: &mut Engine, best: &mut Best) -> Vec<i32> {
    let story = "The crab walks sideways along the beach and looks for a new shell, since the old one is too small. ";
    let messages = [said(Speaker::User, &format!("{}Tell me how it goes on, in a very long story.", story.repeat(8)))];
    engine.forget();
    let read = engine.complete(&ask(&messages, 1), &mut |_| {}).expect("the engine reads").usage;
    let mut written = String::new();
    let request = ask(&messages, WRITTEN_TOKENS);
    let begun = Instant::now();
    let wrote = engine.complete(&request, &mut |text| written.push_str(text)).expect("the engine writes").usage;
    let seconds = begun.elapsed().as_secs_f64();
    assert!(!written.is_empty() && wrote.tokens_cached + 1 == wrote.tokens_in);
    let read_tokens = f64::from(read.tokens_in - read.tokens_cached);
    best.keep(read_tokens / (f64::from(read.model_ms.max(1)) / 1e3), f64::from(wrote.tokens_out) / seconds);
    engine.prompt(&request).expect("the prompt is made")
}

fn line(what: &str, ours: f64, theirs: f64) -> bool {
    let ratio = ours / theirs;
    println!("{what}: {ours:.0} tokens/s, llama.cpp itself {theirs:.0}, ratio {ratio:.2} (at least {RATIO_MIN})");
    ratio >= RATIO_MIN
}

/// Resident memory, kB: what is ours alone, and pages of files.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = |line: &&str| line.starts_with("RssAnon") || line.starts_with("RssFile");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    status.lines().filter(wanted).map(words).collect::<Vec<_>>().join(", ")
}
