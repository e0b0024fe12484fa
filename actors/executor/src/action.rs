//! One action: what it takes, its sandbox's output as it comes, its limits, and what came of it.

use std::cell::RefCell;
use std::pin::pin;
use std::time::{Duration, Instant};

use schema::codec;
use schema::effects::{Effects, Standing};
use schema::limits::OUTPUT_KEPT_BYTES;
use schema::tool::{Admitted, Ended, Limit, ToolOutcome};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use workspace::{Area, State};

use crate::handed::Handed;
use crate::hands::{self, Ending, Hands, HandsError};
use crate::ledger::{empty, failed};
use crate::limits::{
    COMMAND_BYTES, FILE_OPERATION_MS, OUTPUT_CHUNK_BYTES, PAYLOAD_BYTES, REST_OF_OUTPUT_MS, TIMEOUT_MAX_MS,
};
use crate::names;
use crate::narrow;
use crate::pipe::Pipe;
use crate::pipes::Pipes;
use crate::record::{End, Operation};
use crate::tail::Tail;
use crate::{area, image, labels};

/// What a call comes down to in a sandbox.
#[derive(Debug)]
struct Job {
    operation: Operation,
    payload: Vec<u8>,
    timeout_ms: u32,
    /// The name of the image that is to be the command's root.
    image: Option<String>,
}

impl Job {
    /// The job, or why it can't be one.
    fn of(call: &Admitted) -> Result<Job, String> {
        let mut named = None;
        let (operation, timeout_ms) = match call {
            Admitted::RunCommand { command, timeout_ms, image, .. } => {
                named.clone_from(image);
                can_run(command)?;
                (Operation::Command, (*timeout_ms).clamp(1, TIMEOUT_MAX_MS))
            }
            Admitted::ReadFile { .. }
            | Admitted::GetFile { .. }
            | Admitted::SearchFiles { .. }
            | Admitted::ListFiles { .. } => (Operation::Look, FILE_OPERATION_MS),
            Admitted::WriteFile { .. } | Admitted::EditFile { .. } => (Operation::Change, FILE_OPERATION_MS),
            Admitted::Move { .. }
            | Admitted::Delete { .. }
            | Admitted::MakeDirectory { .. }
            | Admitted::PutFile { .. }
            | Admitted::Undo { .. } => {
                return Err("nothing of this runs in a sandbox".to_owned());
            }
            Admitted::Start { .. } | Admitted::Poll { .. } | Admitted::Input { .. } | Admitted::Stop { .. } => {
                return Err("commands in the background are not rehearsed here".to_owned());
            }
        };
        let payload = codec::encode(call, PAYLOAD_BYTES).map_err(|error| format!("the call: {error}"))?;
        Ok(Job { operation, payload, timeout_ms, image: named })
    }
}

pub(crate) fn can_run(command: &str) -> Result<(), String> {
    if command.len() > COMMAND_BYTES {
        return Err(format!(
            "a command may have {COMMAND_BYTES} bytes, this has {}; write a script with write_file and run that",
            command.len()
        ));
    }
    if command.contains('\0') {
        return Err("a command can't contain a zero byte".to_owned());
    }
    Ok(())
}

/// Rehearses `call`, in a fresh sandbox if it looks into files. `stream` is called with each piece of output (true: standard
/// error). What it changes is staged in `area`.
///
/// # Errors
/// When the maker is gone: nothing can be said of the action then.
pub async fn carry_out(
    hands: &Hands,
    area: &RefCell<Area>,
    action: u64,
    call: Admitted,
    cancel: &Notify,
    stream: impl Fn(bool, &[u8]),
) -> Result<ToolOutcome, HandsError> {
    let started = Instant::now();
    let reads = labels::reads(&area.borrow(), &call);
    let mut outcome = match call {
        Admitted::Undo { action: of } => area::stage_undo(&mut area.borrow_mut(), action, of),
        Admitted::Move { .. } | Admitted::Delete { .. } | Admitted::MakeDirectory { .. } => {
            names::stage(&mut area.borrow_mut(), action, &call)
        }
        Admitted::RunCommand { ref paths, .. } if let Err(why) = narrow::check(&area.borrow(), paths) => failed(&why),
        Admitted::RunCommand { .. }
        | Admitted::ReadFile { .. }
        | Admitted::GetFile { .. }
        | Admitted::SearchFiles { .. }
        | Admitted::WriteFile { .. }
        | Admitted::PutFile { .. }
        | Admitted::EditFile { .. }
        | Admitted::ListFiles { .. }
        | Admitted::Start { .. }
        | Admitted::Poll { .. }
        | Admitted::Input { .. }
        | Admitted::Stop { .. } => match Job::of(&call) {
            Ok(job) => sandboxed(hands, area, action, job, cancel, stream).await?,
            Err(why) => failed(&why),
        },
    };
    outcome.reads = outcome.reads.join(reads);
    outcome.ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    Ok(outcome)
}

