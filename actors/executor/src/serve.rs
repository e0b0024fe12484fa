//! The executor behind its seal: requests from the gate, actions, results. Actions outlive an edge: a gate that comes
//! back asks again and joins them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use kit::{Control, LinkError, LinkReader, LinkWriter, Sealed, StartError};
use schema::edge::Frame;
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::effects::Standing;
use schema::label::Label;
use schema::limits::{OUTPUT_STREAMED_BYTES, RELOAD_WAIT_S};
use schema::tool::{Admitted, ToolOutcome};
use tokio::sync::{Notify, mpsc};
use tokio::time::Duration;
use workspace::Area;

use crate::again::rehearse;
use crate::background::{self, Background, Call};
use crate::drain;
use crate::hands::{Hands, HandsError};
use crate::ledger::{Ledger, OnCancel, OnRun, failed};
use crate::limits::OUTGOING_MAX;
use crate::settle::{self, Shown};
use crate::settled;
use crate::taken_back;
use crate::uploads::{self, Uploads};

/// Why the executor ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The launcher's line.
    #[error("{0}")]
    Start(#[from] StartError),
    /// The gate broke the edge's rules.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// No sandboxes any more.
    #[error("{0}")]
    Hands(#[from] HandsError),
}

type Outgoing = mpsc::Sender<Frame<FromExecutor>>;

/// All that actions and edge share.
pub struct Desk {
    pub(crate) hands: Rc<Hands>,
    pub(crate) area: Rc<RefCell<Area>>,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) background: Background,
    /// Labels of the turns that asked for actions which have not ended.
    labels: RefCell<BTreeMap<u64, Label>>,
    /// Rehearsed, shown, and waiting for the gate's word.
    pub(crate) staged: RefCell<BTreeMap<u64, Shown>>,
    pub(crate) uploads: RefCell<Uploads>,
    cancels: RefCell<BTreeMap<u64, Rc<Notify>>>,
    outgoing: RefCell<Option<Outgoing>>,
    pub(crate) control: Option<Control>,
    pub(crate) draining: Cell<bool>,
    /// It ends as soon as nothing runs.
    pub(crate) reloading: Cell<bool>,
    pub(crate) idle: Notify,
}

impl Desk {
    /// An empty one.
    pub fn new(hands: Rc<Hands>, area: Rc<RefCell<Area>>, control: Option<Control>) -> Rc<Desk> {
        Rc::new(Desk {
            hands,
            area,
            staged: RefCell::default(),
            ledger: RefCell::default(),
            background: Background::default(),
            labels: RefCell::default(),
            uploads: RefCell::default(),
            cancels: RefCell::default(),
            outgoing: RefCell::default(),
            control,
            draining: Cell::new(false),
            reloading: Cell::new(false),
            idle: Notify::new(),
        })
    }

    /// Whether something new may go on in the background; in words why not.
    pub(crate) fn not_about_to_end(&self) -> Result<(), String> {
        if !self.reloading.get() || self.background.idle() {
            return Ok(());
        }
        Err(format!(
            "the executor starts anew when the commands in the background have ended, for {RELOAD_WAIT_S} seconds at most: \
             wait for them, or stop them"
        ))
    }

    /// Says something to the gate. False: no gate is there.
    pub(crate) async fn say(&self, said: FromExecutor) -> bool {
        let outgoing = self.outgoing.borrow().clone();
        match outgoing {
            Some(outgoing) => outgoing.send(Frame::Body(said)).await.is_ok(),
            None => false,
        }
    }

    /// A command in the background works in the workspace no more.
    pub(crate) fn leave(self: &Rc<Desk>, action: u64) {
        let next = self.ledger.borrow_mut().leave(action);
        go_on(self, next);
    }

    /// A piece of work is done.
    pub(crate) fn worked(&self) {
        if let Some(control) = &self.control {
            control.idle();
        }
        self.idle.notify_one();
    }
}

