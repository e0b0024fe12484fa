//! The supervisor's life behind its seal: the root actor and the launcher's line, until everything is stopped.

use std::path::PathBuf;

use kit::{Line, LineError};
use ractor::{Actor, ActorRef, SpawnErr};
use schema::edge::ProbeResult;
use tokio::sync::{mpsc, oneshot};

use crate::limits::REQUEST_QUEUE;
use crate::line;
use crate::root::{Root, RootMessage, RootStart};
use crate::settings::Settings;

/// Why the supervisor ends otherwise than by an orderly stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The launcher is gone, and with it everything else.
    #[error("{0}")]
    Line(#[from] LineError),
    /// The root actor did not start.
    #[error("start the root actor: {0}")]
    Spawn(#[from] Box<SpawnErr>),
    /// The root actor has ended before its time; the log says why.
    #[error("the root actor has ended; the launcher starts a new supervisor, which takes over what runs")]
    RootEnded,
}

/// What it is started with, apart from the line.
pub struct Means {
    /// The configuration as first read.
    pub settings: Settings,
    /// Where to read it again.
    pub path: PathBuf,
    /// Seed of the jitter.
    pub seed: u64,
    /// Its own attempt at a forbidden file.
    pub probe: fn() -> ProbeResult,
}

/// Supervises until everything is stopped.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(line: &Line, means: Means) -> Result<(), ServeError> {
    let (requests, mut asked) = mpsc::channel(REQUEST_QUEUE);
    let (stopped, mut all_stopped) = oneshot::channel();
    let Means { settings, path, seed, probe } = means;
    let start = RootStart { settings, path, requests, seed, probe, stopped };
    // Requests flow while the root starts: its first are more than the queue might hold.
    let spawn = Actor::spawn(None, Root, start);
    let (root, mut ended): (ActorRef<RootMessage>, _) = tokio::select! {
        spawned = spawn => spawned.map_err(Box::new)?,
        gone = line::ask(line, &mut asked) => return Err(over(gone)),
    };
    tokio::select! {
        // First: an orderly stop also ends the root and its side of the line, all in one moment.
        biased;
        told = &mut all_stopped => told.map_err(|_| ServeError::RootEnded),
        heard = line::hear(line, &root) => Err(over(heard)),
        asked = line::ask(line, &mut asked) => Err(over(asked)),
        _ = &mut ended => Err(ServeError::RootEnded),
    }
}

/// A side of the line is over only when the launcher or the root is gone.
fn over(result: Result<(), LineError>) -> ServeError {
    match result {
        Ok(()) => ServeError::RootEnded,
        Err(error) => error.into(),
    }
}
