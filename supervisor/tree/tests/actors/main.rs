//! The supervisor's actors against a launcher of the test's own, which plays chelad and every role. The clock is the
//! runtime's paused one: when nothing is left to do it jumps to the next timer, so that seconds pass in no time and no
//! test depends on how fast the machine is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod failures;
mod gate;
mod launcher;
mod log;
mod reload;
mod role;
mod start;
mod stop;
mod takeover;
mod world;

use std::future::Future;

/// Runs a test on a runtime of its own whose clock jumps.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}
