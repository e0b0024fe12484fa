//! A request and an answer of 256 bytes over a typed edge, beside the same over a raw Unix socket pair. Both are measured
//! alike: two processes, in turns, in one run, on the same processors; the peer is this program again, given its end as
//! standard input.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use kit::{Link, LinkError};
use serde::{Deserialize, Serialize};

use crate::placement::{Placement, Processors};
use crate::sample::Sample;

/// How often each is measured; between the two, in turns.
const ROUNDS: usize = 9;
const PAYLOAD_BYTES: usize = 256;
/// Largest frame: not what is measured.
const LIMIT_BYTES: usize = 1 << 20;
/// What this program is told in order to be the peer of a raw socket.
pub const RAW_PEER: &str = "raw-peer";
/// What this program is told in order to be the peer of a typed edge.
pub const EDGE_PEER: &str = "edge-peer";

/// A message of the size that is measured, in the shape of a real one.
#[derive(Serialize, Deserialize)]
enum Message {
    Text { request: u64, text: String },
}

type Edge = Link<Message, Message>;

/// Microseconds of a request and its answer over a typed edge and over a raw socket pair, medians of nine rounds of
/// `trips` each.
pub fn measure(trips: u32, placement: Placement) -> Result<(f64, f64), String> {
    let processors = Processors::of_this_thread()?;
    let with_peer = |kind: &str| processors.place(placement, || with_peer(kind));
    let (mut edge, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(raw_round(trips, with_peer(RAW_PEER)?)?);
        edge.push(on_runtime(edge_round(trips, with_peer(EDGE_PEER)?))??);
    }
    let us = |times: Vec<Duration>| {
        let each = times.into_iter().map(|time| time.as_secs_f64() * 1e6 / f64::from(trips));
        Sample::of(each.collect()).map(|sample| sample.median())
    };
    Ok((us(edge)?, us(raw)?))
}

/// Is the peer of that kind until the other end is closed; `None` when there is no such kind.
pub fn be_peer(kind: &str) -> Option<ExitCode> {
    let ended = match kind {
        RAW_PEER => raw_peer(),
        EDGE_PEER => on_runtime(edge_peer()).and_then(|ended| ended),
        _ => return None,
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("chela-bench {kind}: {reason}");
            ExitCode::FAILURE
        }
    })
}

fn on_runtime<T>(what: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|e| format!("a runtime: {e}"))?;
    Ok(tokio::task::LocalSet::new().block_on(&runtime, what))
}

/// The peer, with one end as its standard input, and the other end.
fn with_peer(kind: &str) -> Result<(Child, UnixStream), String> {
    let (ours, theirs) = UnixStream::pair().map_err(|e| format!("a socket pair: {e}"))?;
    let program = std::env::current_exe().map_err(|e| format!("this program's own path: {e}"))?;
    let child = Command::new(&program).arg(kind).stdin(Stdio::from(OwnedFd::from(theirs))).spawn();
    Ok((child.map_err(|e| format!("{}: {e}", program.display()))?, ours))
}

fn standard_input() -> Result<OwnedFd, String> {
    std::io::stdin().as_fd().try_clone_to_owned().map_err(|e| format!("standard input: {e}"))
}

fn ended(mut child: Child) -> Result<(), String> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the peer ended: {status}")),
        Err(e) => Err(format!("waiting for the peer: {e}")),
    }
}

fn raw_round(trips: u32, (child, mut socket): (Child, UnixStream)) -> Result<Duration, String> {
    let mut bytes = [7; PAYLOAD_BYTES];
    let mut all = |trips: u32| -> Result<Duration, String> {
        let from = Instant::now();
        for _ in 0..trips {
            let trip = socket.write_all(&bytes).and_then(|()| socket.read_exact(&mut bytes));
            trip.map_err(|e| format!("raw socket pair: {e}"))?;
        }
        Ok(from.elapsed())
    };
    all(trips / 10)?;
    let took = all(trips)?;
    drop(socket);
    ended(child)?;
    Ok(took)
}

fn raw_peer() -> Result<(), String> {
    let mut socket = UnixStream::from(standard_input()?);
    let mut bytes = [0; PAYLOAD_BYTES];
    while socket.read_exact(&mut bytes).is_ok() {
        socket.write_all(&bytes).map_err(|e| format!("raw socket pair: {e}"))?;
    }
    Ok(())
}

async fn edge_round(trips: u32, (child, socket): (Child, UnixStream)) -> Result<Duration, String> {
    let mut edge = Edge::open(socket.into(), "bench", LIMIT_BYTES).await.map_err(|e| e.to_string())?;
    // Made once, as the raw bytes are: what is measured is the way there and back.
    let mut message = Message::Text { request: 0, text: "x".repeat(PAYLOAD_BYTES - size_of::<u64>()) };
    for _ in 0..trips / 10 {
        trip(&mut edge, &mut message).await?;
    }
    let from = Instant::now();
    for _ in 0..trips {
        trip(&mut edge, &mut message).await?;
    }
    let took = from.elapsed();
    drop(edge);
    ended(child)?;
    Ok(took)
}

async fn trip(edge: &mut Edge, message: &mut Message) -> Result<(), String> {
    let Message::Text { request: asked, text: said } = &mut *message;
    let (asked, said_bytes) = (*asked, said.len());
    edge.send(message).await.map_err(|e| e.to_string())?;
    let Message::Text { request, text } = edge.recv().await.map_err(|e| e.to_string())?;
    if request != asked || text.len() != said_bytes {
        return Err("an answer to another request".to_string());
    }
    *message = Message::Text { request: request + 1, text };
    Ok(())
}

async fn edge_peer() -> Result<(), String> {
    let mut edge = Edge::open(standard_input()?, "bench", LIMIT_BYTES).await.map_err(|e| e.to_string())?;
    loop {
        match edge.recv().await {
            Ok(message) => edge.send(&message).await.map_err(|e| e.to_string())?,
            Err(LinkError::Closed) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
}
