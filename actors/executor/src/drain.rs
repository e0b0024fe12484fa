//! When an executor ends in order: told to stop, or to start anew.

use kit::ControlEvent;
use tokio::time::{Duration, Instant, sleep_until};

use crate::serve::Desk;

/// Returns once the supervisor has asked to drain and nothing runs; or to reload, since what there is to read again was
/// read by the launcher: the next executor has it. What is in the background is stopped when all is to end; a reload waits
/// for it, and stops it when it has waited for so long.
pub async fn asked(desk: &Desk, reload_wait: Duration) {
    let Some(mut control) = desk.control.clone() else {
        return std::future::pending().await;
    };
    let (mut asked, mut until) = (false, None);
    while !(asked && desk.ledger.borrow().idle() && desk.background.idle()) {
        tokio::select! {
            event = control.next() => match event {
                ControlEvent::Drain { .. } => {
                    desk.draining.set(true);
                    desk.background.end(None, "the executor was stopped");
                    asked = true;
                }
                ControlEvent::Reload => {
                    // It does not end for want of progress.
                    control.idle();
                    asked = true;
                    desk.reloading.set(true);
                    until.get_or_insert_with(|| Instant::now() + reload_wait);
                }
                ControlEvent::TreeDescribed { .. } | ControlEvent::Unavailable { .. } => {}
            },
            () = patience(until) => {
                // The time is over once: those are all that there will be.
                until = None;
                desk.background.end(None, "the executor had to start anew, and waited for it no longer");
            }
            () = desk.idle.notified() => {}
        }
    }
}

/// Ends then; never, without a time.
async fn patience(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
