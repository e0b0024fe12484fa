//! Local people: connections over the Unix socket that the launcher opened and this gate accepts on. Who is there is the
//! kernel's word. The socket is `interprocess`'s; the frames are those of every edge.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::rc::Rc;

use interprocess::local_socket::tokio::Stream;
use kit::LinkError;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use schema::FINGERPRINT;
use schema::codec;
use schema::edge::local::{FromClient, LocalWire, ToClient};
use schema::edge::{Frame, Wire};
use schema::limits::PREFIX_BYTES;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, Instant, timeout};

use crate::client::Client;
use crate::hub::Gate;
use crate::limits::{
    CLIENT_FRAME_MS, CLIENT_HELLO_MS, CLIENT_READ_BYTES, CLIENTS_MAX, CLIENTS_PER_UID_MAX, STRANGERS_NAMED_PER_MINUTE,
};
use crate::peer::{Outbox, Sink};
use crate::{principals, requests};

/// Largest hello, bytes: an enum's number and one 64-bit number.
const HELLO_BYTES: usize = 16;

/// Who is connected.
#[derive(Default)]
pub struct Door {
    by_uid: RefCell<BTreeMap<u32, usize>>,
    strangers: RefCell<Strangers>,
}

/// So that a stranger can't fill the audit log: the first few a minute are named, the rest is counted.
#[derive(Default)]
struct Strangers {
    since: Option<Instant>,
    named: u32,
    counted: u64,
}

struct Seat {
    door: Rc<Door>,
    uid: u32,
}

impl Door {
    fn enter(self: &Rc<Door>, uid: u32) -> Option<Seat> {
        let mut by_uid = self.by_uid.borrow_mut();
        let all: usize = by_uid.values().sum();
        let of_uid = by_uid.entry(uid).or_insert(0);
        if all >= CLIENTS_MAX || *of_uid >= CLIENTS_PER_UID_MAX {
            return None;
        }
        *of_uid += 1;
        let door = self.clone();
        Some(Seat { door, uid })
    }

    fn stranger(&self, gate: &Gate, uid: u32) {
        let mut strangers = self.strangers.borrow_mut();
        let minute = Duration::from_secs(60);
        if strangers.since.is_none_or(|since| since.elapsed() > minute) {
            strangers.since = Some(Instant::now());
            strangers.named = 0;
        }
        if strangers.named >= STRANGERS_NAMED_PER_MINUTE {
            strangers.counted += 1;
            return;
        }
        strangers.named += 1;
        let unnamed = std::mem::take(&mut strangers.counted);
        gate.note("client.refused", &json!({ "uid": uid, "unnamed_before": unnamed }));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_uid = self.door.by_uid.borrow_mut();
        if let Some(count) = by_uid.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                by_uid.remove(&self.uid);
            }
        }
    }
}

/// Serves one connection to its end.
pub async fn attend(gate: Rc<Gate>, door: Rc<Door>, stream: Stream) {
    // Asked here, since interprocess takes process id 0 for no answer, and that is what a process outside this role's
    // process-id namespace has. Without a peer the kernel says user id -1, which is nobody's.
    let Stream::UdSocket(socket) = &stream;
    let uid = match getsockopt(&socket.as_fd(), PeerCredentials).map(|creds| creds.uid()) {
        Ok(u32::MAX) => return tracing::error!("local socket: the kernel does not say who is there"),
        Ok(uid) => uid,
        Err(error) => return tracing::error!("local socket: who is there: {error}"),
    };
    let Some(_seat) = door.enter(uid) else {
        return tracing::warn!(uid, "local socket: too many connections");
    };
    let stream = Rc::new(stream);
    let mut frames = Frames::new(stream.clone());
    let hello = timeout(Duration::from_millis(CLIENT_HELLO_MS), frames.next(HELLO_BYTES)).await;
    match hello {
        Ok(Ok(Frame::Hello { fingerprint })) => {
            let mut sink = ClientSink(stream.clone());
            let hello = Frame::Hello { fingerprint: FINGERPRINT };
            if sink.send(hello).await.is_err() || fingerprint != FINGERPRINT {
                return;
            }
        }
        Ok(Ok(_) | Err(_)) | Err(_) => return,
    }
    let client = Rc::new(Client::new(uid, Outbox::start(ClientSink(stream))));
    let caller = principals::caller(&gate.config.borrow(), uid);
    let Some(caller) = caller else {
        door.stranger(&gate, uid);
        client.fail(principals::stranger(uid), true);
        // What is queued goes out before the queue's task ends.
        return;
    };
    loop {
        let frame = tokio::select! {
            biased;
            () = client.outbox.ended() => break,
            frame = frames.next(LocalWire::LIMIT_BYTES) => frame,
        };
        match frame {
            Ok(Frame::Body(asked)) => {
                if let Err(what) = requests::hear(&gate, &client, &caller, asked) {
                    client.fail(what, false);
                    break;
                }
            }
            Ok(_) => break,
            Err(error) => {
                if error.kind() != io::ErrorKind::UnexpectedEof {
                    tracing::warn!(uid, "local client: {error}");
                }
                break;
            }
        }
    }
    client.outbox.end();
}

/// Reads frames off a connection; a frame that has begun has a deadline.
struct Frames {
    stream: Rc<Stream>,
    buffer: Vec<u8>,
}

impl Frames {
    fn new(stream: Rc<Stream>) -> Frames {
        let buffer = Vec::new();
        Frames { stream, buffer }
    }

    /// The next frame. Cancel-safe: what has arrived stays.
    async fn next(&mut self, limit_bytes: usize) -> io::Result<Frame<FromClient>> {
        let mut until = None;
        loop {
            if let Some(frame) = self.take(limit_bytes)? {
                return Ok(frame);
            }
            if !self.buffer.is_empty() {
                let deadline = Duration::from_millis(CLIENT_FRAME_MS);
                until.get_or_insert_with(|| Instant::now() + deadline);
            }
            let mut stream = &*self.stream;
            self.buffer.reserve(CLIENT_READ_BYTES);
            // Reads at most what is there, into the buffer: nothing is lost when this is cancelled.
            let read = stream.read_buf(&mut self.buffer);
            let got = match until {
                Some(until) => tokio::time::timeout_at(until, read)
                    .await
                    .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "half a frame for too long"))??,
                None => read.await?,
            };
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self, limit_bytes: usize) -> io::Result<Option<Frame<FromClient>>> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = codec::body_length(*prefix, limit_bytes).map_err(invalid)?;
        let Some(body) = self.buffer.get(PREFIX_BYTES..PREFIX_BYTES + length) else {
            return Ok(None);
        };
        let frame = codec::decode(body, limit_bytes).map_err(invalid)?;
        self.buffer.drain(..PREFIX_BYTES + length);
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(Some(frame))
    }
}

fn invalid(error: codec::CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Writes frames onto a connection; each has a deadline.
struct ClientSink(Rc<Stream>);

impl Sink<ToClient> for ClientSink {
    async fn send(&mut self, frame: Frame<ToClient>) -> Result<(), LinkError> {
        let name = LocalWire::NAME;
        let bytes = codec::frame(&frame, LocalWire::LIMIT_BYTES).map_err(|error| LinkError::Codec { name, error })?;
        let mut stream = &*self.0;
        let deadline = Duration::from_millis(CLIENT_FRAME_MS);
        match timeout(deadline, stream.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Err(LinkError::Closed),
            Ok(Err(error)) => Err(LinkError::Io { name, error }),
            Err(_) => {
                let error = io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing");
                Err(LinkError::Io { name, error })
            }
        }
    }
}
