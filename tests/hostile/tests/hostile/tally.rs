//! Counts what was refused, and says what was not as it must be.

use std::fmt::Write;

use hostile::attempts::Attempt;
use hostile::expect::{self, Expected, Proof};
use hostile::outcome::Outcome;

use crate::proof;

/// Refused attempts that each twin must have made, proven by the control.
const ATTEMPTS_MIN: usize = 40;

/// What one twin did.
#[derive(Default)]
pub struct Tally {
    refused: usize,
    granted: Vec<&'static str>,
    wrong: Vec<String>,
    table: String,
}

impl Tally {
    /// Adds one attempt.
    pub fn add(&mut self, attempt: &'static Attempt, expected: Expected, outcome: Outcome) {
        let control = proof::outcomes()[attempt.name];
        let proof = expect::proof(attempt, control);
        let line = format!("{} ({}): {outcome}, expected {expected:?}, control {control}", attempt.name, attempt.what);
        writeln!(self.table, "{line}").unwrap();
        if !expected.holds(outcome) {
            self.wrong.push(line);
        }
        // Where this host could not do it at all, only a filter's kill still proves something: no control is ever killed.
        match (expected.is_refusal(), proof) {
            (false, _) => self.granted.push(attempt.name),
            (true, Proof::Proven) => self.refused += 1,
            (true, Proof::NotProvableHere) if outcome.is_killed() => self.refused += 1,
            (true, Proof::NotProvableHere | Proof::Wrong) => {}
        }
    }

    /// Every attempt came as it must, and they were enough.
    pub fn judge(self, who: &str) {
        println!("{who}: {} refused and proven; its row grants {:?}", self.refused, self.granted);
        assert!(self.wrong.is_empty(), "{who}: {:#?}\nall of it:\n{}", self.wrong, self.table);
        assert!(self.refused >= ATTEMPTS_MIN, "{who}: {} refused attempts:\n{}", self.refused, self.table);
    }
}