async fn sandboxed(
    hands: &Hands,
    area: &RefCell<Area>,
    action: u64,
    job: Job,
    cancel: &Notify,
    stream: impl Fn(bool, &[u8]),
) -> Result<ToolOutcome, HandsError> {
    let (pipes, theirs) = match Pipes::new() {
        Ok(made) => made,
        Err(error) => return Ok(failed(&format!("could not make a pipe for the sandbox: {error}"))),
    };
    // Held until every process of the sandbox is gone.
    let image = match job.image.as_deref().map(image::hold).transpose() {
        Ok(image) => image,
        Err(why) => return Ok(failed(&why)),
    };
    let asked = hands::Job {
        image: image.as_ref().map(|image| image.digest),
        action,
        operation: job.operation,
        payload_bytes: u32::try_from(job.payload.len()).unwrap_or(u32::MAX),
        cpu_s: job.timeout_ms.div_ceil(1000) + 1,
        terminal: (0, 0),
    };
    let ending = hands.run(asked, theirs.all()).await?;
    drop(theirs);
    let limit = Duration::from_millis(u64::from(job.timeout_ms));
    let mut watch = Watch {
        hands,
        action,
        stream,
        stdout: Output::new(pipes.stdout, false),
        stderr: Output::new(pipes.stderr, true),
        layer: Layer { handed: Handed::new(pipes.layer), area, action, due: job.operation.changes(), staged: None },
    };
    let feed = feed(pipes.payload, &job.payload);
    let (end, stopped) = watch.until_end(ending, feed, limit, cancel).await?;
    watch.rest().await;
    if matches!(end, End::Exited(_) | End::Signalled(_)) {
        watch.layer.stage();
    } else if watch.layer.due {
        watch.layer.handed.has_come().await;
    }
    let Layer { handed, staged, .. } = watch.layer;
    let outcome = outcome(job.operation, end, stopped, watch.stdout, watch.stderr);
    let outcome = match (end, staged) {
        (End::Exited(_) | End::Signalled(_), Some(Ok(effects))) => with_effects(outcome, effects),
        (End::Exited(_) | End::Signalled(_), Some(Err(why))) => unstaged(outcome, &why),
        // A sandbox that was killed handed out nothing, or not all of it.
        (End::Killed | End::OutOfMemory | End::Failed(_), Some(_)) | (_, None) => forgotten(area, action, outcome),
    };
    Ok(said(outcome, &handed))
}

/// With what its sandbox said, however it ended.
pub(crate) fn said(mut outcome: ToolOutcome, handed: &Handed) -> ToolOutcome {
    outcome.effects.hosts = handed.hosts();
    outcome.limit = match outcome.ended {
        Ended::TimedOut => Some(Limit::WallTime),
        Ended::Exited { .. } | Ended::Signalled { .. } | Ended::Failed => outcome.limit.or(handed.limit()),
        Ended::Cancelled | Ended::Unknown | Ended::Running => None,
    };
    outcome
}

fn with_effects(outcome: ToolOutcome, effects: Effects) -> ToolOutcome {
    let standing = if effects.is_empty() { Standing::Nothing } else { Standing::Staged };
    ToolOutcome { effects, standing, ..outcome }
}

/// It ran, but what it changed can't be committed: nothing of it is.
fn unstaged(mut outcome: ToolOutcome, why: &str) -> ToolOutcome {
    outcome.stderr.extend_from_slice(format!("{why}\n").as_bytes());
    outcome.standing = Standing::Discarded { reason: why.to_owned() };
    outcome.ended = Ended::Failed;
    outcome
}

fn forgotten(area: &RefCell<Area>, action: u64, outcome: ToolOutcome) -> ToolOutcome {
    let mut area = area.borrow_mut();
    if area.state(action) == State::Staged
        && let Err(error) = area.unstage(action)
    {
        tracing::error!("action {action}: {error}");
    }
    outcome
}

/// Writes the payload.
async fn feed(pipe: Pipe, payload: &[u8]) {
    if let Err(error) = pipe.write_all(payload).await {
        tracing::warn!("handing an action to its sandbox: {error}");
    }
}

/// One output of a sandbox.
struct Output {
    pipe: Pipe,
    from_stderr: bool,
    buffer: Vec<u8>,
    tail: Tail,
    open: bool,
}

