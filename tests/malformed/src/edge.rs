//! An edge, used as it must not be.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use kit::Link;
use roles::Role;
use schema::FINGERPRINT;
use schema::codec::{body_length, frame};
use schema::edge::executor::{ExecutorWire, FromExecutor};
use schema::edge::{Frame, Wire};
use schema::limits::{FRAME_BYTES_MAX, PREFIX_BYTES};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::messages::{Direction, asked_for, message, run};
use crate::{BEGINS, Conduct};

/// Misbehaves, then waits until the other side ends the edge.
pub async fn misuse(fd: OwnedFd, direction: Direction, conduct: Conduct) -> io::Result<()> {
    if matches!(conduct, Conduct::WellBehaved | Conduct::ControlGarbage | Conduct::ControlFlood) {
        return behave(fd, direction).await;
    }
    let stream = StdStream::from(fd);
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    if conduct == Conduct::NoHello {
        tracing::warn!("{BEGINS}: {conduct:?} at the edge to {}", direction.peer().name());
        stream.write_all(&garbage(64)).await?;
        return until_ended(&mut stream).await;
    }
    let hello = frame(&Frame::<()>::Hello { fingerprint: FINGERPRINT }, 64).map_err(io::Error::other)?;
    stream.write_all(&hello).await?;
    let mut theirs = vec![0; hello.len()];
    stream.read_exact(&mut theirs).await?;
    tracing::warn!("{BEGINS}: {conduct:?} at the edge to {}", direction.peer().name());
    match conduct {
        Conduct::Garbage => stream.write_all(&garbage(64)).await?,
        Conduct::Half => stream.write_all(&garbage(1000)[..20]).await?,
        Conduct::TooLong => stream.write_all(&u32::MAX.to_le_bytes()).await?,
        Conduct::OutOfTurn => stream.write_all(&hello).await?,
        Conduct::Flood => {
            let message = message(direction).map_err(io::Error::other)?;
            return flood(&mut stream, &message).await;
        }
        Conduct::FloodInTurn => {
            let message = first_asked(&mut stream, direction).await?;
            return flood(&mut stream, &message).await;
        }
        Conduct::Silent => tokio::time::sleep(Duration::from_secs(3600)).await,
        Conduct::NoHello | Conduct::WellBehaved | Conduct::ControlGarbage | Conduct::ControlFlood => {}
    }
    until_ended(&mut stream).await
}

/// A right prefix, and a body that is no message of any edge.
fn garbage(body_bytes: u32) -> Vec<u8> {
    let mut bytes = body_bytes.to_le_bytes().to_vec();
    bytes.resize(4 + body_bytes as usize, 0xff);
    bytes
}

async fn flood(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(message).await?;
        tokio::task::yield_now().await;
    }
}

/// Reads until it is asked for something, and returns a message that this was asked for: the first of a flood.
async fn first_asked(stream: &mut UnixStream, direction: Direction) -> io::Result<Vec<u8>> {
    loop {
        let mut prefix = [0; PREFIX_BYTES];
        stream.read_exact(&mut prefix).await?;
        let length = body_length(prefix, FRAME_BYTES_MAX).map_err(io::Error::other)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if let Some(message) = asked_for(direction, &body).map_err(io::Error::other)? {
            return Ok(message);
        }
    }
}

async fn until_ended(stream: &mut UnixStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Keeps to the rules: holds the edge, and, as the gate, has an executor run one command.
async fn behave(fd: OwnedFd, direction: Direction) -> io::Result<()> {
    if direction != Direction::Down(Role::Executor) {
        let stream = StdStream::from(fd);
        stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(stream)?;
        let hello = frame(&Frame::<()>::Hello { fingerprint: FINGERPRINT }, 64).map_err(io::Error::other)?;
        stream.write_all(&hello).await?;
        return until_ended(&mut stream).await;
    }
    let link = Link::open(fd, ExecutorWire::NAME, ExecutorWire::LIMIT_BYTES).await;
    let mut link: Link<_, FromExecutor> = link.map_err(io::Error::other)?;
    link.send(&run("pwd; id -u; ls -A / | wc -l")).await.map_err(io::Error::other)?;
    loop {
        match link.recv().await.map_err(io::Error::other)? {
            FromExecutor::Finished { outcome, .. } => {
                let told = String::from_utf8_lossy(&outcome.stdout).replace('\n', "|");
                let errors = String::from_utf8_lossy(&outcome.stderr).replace('\n', "|");
                tracing::warn!("twin ran a command: {:?} {told} {errors}", outcome.ended);
            }
            FromExecutor::Output { .. }
            | FromExecutor::Settled { .. }
            | FromExecutor::UndoPreviewed { .. }
            | FromExecutor::Uploaded { .. }
            | FromExecutor::Background { .. }
            | FromExecutor::Again { .. }
            | FromExecutor::Ended { .. } => {}
        }
    }
}
