//! What every whole-system test stands on: a root directory of its own ([`Home`]), the real chelad in it ([`Chelad`]),
//! a client of the local socket ([`Client`]), and the kernel's view of the tree ([`procs`]).
//!
//! Everything a test makes is taken back when its values are dropped, also when it fails.
#![forbid(unsafe_code)]

mod chelad;
mod client;
mod home;
pub mod procs;
pub mod sockets;

pub use chelad::Chelad;
pub use client::Client;
pub use home::{Home, programs_dir};

use std::time::{Duration, Instant};

/// Why a step of a test's surroundings failed: step and object in words.
pub type Failure = String;

/// Asks `condition` until it says something or `deadline` has passed.
pub fn wait_for<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    let from = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if from.elapsed() > deadline {
            return Err(format!("{what}: not within {} ms", deadline.as_millis()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whole-system tests start roles under other accounts: that takes root. Says so, and is an error, when it isn't.
pub fn require_root() -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err("this test starts chelad, which needs root: run ./x test as root (it was NOT run)".to_string())
    }
}
