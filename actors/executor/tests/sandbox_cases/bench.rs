//! How long a fresh sandbox takes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::world::World;

/// Prints how long a sandbox that runs `true` takes: one that waited, and whatever is there when all is asked at once.
pub fn bench(world: &World) -> ExitCode {
    for (name, pause) in [("that waited", Duration::from_millis(20)), ("asked for without a pause", Duration::ZERO)] {
        let times = world.block_on(rounds(world, pause));
        let (median, worst) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
        println!(
            "a sandbox {name}, {ROUNDS} rounds: median {median:?}, 99th percentile {worst:?}, best {:?}",
            times[0]
        );
    }
    ExitCode::SUCCESS
}

const ROUNDS: usize = 300;

async fn rounds(world: &World, pause: Duration) -> Vec<Duration> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        tokio::time::sleep(pause).await;
        let started = Instant::now();
        world.sh("true").await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times
}
