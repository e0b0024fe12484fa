//! Commands in the background: each in a sandbox of its own, over a copy of the workspace that stays as it is. What one
//! changes is its `start` action's, and is staged, decided on and committed when it ends.

mod command;
pub mod state;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use schema::codec;
use schema::edge::executor::FromExecutor;
use schema::effects::Standing;
use schema::label::Label;
use schema::tool::{Admitted, Ended, TerminalSize, ToolOutcome};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, Instant, timeout, timeout_at};
use workspace::{FreezeError, Frozen};

use crate::action::can_run;
use crate::hands::{self, HandsError};
use crate::image;
use crate::labels;
use crate::ledger::failed;
use crate::limits::{BACKGROUND_TIMEOUT_MAX_MS, INPUT_MS, PAYLOAD_BYTES, STOP_MS};
use crate::pipe::Pipe;
use crate::pipes::Pipes;
use crate::record::Operation;
use crate::serve::Desk;
use crate::settled;
use command::Watched;
use state::{Table, unknown};

/// A call about a command in the background.
#[derive(Debug)]
pub enum Call {
    /// Start one.
    Start(Starting),
    /// What is new of it.
    Poll {
        /// Its number.
        action: u64,
        /// How long to wait for something.
        wait_ms: u32,
    },
    /// Text for its standard input.
    Input {
        /// Its number.
        action: u64,
        /// What.
        text: String,
        /// Nothing more will come.
        end: bool,
    },
    /// End it.
    Stop {
        /// Its number.
        action: u64,
    },
}

/// A command to start.
#[derive(Debug)]
pub struct Starting {
    command: String,
    timeout_ms: u32,
    terminal: Option<TerminalSize>,
    image: Option<String>,
}

impl Call {
    /// The call, if it is one about the background; otherwise as it was.
    ///
    /// # Errors
    /// The call that it is not.
    pub fn of(call: Admitted) -> Result<Call, Admitted> {
        Ok(match call {
            Admitted::Start { command, timeout_ms, terminal, image } => {
                Call::Start(Starting { command, timeout_ms, terminal, image })
            }
            Admitted::Poll { action, wait_ms } => Call::Poll { action, wait_ms },
            Admitted::Input { action, text, end } => Call::Input { action, text, end },
            Admitted::Stop { action } => Call::Stop { action },
            other @ (Admitted::RunCommand { .. }
            | Admitted::ReadFile { .. }
            | Admitted::WriteFile { .. }
            | Admitted::PutFile { .. }
            | Admitted::EditFile { .. }
            | Admitted::SearchFiles { .. }
            | Admitted::GetFile { .. }
            | Admitted::ListFiles { .. }
            | Admitted::Move { .. }
            | Admitted::Delete { .. }
            | Admitted::MakeDirectory { .. }
            | Admitted::Undo { .. }) => return Err(other),
        })
    }
}

/// What the desk knows of commands in the background.
#[derive(Default)]
pub struct Background {
    pub(crate) table: RefCell<Table>,
    commands: RefCell<BTreeMap<u64, Rc<Running>>>,
    /// Ends that no gate was there to hear.
    untold: RefCell<BTreeMap<u64, ToolOutcome>>,
}

/// What became of what one changes, and the label of what it wrote.
type Became = (Standing, Option<Label>);

/// One that is not over.
struct Running {
    input: RefCell<Option<Rc<Pipe>>>,
    /// Why it is to be stopped, once it is.
    why: Cell<Option<&'static str>>,
    stop: Notify,
    news: Notify,
    entered: RefCell<Option<oneshot::Sender<()>>>,
    settled: RefCell<Option<oneshot::Sender<Became>>>,
}

impl Running {
    fn new(input: Pipe) -> Rc<Running> {
        Rc::new(Running {
            input: RefCell::new(Some(Rc::new(input))),
            why: Cell::new(None),
            stop: Notify::new(),
            news: Notify::new(),
            entered: RefCell::default(),
            settled: RefCell::default(),
        })
    }

    fn end(&self, why: &'static str) {
        if self.why.get().is_none() {
            self.why.set(Some(why));
        }
        self.stop.notify_one();
    }
}

impl Background {
    /// Whether none runs.
    pub fn idle(&self) -> bool {
        self.commands.borrow().is_empty()
    }

    /// Ends one, or all of them.
    pub fn end(&self, action: Option<u64>, why: &'static str) {
        let all = self.commands.borrow();
        all.iter()
            .filter(|(number, _)| action.is_none_or(|action| action == **number))
            .for_each(|(_, one)| one.end(why));
    }