/// Serves until told to drain, or until the launcher or the maker is gone.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(mut sealed: Sealed, (area, maker): (Area, OwnedFd)) -> Result<(), ServeError> {
    let hands = Rc::new(Hands::new(maker)?);
    let desk = Desk::new(hands, Rc::new(RefCell::new(area)), sealed.control.clone());
    let work = async {
        loop {
            let link = sealed.next_edge::<ExecutorWire>().await?;
            if let Some(control) = &desk.control {
                control.ready();
            }
            let (reader, writer) = link.split();
            edge(&desk, reader, writer).await?;
        }
    };
    tokio::select! {
        error = desk.hands.attend() => Err(error.into()),
        ended = work => ended,
        () = drain::asked(&desk, Duration::from_secs(RELOAD_WAIT_S)) => {
            desk.area.borrow().leave_directories();
            Ok(())
        }
    }
}

/// One edge's life: returns when the gate's end closes.
///
/// # Errors
/// When the gate breaks the edge's rules.
pub async fn edge(
    desk: &Rc<Desk>,
    mut reader: LinkReader<ToExecutor>,
    writer: LinkWriter<FromExecutor>,
) -> Result<(), LinkError> {
    let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
    desk.outgoing.replace(Some(outgoing.clone()));
    let read = async {
        for said in desk.background.announced() {
            put(&outgoing, Frame::Body(said)).await;
        }
        loop {
            match reader.recv_frame().await? {
                Frame::Body(ToExecutor::Run { action, call, label }) => {
                    run(desk, &outgoing, action, (call, label)).await;
                }
                Frame::Body(ToExecutor::Settle { action, commit, label }) => {
                    let said = match settle::settle(desk, action, commit.then_some(label)) {
                        Some(standing) => FromExecutor::Settled { action, standing },
                        None => FromExecutor::Again { action },
                    };
                    put(&outgoing, Frame::Body(said)).await;
                    tokio::task::spawn_local(settle::tidy(desk.clone()));
                }
                Frame::Body(ToExecutor::PreviewUndo { request, action }) => {
                    let preview = taken_back::preview(&mut desk.area.borrow_mut(), action);
                    put(&outgoing, Frame::Body(FromExecutor::UndoPreviewed { request, preview })).await;
                }
                Frame::Body(ToExecutor::Upload { request, upload, offset, bytes }) => {
                    let held = uploads::part(desk, upload, offset, &bytes);
                    put(&outgoing, Frame::Body(FromExecutor::Uploaded { request, held })).await;
                }
                Frame::Body(ToExecutor::Cancel { action }) => {
                    cancel(desk, &outgoing, action).await;
                }
                Frame::Body(ToExecutor::Forget { action }) => {
                    desk.background.end(Some(action), "nobody had asked for it");
                    settle::forget(desk, action);
                }
                Frame::Probe { nonce } => {
                    if let Some(answer) = kit::probe::answer(nonce) {
                        put(&outgoing, answer).await;
                    }
                }
                Frame::Probed { .. } | Frame::Hello { .. } => {
                    return Err(LinkError::Unexpected { name: "executor", what: "an answer to no probe" });
                }
            }
        }
    };
    let ended = tokio::select! {
        ended = read => ended,
        ended = write(writer, queue) => ended,
    };
    desk.outgoing.replace(None);
    match ended {
        Ok(()) | Err(LinkError::Closed) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn write(
    mut writer: LinkWriter<FromExecutor>,
    mut queue: mpsc::Receiver<Frame<FromExecutor>>,
) -> Result<(), LinkError> {
    while let Some(frame) = queue.recv().await {
        writer.send_frame(&frame).await?;
    }
    Ok(())
}

/// Waits for room: whoever asks faster than it reads is slowed by it. A closed edge needs no answer.
async fn put(outgoing: &Outgoing, frame: Frame<FromExecutor>) {
    let _ = outgoing.send(frame).await;
}

fn finished(action: u64, outcome: &ToolOutcome) -> Frame<FromExecutor> {
    Frame::Body(FromExecutor::Finished { action, outcome: outcome.clone() })
}

async fn run(desk: &Rc<Desk>, outgoing: &Outgoing, action: u64, (call, label): (Admitted, Label)) {
    if desk.draining.get() {
        let outcome = failed("the executor is stopping; ask again when it has been restarted");
        return put(outgoing, finished(action, &outcome)).await;
    }
    // A gate that has come back asks again.
    let staged = desk.staged.borrow().get(&action).map(|shown| shown.outcome.clone());
    if let Some(outcome) = staged {
        return put(outgoing, finished(action, &outcome)).await;
    }
    let known = desk.ledger.borrow().knows(action);
    let settled = if known { None } else { settled::settled(&desk.area.borrow(), action) };
    if let Some(outcome) = settled {
        return put(outgoing, finished(action, &outcome)).await;
    }
    desk.labels.borrow_mut().insert(action, label);
    let decided = desk.ledger.borrow_mut().run(action, call);
    match decided {
        OnRun::Start(call) => start(desk, action, call, 0),
        OnRun::Later => {}
        OnRun::Ended(outcome) => {
            desk.labels.borrow_mut().remove(&action);
            put(outgoing, finished(action, &outcome)).await;
        }
    }
}

async fn cancel(desk: &Rc<Desk>, outgoing: &Outgoing, action: u64) {
    let decided = desk.ledger.borrow_mut().cancel(action);
    match decided {
        OnCancel::Kill => {
            if let Some(cancel) = desk.cancels.borrow().get(&action) {
                cancel.notify_one();
            }
        }
        OnCancel::Ended(outcome) => {
            desk.labels.borrow_mut().remove(&action);
            put(outgoing, finished(action, &outcome)).await;
        }
    }
}

/// `tries`: how often it was shown before.
pub(crate) fn start(desk: &Rc<Desk>, action: u64, call: Admitted, tries: usize) {
    let cancel = Rc::new(Notify::new());
    desk.cancels.borrow_mut().insert(action, cancel.clone());
    if let Some(control) = &desk.control {
        control.busy();
    }
    tokio::task::spawn_local(act(desk.clone(), action, call, cancel, tries));
}

/// One action's task.
async fn act(desk: Rc<Desk>, action: u64, call: Admitted, cancel: Rc<Notify>, tries: usize) {
    let left_bytes = Cell::new(OUTPUT_STREAMED_BYTES);
    let stream = |from_stderr, bytes: &[u8]| {
        let left = left_bytes.get().checked_sub(bytes.len());
        if let (Some(outgoing), Some(left)) = (desk.outgoing.borrow().as_ref(), left) {
            // A full queue drops it: the result has the tail all the same.
            let output = FromExecutor::Output { action, from_stderr, bytes: bytes.to_vec() };
            if outgoing.try_send(Frame::Body(output)).is_ok() {
                left_bytes.set(left);
            }
        }
    };
    let label = desk.labels.borrow_mut().remove(&action).unwrap_or_default();
    let again = async || {
        desk.say(FromExecutor::Again { action }).await;
    };
    let asked = call.clone();
    let done = match Call::of(call) {
        Ok(call) => background::act(&desk, (action, label), call, &cancel).await,
        Err(call @ Admitted::PutFile { .. }) => Ok(uploads::stage(&desk, action, &call)),
        Err(call) => rehearse(&desk.hands, &desk.area, action, call, &cancel, stream, again).await,
    };
    let outcome = match done {
        Ok(outcome) => outcome,
        // The maker is gone: `serve` sees it too and ends the process; nothing is known of the action.
        Err(_) => return,
    };
    desk.cancels.borrow_mut().remove(&action);
    if outcome.standing == Standing::Staged {
        let shown = Shown { outcome: outcome.clone(), call: asked, tries };
        desk.staged.borrow_mut().insert(action, shown);
        tokio::task::spawn_local(settle::give_up(desk.clone(), action, tries));
        return tell(&desk, action, &outcome).await;
    }
    let told = end(&desk, action, outcome);
    tell(&desk, action, &told).await;
}

async fn tell(desk: &Desk, action: u64, outcome: &ToolOutcome) {
    let outgoing = desk.outgoing.borrow().clone();
    if let Some(outgoing) = outgoing {
        put(&outgoing, finished(action, outcome)).await;
    }
}

/// It is over: the next may start.
pub(crate) fn end(desk: &Rc<Desk>, action: u64, outcome: ToolOutcome) -> Rc<ToolOutcome> {
    desk.labels.borrow_mut().remove(&action);
    let (told, next) = desk.ledger.borrow_mut().end(action, outcome);
    go_on(desk, next);
    desk.worked();
    told
}

/// The workspace may be free: who is next.
fn go_on(desk: &Rc<Desk>, next: Option<(u64, Admitted)>) {
    if let Some((action, call)) = next {
        start(desk, action, call, 0);
    }
    let entered = desk.ledger.borrow_mut().entered();
    if let Some(action) = entered {
        desk.background.entered(action);
    }
}
