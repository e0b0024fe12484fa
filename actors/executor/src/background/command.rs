//! One command in the background, from its sandbox to what became of what it changed.

use std::pin::pin;
use std::rc::Rc;

use schema::edge::executor::FromExecutor;
use schema::effects::Standing;
use schema::tool::{Ended, Limit, ToolOutcome};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep, timeout};
use workspace::{Conflict, ConflictKind, shown};

use super::Running;
use super::state::{dropped, with_effects};
use crate::action::said;
use crate::area;
use crate::handed::Handed;
use crate::hands::{Ending, HandsError};
use crate::image::Held;
use crate::limits::{BACKGROUND_SETTLE_MS, CONFLICTS_NAMED_MAX, OUTPUT_CHUNK_BYTES, REST_OF_OUTPUT_MS};
use crate::pipe::Pipe;
use crate::record::End;
use crate::serve::Desk;

/// A command that runs.
pub struct Watched {
    action: u64,
    stdout: Stream,
    stderr: Stream,
    handed: Handed,
    end: Ending,
    limit: Duration,
    running: Rc<Running>,
    _image: Option<Held>,
}

struct Stream {
    pipe: Pipe,
    buffer: Vec<u8>,
    open: bool,
}

impl Stream {
    fn new(pipe: Pipe) -> Stream {
        Stream { pipe, buffer: vec![0; OUTPUT_CHUNK_BYTES], open: true }
    }

    /// Reads one piece. Cancel-safe; waits for ever once it has ended.
    async fn piece(&mut self) -> usize {
        if !self.open {
            return std::future::pending().await;
        }
        let length = self.pipe.read(&mut self.buffer).await.unwrap_or(0);
        self.open = length > 0;
        length
    }
}

/// Why it is over though it did not end by itself.
#[derive(Clone, Copy)]
enum Stopped {
    TimedOut,
    Why(&'static str),
}

impl Watched {
    /// One whose sandbox was asked for.
    pub(super) fn new(
        action: u64,
        (stdout, stderr, layer): (Pipe, Pipe, Pipe),
        end: Ending,
        limit: Duration,
        (running, image): (Rc<Running>, Option<Held>),
    ) -> Watched {
        let (stdout, stderr, handed) = (Stream::new(stdout), Stream::new(stderr), Handed::new(layer));
        Watched { action, stdout, stderr, handed, end, limit, running, _image: image }
    }

    fn heard(&self, desk: &Desk, from_stderr: bool, length: usize) {
        let stream = if from_stderr { &self.stderr } else { &self.stdout };
        if length > 0 {
            desk.background.table.borrow_mut().output(self.action, from_stderr, &stream.buffer[..length]);
            self.running.news.notify_waiters();
        }
    }

    /// Until it ends, or hands out what it changed (true).
    async fn until_end(&mut self, desk: &Desk) -> Result<(Option<End>, bool, Option<Stopped>), HandsError> {
        let mut deadline = pin!(sleep(self.limit));
        let (mut stopped, mut due) = (None, true);
        loop {
            tokio::select! {
                ended = self.end.wait() => {
                    let end = ended?;
                    // A small layer is in the pipe already when the end is told: which is heard of first is chance.
                    let handed = stopped.is_none() && matches!(end, End::Exited(_) | End::Signalled(_));
                    let has_come = due && self.handed.has_come().await;
                    return Ok((Some(end), handed && has_come, stopped));
                }
                () = &mut deadline, if stopped.is_none() => {
                    stopped = Some(Stopped::TimedOut);
                    desk.hands.kill(self.action).await?;
                }
                () = self.running.stop.notified(), if stopped.is_none() => {
                    stopped = Some(Stopped::Why(self.running.why.get().unwrap_or("it was stopped")));
                    desk.hands.kill(self.action).await?;
                }
                length = self.stdout.piece() => self.heard(desk, false, length),
                length = self.stderr.piece() => self.heard(desk, true, length),
                has_come = self.handed.comes(), if due => {
                    if has_come {
                        return Ok((None, true, stopped));
                    }
                    // It ends without: how is told next.
                    due = false;
                }
            }
        }
    }

    /// What is left in the pipes: every writer is gone, or writes no more.
    async fn rest(&mut self, desk: &Desk) {
        let until = Instant::now() + Duration::from_millis(REST_OF_OUTPUT_MS);
        while self.stdout.open || self.stderr.open {
            tokio::select! {
                length = self.stdout.piece() => self.heard(desk, false, length),
                length = self.stderr.piece() => self.heard(desk, true, length),
                () = tokio::time::sleep_until(until) => {
                    return tracing::error!("action {}: its output did not end with it", self.action);
                }
            }
        }
    }

