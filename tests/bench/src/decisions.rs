//! Decisions on commands: what the gate's thread does between a call and its action, parsing included.

use std::time::Instant;

use chela_gate::decide::decide;
use chela_gate::policies::Current;
use chela_gate::principals::Principal;
use commands::limits::TEXT_BYTES_MAX;
use schema::label::{Confidentiality, Integrity, Label};
use schema::tool::ToolCall;

use crate::figures::Report;
use crate::report::{Target, measured, us};
use crate::sample::Sample;

const ORDINARY: &str = include_str!("../../../actors/commands/corpus/ordinary.txt");
const REFUSED: &str = include_str!("../../../actors/commands/corpus/refused.txt");

impl Report {
    /// Time of a decision on a command, over the corpora; the worst input that is known beside it.
    pub fn decisions(&mut self) -> Result<(), String> {
        let rounds = self.options.repetitions(50);
        let ordinary: Vec<String> = lines(ORDINARY).collect();
        let refused: Vec<String> =
            lines(REFUSED).filter_map(|line| line.split_once('\t').map(|(_, command)| command.to_owned())).collect();
        let decided = sample(&ordinary, rounds)?;
        let parsed = parsed(&ordinary, rounds)?;
        let beside = vec![measured("the parser alone", Ok(us(parsed.median())))];
        self.add("decision on a command, p50", us(decided.median()), Target::AtMost(50.0), beside);
        let beside = vec![measured("the parser alone", Ok(us(parsed.at(99))))];
        self.add("decision on a command, p99", us(decided.at(99)), Target::AtMost(200.0), beside);
        let against = sample(&refused, rounds)?;
        let worst = sample(&hostile(), 3)?;
        self.details.push(format!(
            "Decisions: {} ordinary commands, {} times each; {} refused ones p50 {}, p99 {}; the worst known input {}.",
            ordinary.len(),
            rounds,
            refused.len(),
            us(against.median()),
            us(against.at(99)),
            us(worst.worst()),
        ));
        Ok(())
    }
}

fn lines(corpus: &str) -> impl Iterator<Item = String> {
    corpus.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace('⏎', "\n"))
}

fn sample(commands: &[String], rounds: usize) -> Result<Sample, String> {
    let policies = Current::default();
    let principal = Principal { number: 1, name: "ada".to_owned() };
    let label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Private };
    let mut times = Vec::new();
    for _ in 0..rounds {
        for command in commands {
            let arguments = format!("{{\"command\":{}}}", serde_json::Value::from(command.as_str()));
            let call = ToolCall { name: "run_command".to_owned(), arguments };
            let since = Instant::now();
            std::hint::black_box(decide(&policies, &principal, &call, label));
            times.push(since.elapsed().as_secs_f64() * 1e6);
        }
    }
    Sample::of(times)
}

fn parsed(commands: &[String], rounds: usize) -> Result<Sample, String> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        for command in commands {
            let since = Instant::now();
            let _ = std::hint::black_box(rable::parse(command, false));
            times.push(since.elapsed().as_secs_f64() * 1e6);
        }
    }
    Sample::of(times)
}

/// What took longest of all that `hostile.rs` of the crate tries.
fn hostile() -> Vec<String> {
    let filled = |part: &str| part.repeat(TEXT_BYTES_MAX / part.len() - 1);
    let nested =
        |times, open: &str, close: &str| format!("echo {}x{}", str::repeat(open, times), str::repeat(close, times));
    vec![
        filled("a b "),
        filled("a\n"),
        filled("x=$x$x "),
        filled("{a,b}"),
        filled("`a` "),
        filled("$(a) "),
        filled("$'\\x41' "),
        nested(15, "$(echo ", ")"),
        nested(15, "<(cat ", ")"),
        nested(200, "( ", " )"),
        nested(9, "for i in {1..9}; do x=$i$x; ", "; done"),
        format!("awk '{}'", filled("\"|").get(..60_000).unwrap_or("")),
        format!("while :; do {} done", "x=$y; ".repeat(900)),
    ]
}
