//! The executor behind its seal: requests from the gate, actions, results. Actions outlive an edge: a gate that comes
//! back asks again and joins them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use kit::{Control, LinkError, LinkReader, LinkWriter, Sealed, StartError};
use schema::edge::Frame;
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::limits::OUTPUT_STREAMED_BYTES;
use schema::tool::{Admitted, ToolOutcome};
use tokio::sync::{Notify, mpsc};

use crate::action::carry_out;
use crate::hands::{Hands, HandsError};
use crate::ledger::{Ledger, OnCancel, OnRun, failed};
use crate::limits::OUTGOING_MAX;

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
    hands: Rc<Hands>,
    ledger: RefCell<Ledger>,
    cancels: RefCell<BTreeMap<u64, Rc<Notify>>>,
    outgoing: RefCell<Option<Outgoing>>,
    control: Option<Control>,
    draining: Cell<bool>,
    idle: Notify,
}

impl Desk {
    /// An empty one.
    pub fn new(hands: Rc<Hands>, control: Option<Control>) -> Rc<Desk> {
        Rc::new(Desk {
            hands,
            ledger: RefCell::default(),
            cancels: RefCell::default(),
            outgoing: RefCell::default(),
            control,
            draining: Cell::new(false),
            idle: Notify::new(),
        })
    }
}

/// Serves until told to drain, or until the launcher or the maker is gone.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(mut sealed: Sealed, maker: OwnedFd) -> Result<(), ServeError> {
    let hands = Rc::new(Hands::new(maker)?);
    let desk = Desk::new(hands, sealed.control.clone());
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
        () = drained(&desk) => Ok(()),
    }
}

/// Returns once the supervisor has asked to drain and nothing runs.
async fn drained(desk: &Desk) {
    let Some(mut control) = desk.control.clone() else {
        return std::future::pending().await;
    };
    control.drained().await;
    desk.draining.set(true);
    while !desk.ledger.borrow().idle() {
        desk.idle.notified().await;
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
        loop {
            match reader.recv_frame().await? {
                Frame::Body(ToExecutor::Run { action, call }) => {
                    run(desk, &outgoing, action, call).await;
                }
                Frame::Body(ToExecutor::Cancel { action }) => {
                    cancel(desk, &outgoing, action).await;
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

async fn run(desk: &Rc<Desk>, outgoing: &Outgoing, action: u64, call: Admitted) {
    if desk.draining.get() {
        let outcome = failed("the executor is stopping; ask again when it has been restarted");
        return put(outgoing, finished(action, &outcome)).await;
    }
    let decided = desk.ledger.borrow_mut().run(action, call);
    match decided {
        OnRun::Start(call) => start(desk, action, call),
        OnRun::Later => {}
        OnRun::Ended(outcome) => put(outgoing, finished(action, &outcome)).await,
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
        OnCancel::Ended(outcome) => put(outgoing, finished(action, &outcome)).await,
    }
}

fn start(desk: &Rc<Desk>, action: u64, call: Admitted) {
    let cancel = Rc::new(Notify::new());
    desk.cancels.borrow_mut().insert(action, cancel.clone());
    if let Some(control) = &desk.control {
        control.busy();
    }
    tokio::task::spawn_local(act(desk.clone(), action, call, cancel));
}

/// One action's task.
async fn act(desk: Rc<Desk>, action: u64, call: Admitted, cancel: Rc<Notify>) {
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
    let outcome = match carry_out(&desk.hands, action, call, &cancel, stream).await {
        Ok(outcome) => outcome,
        // The maker is gone: `serve` sees it too and ends the process; nothing is known of the action.
        Err(_) => return,
    };
    desk.cancels.borrow_mut().remove(&action);
    let (told, next) = desk.ledger.borrow_mut().end(action, outcome);
    if let Some((action, call)) = next {
        start(&desk, action, call);
    }
    let outgoing = desk.outgoing.borrow().clone();
    if let Some(outgoing) = outgoing {
        put(&outgoing, finished(action, &told)).await;
    }
    if let Some(control) = &desk.control {
        control.idle();
    }
    desk.idle.notify_one();
}