    /// It may work in the workspace now.
    pub fn entered(&self, action: u64) {
        if let Some(tell) = self.running(action).and_then(|one| one.entered.take()) {
            // Fails when it was stopped meanwhile, and has left.
            let _ = tell.send(());
        }
    }

    /// What it came to, while what it changes waits to be settled.
    pub fn staged(&self, action: u64) -> Option<ToolOutcome> {
        self.table.borrow().unsettled().into_iter().find_map(|(of, outcome)| (of == action).then_some(outcome))
    }

    /// What the gate has decided on is done.
    pub fn settled(&self, action: u64, standing: &Standing, wrote: Option<Label>) {
        if let Some(tell) = self.running(action).and_then(|one| one.settled.take()) {
            let _ = tell.send((standing.clone(), wrote));
        }
    }

    /// What a new edge is told first.
    pub fn announced(&self) -> Vec<FromExecutor> {
        let untold = std::mem::take(&mut *self.untold.borrow_mut());
        let table = self.table.borrow();
        let there = table.running().into_iter().chain(untold.keys().copied());
        let mut told: Vec<FromExecutor> = there.map(|action| FromExecutor::Background { action }).collect();
        let ended = untold.into_iter().chain(table.unsettled());
        told.extend(ended.map(|(action, outcome)| FromExecutor::Ended { action, outcome }));
        told
    }

    /// What it sees of directories that were added is what there is in them now.
    fn sees_now(&self, desk: &Desk, action: u64) {
        if self.running(action).is_some() {
            let now = labels::directories(&desk.area.borrow());
            self.table.borrow_mut().sees(action, now);
        }
    }

    fn running(&self, action: u64) -> Option<Rc<Running>> {
        self.commands.borrow().get(&action).cloned()
    }

    fn over(&self, action: u64, outcome: ToolOutcome) {
        self.table.borrow_mut().over(action, outcome);
        if let Some(one) = self.commands.borrow_mut().remove(&action) {
            one.news.notify_waiters();
        }
    }
}

/// Carries out a call about the background.
///
/// # Errors
/// When the maker is gone.
pub async fn act(
    desk: &Rc<Desk>,
    (action, label): (u64, Label),
    call: Call,
    cancel: &Notify,
) -> Result<ToolOutcome, HandsError> {
    Ok(match call {
        Call::Start(asked) => return start(desk, (action, label), asked, cancel).await,
        Call::Poll { action, wait_ms } => poll(desk, action, wait_ms, cancel).await,
        Call::Input { action, text, end } => {
            desk.background.table.borrow_mut().sees(action, label);
            input(desk, action, &text, end).await
        }
        Call::Stop { action } => {
            desk.background.end(Some(action), "it was stopped");
            poll_end(desk, action).await
        }
    })
}

async fn start(
    desk: &Rc<Desk>,
    (action, label): (u64, Label),
    asked: Starting,
    cancel: &Notify,
) -> Result<ToolOutcome, HandsError> {
    // A gate that has come back asks again, later than the ledger remembers.
    if desk.background.table.borrow().knows(action) {
        return Ok(begun_as(action));
    }
    let admitted = can_run(&asked.command).and_then(|()| desk.background.table.borrow().admit());
    let admitted = admitted.and_then(|()| desk.not_about_to_end());
    if let Err(why) = admitted {
        return Ok(failed(&why));
    }
    let copied = tokio::select! {
        copied = freeze(desk, action) => copied.map_err(|error| failed(&error.to_string())),
        () = cancel.notified() => Err(ToolOutcome::of(Ended::Cancelled)),
    };
    let begun = match copied {
        Ok(()) => {
            let sees = label.join(labels::all(&desk.area.borrow()));
            begin(desk, (action, sees), asked).await?
        }
        Err(outcome) => Err(outcome),
    };
    if let Err(outcome) = begun {
        command::thaw(desk, action).await;
        return Ok(outcome);
    }
    Ok(begun_as(action))
}

fn begun_as(action: u64) -> ToolOutcome {
    let text = format!("runs in the background with id {action}: poll, input and stop take it\n");
    ToolOutcome { stdout: text.into_bytes(), ..ToolOutcome::of(Ended::Running) }
}

