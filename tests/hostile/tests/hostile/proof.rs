//! The control: what fails unsealed proves nothing about a seal.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use hostile::attempts;
use hostile::control::{self, Line};
use hostile::expect::{self, Proof};
use hostile::outcome::Outcome;

/// Attempts that a host may lack the means for, at most.
const NOT_PROVABLE_MAX: usize = 20;

/// What came of each attempt in the control, made once for all tests.
pub fn outcomes() -> &'static BTreeMap<String, Outcome> {
    static OUTCOMES: OnceLock<BTreeMap<String, Outcome>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_hostile-control")).arg("control").output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        let lines = control::read(&printed).unwrap();
        lines.into_iter().map(|Line { name, outcome, .. }| (name, outcome)).collect()
    })
}

#[test]
fn the_control_can_do_all_of_it() {
    harness::require_root().unwrap();
    let outcomes = outcomes();
    let (mut wrong, mut unproven) = (Vec::new(), Vec::new());
    for attempt in attempts::all() {
        let outcome = outcomes[attempt.name];
        assert!(!outcome.is_killed(), "{}: no filter stands before the control", attempt.name);
        let says = format!("{} ({}): {outcome}", attempt.name, attempt.what);
        match expect::proof(attempt, outcome) {
            Proof::Proven => {}
            Proof::NotProvableHere => unproven.push(says),
            Proof::Wrong => wrong.push(says),
        }
    }
    println!("not provable here, {} of {}: {unproven:#?}", unproven.len(), outcomes.len());
    assert!(wrong.is_empty(), "attempts that fail by themselves: {wrong:#?}");
    assert!(unproven.len() <= NOT_PROVABLE_MAX, "{unproven:#?}");
}
