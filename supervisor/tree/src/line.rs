//! The launcher's line, from both of its sides: reports to the root, requests to the launcher.

use kit::{Line, LineError};
use ractor::ActorRef;
use roles::launch::Request;
use tokio::sync::mpsc;

use crate::root::RootMessage;

/// Hands every report to the root, until the launcher is gone or the root has ended.
///
/// # Errors
/// When the launcher is gone: then so is everything else.
pub async fn hear(line: &Line, root: &ActorRef<RootMessage>) -> Result<(), LineError> {
    loop {
        let (report, fd) = line.next_report().await?;
        if root.cast(RootMessage::Reported(report, fd)).is_err() {
            return Ok(());
        }
    }
}

/// Passes every request on to the launcher, in order.
///
/// # Errors
/// When the launcher is gone.
pub async fn ask(line: &Line, requests: &mut mpsc::Receiver<Request>) -> Result<(), LineError> {
    while let Some(request) = requests.recv().await {
        line.send(request).await?;
    }
    Ok(())
}