    /// Waits until nobody else works in the workspace. False: it is stopped before that.
    async fn enter(&self, desk: &Rc<Desk>) -> bool {
        if desk.ledger.borrow_mut().enter(self.action) {
            return true;
        }
        let (tell, entered) = oneshot::channel();
        self.running.entered.replace(Some(tell));
        tokio::select! {
            _ = entered => true,
            () = self.running.stop.notified() => false,
        }
    }
}

/// Its whole life.
pub async fn attend(desk: Rc<Desk>, mut watched: Watched) {
    let (action, started) = (watched.action, Instant::now());
    let outcome = match life(&desk, &mut watched).await {
        Ok(outcome) => said(outcome, &watched.handed),
        // The maker is gone: `serve` sees it too and ends the process.
        Err(_) => return,
    };
    let ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    desk.background.sees_now(&desk, action);
    let reads = desk.background.table.borrow().seen(action);
    let outcome = settled(&desk, &watched, ToolOutcome { ms, reads, ..outcome }).await;
    desk.leave(action);
    desk.background.over(action, outcome);
    thaw(&desk, action).await;
    desk.worked();
}

async fn life(desk: &Rc<Desk>, watched: &mut Watched) -> Result<ToolOutcome, HandsError> {
    let (ended, has_come, stopped) = watched.until_end(desk).await?;
    if let Some(end) = ended
        && !has_come
    {
        watched.rest(desk).await;
        return Ok(killed(end, stopped));
    }
    // Every process but the sandbox's first is gone, and that one waits until its layer is read.
    if !watched.enter(desk).await {
        let end = match ended {
            Some(end) => end,
            None => {
                desk.hands.kill(watched.action).await?;
                watched.end.wait().await?
            }
        };
        watched.rest(desk).await;
        let why = watched.running.why.get().unwrap_or("it was stopped");
        return Ok(killed(end, Some(Stopped::Why(why))));
    }
    let staged = watched.handed.layer();
    let staged =
        staged.and_then(|mut layer| area::stage_since(&mut desk.area.borrow_mut(), watched.action, &mut layer));
    let end = match ended {
        Some(end) => end,
        None => watched.end.wait().await?,
    };
    watched.rest(desk).await;
    let ended = match end {
        End::Exited(code) => Ended::Exited { code },
        End::Signalled(signal) => Ended::Signalled { signal },
        End::Failed(_) | End::Killed | End::OutOfMemory => {
            area::settle(&mut desk.area.borrow_mut(), watched.action, None, b"");
            return Ok(killed(end, stopped));
        }
    };
    Ok(match staged {
        Ok(since) if since.conflicts.is_empty() => with_effects(ToolOutcome::of(ended), since.effects),
        Ok(since) => {
            area::settle(&mut desk.area.borrow_mut(), watched.action, None, b"");
            ToolOutcome { effects: since.effects, ..dropped(ended, &conflict(&since.conflicts)) }
        }
        Err(why) => ToolOutcome { stderr: format!("{why}\n").into_bytes(), ..dropped(Ended::Failed, &why) },
    })
}

/// It did not come to handing out what it changed.
fn killed(end: End, stopped: Option<Stopped>) -> ToolOutcome {
    let (ended, why) = match (end, stopped) {
        (End::Failed(failure), _) => {
            let why = failure.to_string();
            return ToolOutcome { stderr: format!("{why}\n").into_bytes(), ..dropped(Ended::Failed, &why) };
        }
        (End::OutOfMemory, _) => {
            let why = "its processes had more memory together than a sandbox may have";
            let ended = Ended::Signalled { signal: libc::SIGKILL };
            return ToolOutcome { limit: Some(Limit::Memory), ..dropped(ended, why) };
        }
        (_, Some(Stopped::TimedOut)) => (Ended::TimedOut, "it ran into its time limit"),
        (_, Some(Stopped::Why(why))) => (Ended::Cancelled, why),
        // By the kernel, short of memory.
        (End::Exited(_) | End::Signalled(_) | End::Killed, None) => {
            (Ended::Signalled { signal: libc::SIGKILL }, "its sandbox was killed")
        }
    };
    dropped(ended, why)
}

fn conflict(conflicts: &[Conflict]) -> String {
    let mut text = "the workspace was changed meanwhile where it changes it:".to_owned();
    for conflict in conflicts.iter().take(CONFLICTS_NAMED_MAX) {
        let what = match conflict.kind {
            ConflictKind::Changed => "was changed",
            ConflictKind::Appeared => "was made",
            ConflictKind::Vanished => "was deleted",
        };
        text.push_str(&format!(" {} {what},", shown(&conflict.path)));
    }
    text.pop();
    match conflicts.len().saturating_sub(CONFLICTS_NAMED_MAX) {
        0 => text,
        more => format!("{text}, and {more} more"),
    }
}

/// Tells the gate, and has what was staged settled.
async fn settled(desk: &Desk, watched: &Watched, outcome: ToolOutcome) -> ToolOutcome {
    let action = watched.action;
    let told = ToolOutcome { stderr: Vec::new(), ..outcome.clone() };
    if outcome.standing != Standing::Staged {
        if !desk.say(FromExecutor::Ended { action, outcome: told.clone() }).await {
            desk.background.untold.borrow_mut().insert(action, told);
        }
        return outcome;
    }
    let (tell, word) = oneshot::channel();
    watched.running.settled.replace(Some(tell));
    desk.background.table.borrow_mut().staged(action, told.clone());
    // Where no gate is there, the next is told of it.
    desk.say(FromExecutor::Ended { action, outcome: told }).await;
    let (standing, wrote) = match timeout(Duration::from_millis(BACKGROUND_SETTLE_MS), word).await {
        Ok(Ok(settled)) => settled,
        Ok(Err(_)) | Err(_) => {
            tracing::error!("action {action}: nobody decided on what it changes; it is forgotten");
            area::settle(&mut desk.area.borrow_mut(), action, None, b"");
            (Standing::Discarded { reason: "nobody decided on it".to_owned() }, None)
        }
    };
    ToolOutcome { standing, wrote, ..outcome }
}

/// Removes the copy that it worked over, and lets others work meanwhile.
pub(super) async fn thaw(desk: &Desk, action: u64) {
    let removed = async {
        let Some(mut thawing) = desk.area.borrow().thaw(action)? else { return Ok(()) };
        while !thawing.step()? {
            tokio::task::yield_now().await;
        }
        Ok::<(), workspace::Failed>(())
    };
    if let Err(error) = removed.await {
        tracing::error!("action {action}: the copy of the workspace goes at the next start: {error}");
    }
}
