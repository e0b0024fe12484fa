//! A request and an answer of 256 bytes over a typed edge, beside the same over a raw Unix socket pair. Both are measured
//! alike: two processes, in turns, in one run; the peer is this program again, given its end as standard input.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kit::{Link, LinkError};
use serde::{Deserialize, Serialize};

const PAYLOAD_BYTES: usize = 256;
const TRIPS: u32 = 20_000;
const ROUNDS: usize = 9;
const RATIO_MAX: f64 = 1.3;

/// A message of the size that is measured, in the shape of a real one.
#[derive(Serialize, Deserialize)]
enum Message {
    Text { request: u64, text: String },
}

fn message(request: u64) -> Message {
    Message::Text { request, text: "x".repeat(PAYLOAD_BYTES - 8) }
}

type Edge = Link<Message, Message>;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("raw-peer") => raw_peer(),
        Some("edge-peer") => on_runtime(edge_peer()),
        _ => measure(),
    }
}

fn measure() {
    let (mut raw, mut edge) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(raw_round());
        edge.push(on_runtime(edge_round()));
    }
    let (raw, edge) = (median(raw), median(edge));
    let ratio = edge.as_secs_f64() / raw.as_secs_f64();
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(TRIPS);
    println!(
        "request and answer, {PAYLOAD_BYTES} bytes: typed edge {:.2} us, raw socket pair {:.2} us, \
         ratio {ratio:.2} (at most {RATIO_MAX})",
        micros(edge),
        micros(raw)
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The peer, with one end as its standard input, and the other end.
fn with_peer(kind: &str) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .arg(kind)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    (child, ours)
}

fn standard_input() -> OwnedFd {
    std::io::stdin().as_fd().try_clone_to_owned().unwrap()
}

fn raw_round() -> Duration {
    let (mut child, mut socket) = with_peer("raw-peer");
    let mut bytes = [7; PAYLOAD_BYTES];
    let mut trip = || {
        socket.write_all(&bytes).unwrap();
        socket.read_exact(&mut bytes).unwrap();
    };
    (0..TRIPS / 10).for_each(|_| trip());
    let start = Instant::now();
    (0..TRIPS).for_each(|_| trip());
    let took = start.elapsed();
    drop(socket);
    assert!(child.wait().unwrap().success());
    took
}

fn raw_peer() {
    let mut socket = UnixStream::from(standard_input());
    let mut bytes = [0; PAYLOAD_BYTES];
    while socket.read_exact(&mut bytes).is_ok() {
        socket.write_all(&bytes).unwrap();
    }
}

fn on_runtime<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, what)
}

async fn edge_round() -> Duration {
    let (mut child, socket) = with_peer("edge-peer");
    let mut edge = Edge::open(socket.into(), "bench", 1 << 20).await.unwrap();
    for request in 0..u64::from(TRIPS / 10) {
        trip(&mut edge, request).await;
    }
    let start = Instant::now();
    for request in 0..u64::from(TRIPS) {
        trip(&mut edge, request).await;
    }
    let took = start.elapsed();
    drop(edge);
    assert!(child.wait().unwrap().success());
    took
}

async fn trip(edge: &mut Edge, asked: u64) {
    edge.send(&message(asked)).await.unwrap();
    let Message::Text { request, text } = edge.recv().await.unwrap();
    assert!(request == asked && text.len() == PAYLOAD_BYTES - 8);
}

async fn edge_peer() {
    let mut edge = Edge::open(standard_input(), "bench", 1 << 20).await.unwrap();
    loop {
        match edge.recv().await {
            Ok(message) => edge.send(&message).await.unwrap(),
            Err(LinkError::Closed) => return,
            Err(error) => unreachable!("{error}"),
        }
    }
}