impl Output {
    fn new(pipe: Pipe, from_stderr: bool) -> Output {
        Output {
            pipe,
            from_stderr,
            buffer: vec![0; OUTPUT_CHUNK_BYTES],
            tail: Tail::new(OUTPUT_KEPT_BYTES),
            open: true,
        }
    }

    /// Reads one piece. Cancel-safe; waits for ever once the output has ended.
    async fn piece(&mut self, stream: &impl Fn(bool, &[u8])) {
        if !self.open {
            return std::future::pending().await;
        }
        match self.pipe.read(&mut self.buffer).await {
            Ok(0) | Err(_) => self.open = false,
            Ok(length) => {
                let bytes = &self.buffer[..length];
                self.tail.push(bytes);
                stream(self.from_stderr, bytes);
            }
        }
    }
}

/// What a sandbox hands out at its end.
struct Layer<'a> {
    handed: Handed,
    area: &'a RefCell<Area>,
    action: u64,
    /// It is to come, and has not.
    due: bool,
    staged: Option<Result<Effects, String>>,
}

impl Layer<'_> {
    fn stage(&mut self) {
        if std::mem::take(&mut self.due) {
            let staged = self.handed.layer();
            let staged = staged.and_then(|mut layer| area::stage(&mut self.area.borrow_mut(), self.action, &mut layer));
            self.staged = Some(staged);
        }
    }
}

/// Why a sandbox was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stopped {
    TimedOut,
    Cancelled,
}

/// A sandbox that is watched.
struct Watch<'a, S> {
    hands: &'a Hands,
    action: u64,
    stream: S,
    stdout: Output,
    stderr: Output,
    layer: Layer<'a>,
}

impl<S: Fn(bool, &[u8])> Watch<'_, S> {
    async fn until_end(
        &mut self,
        mut ending: Ending,
        feed: impl Future<Output = ()>,
        limit: Duration,
        cancel: &Notify,
    ) -> Result<(End, Option<Stopped>), HandsError> {
        let (mut feed, mut fed) = (pin!(feed), false);
        let mut deadline = pin!(sleep(limit));
        let mut stopped = None;
        loop {
            tokio::select! {
                ended = ending.wait() => return ended.map(|end| (end, stopped)),
                () = &mut deadline, if stopped.is_none() => {
                    stopped = Some(Stopped::TimedOut);
                    self.hands.kill(self.action).await?;
                }
                () = cancel.notified(), if stopped.is_none() => {
                    stopped = Some(Stopped::Cancelled);
                    self.hands.kill(self.action).await?;
                }
                () = &mut feed, if !fed => fed = true,
                () = self.stdout.piece(&self.stream) => {}
                () = self.stderr.piece(&self.stream) => {}
                // Where it ends without, how is told next.
                true = self.layer.handed.comes(), if self.layer.due => self.layer.stage(),
            }
        }
    }

    /// What is left in the pipes. Every writer is gone, so this ends with the data.
    async fn rest(&mut self) {
        let both = async {
            while self.stdout.open {
                self.stdout.piece(&self.stream).await;
            }
            while self.stderr.open {
                self.stderr.piece(&self.stream).await;
            }
        };
        if timeout(Duration::from_millis(REST_OF_OUTPUT_MS), both).await.is_err() {
            tracing::error!("action {}: its output did not end with it", self.action);
        }
    }
}

fn outcome(operation: Operation, end: End, stopped: Option<Stopped>, stdout: Output, stderr: Output) -> ToolOutcome {
    let ended = match end {
        End::Exited(code) => match operation {
            Operation::Command | Operation::Background => Ended::Exited { code },
            Operation::Look | Operation::Change if code == 0 => Ended::Exited { code },
            // Its standard error says what went wrong.
            Operation::Look | Operation::Change => Ended::Failed,
        },
        End::Signalled(signal) => Ended::Signalled { signal },
        End::Failed(_) => Ended::Failed,
        End::Killed => match stopped {
            Some(Stopped::TimedOut) => Ended::TimedOut,
            Some(Stopped::Cancelled) => Ended::Cancelled,
            // By the kernel, short of memory.
            None => Ended::Signalled { signal: libc::SIGKILL },
        },
        End::OutOfMemory => Ended::Signalled { signal: libc::SIGKILL },
    };
    let (stdout, stdout_dropped_bytes) = stdout.tail.finish();
    let (mut error_text, stderr_dropped_bytes) = stderr.tail.finish();
    if let End::Failed(failure) = end {
        error_text.extend_from_slice(format!("{failure}\n").as_bytes());
    }
    let limit = (end == End::OutOfMemory).then_some(Limit::Memory);
    ToolOutcome { stdout, stdout_dropped_bytes, stderr: error_text, stderr_dropped_bytes, limit, ..empty(ended) }
}
