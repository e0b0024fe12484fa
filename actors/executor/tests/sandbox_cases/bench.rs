//! How long a fresh sandbox takes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::world::World;

/// Prints the figures of a fresh sandbox that runs `true`.
pub fn bench(world: &World) -> ExitCode {
    const ROUNDS: usize = 300;
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    world.block_on(async {
        for _ in 0..ROUNDS {
            let started = Instant::now();
            world.sh("true").await;
            times.push(started.elapsed());
        }
    });
    times.sort_unstable();
    println!(
        "a fresh sandbox that runs `true`, {ROUNDS} rounds: median {:?}, 99th percentile {:?}, best {:?}",
        times[ROUNDS / 2],
        times[ROUNDS * 99 / 100],
        times[0]
    );
    ExitCode::SUCCESS
}
