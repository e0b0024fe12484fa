//! A peer's sending side: a bounded queue and a task that empties it. Nobody in the gate ever waits for a peer to read;
//! one that lets its queue fill up is ended.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use kit::LinkError;
use roles::launch::Instance;
use schema::edge::Frame;
use schema::edge::control::Place;
use tokio::sync::{Notify, mpsc};

use crate::limits::{PEER_BYTES_MAX, PEER_FRAMES_MAX};

/// Roughly what a message holds in memory.
pub trait Weigh {
    /// Bytes of its texts.
    fn weight_bytes(&self) -> usize;
}

/// What a queue needs of a connection: to send one frame, with a deadline of its own.
pub trait Sink<M> {
    /// Sends one frame.
    fn send(&mut self, frame: Frame<M>) -> impl Future<Output = Result<(), LinkError>>;
}

impl<M: serde::Serialize> Sink<M> for kit::LinkWriter<M> {
    async fn send(&mut self, frame: Frame<M>) -> Result<(), LinkError> {
        self.send_frame(&frame).await
    }
}

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotTaken {
    /// The peer has ended.
    #[error("it has ended")]
    Gone,
    /// It reads too slowly, and is ended for that.
    #[error("it does not read")]
    Slow,
}

/// The queue to one peer.
#[derive(Debug)]
pub struct Outbox<M> {
    queue: mpsc::Sender<(usize, Frame<M>)>,
    waiting_bytes: Rc<Cell<usize>>,
    ended: Rc<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    is: Cell<bool>,
    told: Notify,
}

impl Ended {
    fn set(&self) {
        self.is.set(true);
        // One task waits for it: the one that reads.
        self.told.notify_one();
    }
}

impl<M: Weigh + 'static> Outbox<M> {
    /// A queue that is emptied into `sink`. Call it within a `LocalSet`.
    pub fn start(sink: impl Sink<M> + 'static) -> Outbox<M> {
        let (queue, frames) = mpsc::channel(PEER_FRAMES_MAX);
        let outbox = Outbox { queue, waiting_bytes: Rc::default(), ended: Rc::default() };
        let (waiting, ended) = (outbox.waiting_bytes.clone(), outbox.ended.clone());
        tokio::task::spawn_local(empty(sink, frames, waiting, ended));
        outbox
    }

    /// Queues a message.
    pub fn push(&self, message: M) -> Result<(), NotTaken> {
        let weight = message.weight_bytes();
        self.push_frame(weight, Frame::Body(message))
    }

    /// Queues the question whether this peer is confined.
    pub fn push_probe(&self, nonce: u64) -> Result<(), NotTaken> {
        self.push_frame(0, Frame::Probe { nonce })
    }

    fn push_frame(&self, weight: usize, frame: Frame<M>) -> Result<(), NotTaken> {
        if self.ended.is.get() {
            return Err(NotTaken::Gone);
        }
        let waiting = self.waiting_bytes.get().saturating_add(weight);
        if waiting > PEER_BYTES_MAX {
            self.end();
            return Err(NotTaken::Slow);
        }
        match self.queue.try_send((weight, frame)) {
            Ok(()) => {
                self.waiting_bytes.set(waiting);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.end();
                Err(NotTaken::Slow)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotTaken::Gone),
        }
    }

    /// Ends the connection, once the task that reads from it looks.
    pub fn end(&self) {
        self.ended.set();
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.is.get()
    }

    /// Waits for the end. For the one task that reads from this peer.
    pub async fn ended(&self) {
        while !self.ended.is.get() {
            self.ended.told.notified().await;
        }
    }
}

async fn empty<M>(
    mut sink: impl Sink<M>,
    mut frames: mpsc::Receiver<(usize, Frame<M>)>,
    waiting: Rc<Cell<usize>>,
    ended: Rc<Ended>,
) {
    while let Some((weight, frame)) = frames.recv().await {
        waiting.set(waiting.get().saturating_sub(weight));
        match sink.send(frame).await {
            Ok(()) => {}
            Err(LinkError::Closed) => break,
            Err(error) => {
                tracing::warn!("{error}");
                break;
            }
        }
        if ended.is.get() {
            return;
        }
    }
    ended.set();
}

/// An instance of a role at the other end of an edge.
#[derive(Debug)]
pub struct Peer<M> {
    /// Who, by the launcher's label.
    pub who: Instance,
    /// The queue to it.
    pub outbox: Outbox<M>,
}

impl<M> Peer<M> {
    /// Its place.
    pub fn place(&self) -> Place {
        Place::new(self.who.role, self.who.slot)
    }
}
