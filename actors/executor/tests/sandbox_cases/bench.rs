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
    println!("without a sandbox, microseconds a call:\n{}", without(CALLS));
    let outcome = world.block_on(world.sh(&format!("python3 - <<'END'\n{CALLS}\nEND")));
    println!("in a sandbox:\n{}{}", String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
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

/// Calls that come to the init, and one that does not.
const CALLS: &str = r#"
import os, socket, tempfile, time
os.chdir(tempfile.mkdtemp(dir="."))
open("f", "w").close(); os.mkdir("d")
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
s = socket.socket(type=socket.SOCK_DGRAM)
u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); to = u.getsockname()
def sendmsg(n): a.sendmsg([b"x"]); b.recv(9)
def send(n): a.send(b"x"); b.recv(9)
def rename(n): os.rename("f", "g"); os.rename("g", "f")
def directory(n): os.rename("d", "e"); os.rename("e", "d")
def connect(n): s.connect(to)
def link(n): os.link("f", "l"); os.unlink("l")
for call, each in ((send, 2), (sendmsg, 2), (rename, 2), (directory, 2), (connect, 1), (link, 2)):
    best = 1e9
    for turn in range(5):
        began = time.perf_counter()
        for n in range(300): call(n)
        best = min(best, time.perf_counter() - began)
    print(f"  {call.__name__}: {best / 300 / each * 1e6:.1f}")
"#;

fn without(calls: &str) -> String {
    let place = std::env::temp_dir();
    let output = std::process::Command::new("python3").args(["-c", calls]).current_dir(place).output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}