/// Copies the workspace, and lets others work meanwhile.
async fn freeze(desk: &Desk, action: u64) -> Result<(), FreezeError> {
    let mut freezing = desk.area.borrow().freeze(action, Frozen::default())?;
    while !freezing.step()? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Has its sandbox made, and its task attends it from there on.
async fn begin(
    desk: &Rc<Desk>,
    (action, sees): (u64, Label),
    asked: Starting,
) -> Result<Result<(), ToolOutcome>, HandsError> {
    let (pipes, theirs) = match Pipes::new() {
        Ok(made) => made,
        Err(error) => return Ok(Err(failed(&format!("could not make a pipe for the sandbox: {error}")))),
    };
    let timeout_ms = asked.timeout_ms.clamp(1, BACKGROUND_TIMEOUT_MAX_MS);
    let terminal = asked.terminal.map_or((0, 0), |size| (size.rows, size.columns));
    // Held until every process of the sandbox is gone.
    let image = match asked.image.as_deref().map(image::hold).transpose() {
        Ok(image) => image,
        Err(why) => return Ok(Err(failed(&why))),
    };
    let digest = image.as_ref().map(|image| image.digest);
    let call = Admitted::Start { command: asked.command, timeout_ms, terminal: asked.terminal, image: asked.image };
    let payload = match codec::encode(&call, PAYLOAD_BYTES) {
        Ok(payload) => payload,
        Err(error) => return Ok(Err(failed(&format!("the call: {error}")))),
    };
    let asked = hands::Job {
        action,
        operation: Operation::Background,
        payload_bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        cpu_s: timeout_ms.div_ceil(1000) + 1,
        terminal,
        image: digest,
    };
    let end = desk.hands.run(asked, theirs.all()).await?;
    drop(theirs);
    let limit = Duration::from_millis(u64::from(timeout_ms));
    // Before it can be asked for input: its command line comes first in the same pipe.
    let handed = timeout(Duration::from_millis(INPUT_MS), pipes.payload.write_all(&payload)).await;
    if !matches!(handed, Ok(Ok(()))) {
        tracing::warn!("action {action}: its sandbox does not take what it is to do");
    }
    let running = Running::new(pipes.payload);
    desk.background.table.borrow_mut().begin(action, sees);
    desk.background.commands.borrow_mut().insert(action, running.clone());
    desk.say(FromExecutor::Background { action }).await;
    let watched = Watched::new(action, (pipes.stdout, pipes.stderr, pipes.layer), end, limit, (running, image));
    tokio::task::spawn_local(command::attend(desk.clone(), watched));
    Ok(Ok(()))
}

async fn poll(desk: &Desk, action: u64, wait_ms: u32, cancel: &Notify) -> ToolOutcome {
    let until = Instant::now() + Duration::from_millis(u64::from(wait_ms));
    while let Some(one) = desk.background.running(action) {
        let news = one.news.notified();
        if desk.background.table.borrow().has_news(action) {
            break;
        }
        tokio::select! {
            heard = timeout_at(until, news) => if heard.is_err() { break },
            () = cancel.notified() => break,
        }
    }
    now(desk, action)
}

/// What is known of it now.
fn now(desk: &Desk, action: u64) -> ToolOutcome {
    desk.background.sees_now(desk, action);
    let told = desk.background.table.borrow_mut().poll(action);
    // An executor before this one may have died when it had committed it, and before it could say so.
    let told = told.or_else(|| settled::real(&desk.area.borrow(), action));
    told.unwrap_or_else(|| failed(&unknown(action)))
}

/// How it ended, once it has.
async fn poll_end(desk: &Desk, action: u64) -> ToolOutcome {
    let until = Instant::now() + Duration::from_millis(STOP_MS);
    while let Some(one) = desk.background.running(action) {
        let news = one.news.notified();
        if !desk.background.table.borrow().runs(action) || timeout_at(until, news).await.is_err() {
            break;
        }
    }
    now(desk, action)
}

async fn input(desk: &Desk, action: u64, text: &str, end: bool) -> ToolOutcome {
    let Some(one) = desk.background.running(action) else {
        let known = desk.background.table.borrow().knows(action);
        return failed(&if known { format!("the command {action} has ended") } else { unknown(action) });
    };
    let pipe = if end { one.input.take() } else { one.input.borrow().clone() };
    let Some(pipe) = pipe else {
        return failed(&format!("the input of the command {action} was ended before"));
    };
    match timeout(Duration::from_millis(INPUT_MS), pipe.write_all(text.as_bytes())).await {
        Ok(Ok(())) => ToolOutcome::of(Ended::Exited { code: 0 }),
        Ok(Err(error)) => failed(&format!("writing to the input of the command {action}: {error}")),
        Err(_) => failed(&format!("the command {action} does not read its input: some of the text waits for it still")),
    }
}
