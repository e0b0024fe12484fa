//! The loop: requests in, tokens out. The computation has a thread of its own, so that heartbeats are answered and a
//! cancellation is heard while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kit::{Control, ControlEvent, Link, LinkError, Sealed, StartError};
use model::engine::{Engine, Request};
use model::limits::{EVENTS_MAX, QUEUE_MAX};
use model::queue::{Action, Event, Job, Queue};
use model::sample::Choice;
use schema::edge::model::{FromModel, ModelWire, ToModel};
use schema::limits::COMPLETION_TOKENS;
use schema::talk::{Completion, CompletionEnd, Usage};
use tokio::sync::mpsc;

type Edge = Link<FromModel, ToModel>;

/// Why this instance ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The lines it was started with are broken.
    #[error("wait for an edge: {0}")]
    Start(#[from] StartError),
    /// The edge broke, or what came over it is not a message.
    #[error("edge to the gate: {0}")]
    Link(#[from] LinkError),
    /// The gate used the number of a request that is not done.
    #[error("edge to the gate: request {0} is asked for twice")]
    Twice(u64),
    /// The thread that computes could not be started or has ended.
    #[error("the computing thread: {0}")]
    Worker(String),
}

/// What the computing thread says.
enum Said {
    /// Pass this on.
    More(FromModel),
    /// Pass this on; the job is done.
    Last(FromModel),
}

/// The thread that computes, as this loop sees it.
struct Worker {
    jobs: mpsc::Sender<Job>,
    said: mpsc::Receiver<Said>,
    stop: Arc<AtomicBool>,
}

/// What ended an edge without harm.
enum Over {
    Renewed,
    Drained,
}

/// Serves edge after edge until it is told to stop.
pub async fn serve(mut sealed: Sealed, engine: Engine) -> Result<(), ServeError> {
    let mut worker = Worker::start(engine)?;
    let mut control = sealed.control.clone().ok_or_else(|| ServeError::Worker("no control line".to_owned()))?;
    loop {
        let mut edge = tokio::select! {
            edge = sealed.next_edge::<ModelWire>() => edge?,
            event = control.next() => match event {
                ControlEvent::Drain { .. } => return Ok(()),
                ControlEvent::Reload | ControlEvent::TreeDescribed { .. } | ControlEvent::Unavailable { .. } => continue,
            },
        };
        control.ready();
        let mut queue = Queue::default();
        let over = converse(&mut edge, &mut control, &mut worker, &mut queue).await?;
        worker.settle(&queue).await?;
        match over {
            Over::Renewed => {}
            Over::Drained => return Ok(()),
        }
    }
}

/// One edge, until it closes or this instance is drained.
async fn converse(
    edge: &mut Edge,
    control: &mut Control,
    worker: &mut Worker,
    queue: &mut Queue,
) -> Result<Over, ServeError> {
    let mut draining = false;
    loop {
        if draining && queue.is_idle() {
            return Ok(Over::Drained);
        }
        let event = tokio::select! {
            told = edge.recv() => match told {
                Ok(told) => event_of(told),
                Err(LinkError::Closed) => return Ok(Over::Renewed),
                Err(error) => return Err(error.into()),
            },
            said = worker.said.recv() => match said {
                Some(Said::More(message)) => {
                    edge.send(&message).await?;
                    continue;
                }
                Some(Said::Last(message)) => {
                    edge.send(&message).await?;
                    control.idle();
                    Event::Finished
                }
                None => return Err(ServeError::Worker("it has ended".to_owned())),
            },
            event = control.next() => {
                draining |= matches!(event, ControlEvent::Drain { .. });
                continue;
            }
        };
        act(queue.step(event), edge, control, worker).await?;
    }
}

fn event_of(told: ToModel) -> Event {
    match told {
        ToModel::Complete { request, messages, tools, call, tokens_max } => {
            let tokens_max = tokens_max.min(COMPLETION_TOKENS);
            Event::Asked(Job {
                number: request,
                request: Request { messages, tools, call, tokens_max, words: Choice::WORDS },
            })
        }
        ToModel::Cancel { request } => Event::Cancelled(request),
    }
}

async fn act(action: Action, edge: &mut Edge, control: &Control, worker: &Worker) -> Result<(), ServeError> {
    match action {
        Action::Nothing => {}
        Action::Compute(job) => {
            control.busy();
            worker.begin(job)?;
        }
        Action::Stop => worker.stop.store(true, Ordering::Relaxed),
        Action::SayCancelled(request) => {
            let completion = Completion {
                text: String::new(),
                call: None,
                ended: CompletionEnd::Cancelled,
                usage: Usage::default(),
            };
            edge.send(&FromModel::Completed { request, completion }).await?;
        }
        Action::SayFull(request) => {
            let reason = format!("the model is busy: {QUEUE_MAX} requests wait already; try again in a moment");
            edge.send(&FromModel::Failed { request, reason }).await?;
        }
        Action::EndPeer(request) => return Err(ServeError::Twice(request)),
    }
    Ok(())
}

impl Worker {
    /// Starts the thread and, in it, the engine's own.
    fn start(engine: Engine) -> Result<Worker, ServeError> {
        let (jobs, to_do) = mpsc::channel(1);
        let (says, said) = mpsc::channel(EVENTS_MAX);
        let stop = engine.stop_flag();
        std::thread::Builder::new()
            .name("compute".to_owned())
            .spawn(move || compute(engine, to_do, says))
            .map_err(|error| ServeError::Worker(error.to_string()))?;
        Ok(Worker { jobs, said, stop })
    }

    /// Gives it a job. The queue gives one at a time, so there is always room.
    fn begin(&self, job: Job) -> Result<(), ServeError> {
        self.stop.store(false, Ordering::Relaxed);
        self.jobs.try_send(job).map_err(|error| ServeError::Worker(error.to_string()))
    }

    /// Ends what is computed for an edge that is gone, and throws away what it says.
    async fn settle(&mut self, queue: &Queue) -> Result<(), ServeError> {
        self.stop.store(true, Ordering::Relaxed);
        let mut computing = queue.is_computing();
        while computing {
            match self.said.recv().await {
                Some(Said::More(_)) => {}
                Some(Said::Last(_)) => computing = false,
                None => return Err(ServeError::Worker("it has ended".to_owned())),
            }
        }
        Ok(())
    }
}

/// The computing thread's life: one job after the other, until the loop is gone.
fn compute(mut engine: Engine, mut jobs: mpsc::Receiver<Job>, says: mpsc::Sender<Said>) {
    engine.start_threads();
    while let Some(Job { number: request, request: asked }) = jobs.blocking_recv() {
        let mut show = |text: &str| {
            // Fails only when the loop is gone, and then the process ends.
            let _ = says.blocking_send(Said::More(FromModel::Token { request, text: text.to_owned() }));
        };
        let last = match engine.complete(&asked, &mut show) {
            Ok(completion) => FromModel::Completed { request, completion },
            Err(error) => FromModel::Failed { request, reason: error.to_string() },
        };
        if says.blocking_send(Said::Last(last)).is_err() {
            return;
        }
    }
}
