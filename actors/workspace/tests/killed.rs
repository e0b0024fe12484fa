//! A process that commits or takes back is killed at any instant, and so is the one that recovers what it left. With
//! CHELA_LONG=1 a thousand times.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;
mod cut_cases;

use std::path::Path;
use std::process::ExitCode;

use cut_cases::{Place, Working, cut_off, is_child, make, rounds};

struct Killed(tempfile::TempDir);

impl Place for Killed {
    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn cut(&mut self, working: &mut Working) {
        working.child.kill().unwrap();
    }

    fn is_power(&self) -> bool {
        false
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if is_child(&args[1..]) {
        return ExitCode::SUCCESS;
    }
    let mut place = Killed(tempfile::tempdir().unwrap());
    make(place.dir());
    let count = rounds(60, 1_000);
    let tally = cut_off(&mut place, count);
    println!("test a_kill_at_any_instant_leaves_the_old_state_or_the_new ... ok ({count} kills: {tally:?})");
    assert!(tally.old > 0 && tally.new > 0, "the kills did not meet the commit: {tally:?}");
    ExitCode::SUCCESS
}
