//! The receiving half of a link.

use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, recv, shutdown};
use schema::codec;
use schema::edge::Frame;
use schema::limits::PREFIX_BYTES;
use serde::de::DeserializeOwned;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::time::{Instant, timeout_at};

use super::LinkError;
use crate::limits::{BUFFER_KEPT_BYTES, BUFFER_STEP_BYTES, FRAME_DEADLINE_MS};
use crate::probe;

/// Receives frames. Its buffer grows with what has arrived, never with what a prefix announces.
#[derive(Debug)]
pub struct LinkReader<In> {
    fd: Arc<AsyncFd<OwnedFd>>,
    name: &'static str,
    limit_bytes: usize,
    buffer: Vec<u8>,
    /// `buffer[taken..filled]` has arrived and is not yet decoded.
    taken: usize,
    filled: usize,
    /// The last read emptied the socket: the next one would only say so.
    drained: bool,
    /// When the frame that has partly arrived must be whole.
    whole_by: Option<Instant>,
    ended: bool,
    types: PhantomData<fn() -> In>,
}

impl<In: DeserializeOwned> LinkReader<In> {
    pub(super) fn new(fd: Arc<AsyncFd<OwnedFd>>, name: &'static str, limit_bytes: usize) -> Self {
        LinkReader {
            fd,
            name,
            limit_bytes,
            buffer: Vec::new(),
            taken: 0,
            filled: 0,
            drained: true,
            whole_by: None,
            ended: false,
            types: PhantomData,
        }
    }

    pub(super) fn set_limit(&mut self, limit_bytes: usize) {
        self.limit_bytes = limit_bytes;
    }

    #[cfg(test)]
    pub(super) fn room_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Receives one frame: a message, or the gate gets the answer to its probe. In a role that is not the gate a probe
    /// is returned as well, to be answered with [`crate::probe::answer`]. A hello ends the peer. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` at the end; any other means that the peer misbehaves.
    pub async fn recv_frame(&mut self) -> Result<Frame<In>, LinkError> {
        let frame = self.next_frame().await?;
        match frame {
            Frame::Hello { .. } => Err(self.not_permitted("a second hello")),
            Frame::Probe { .. } if probe::is_hub() => Err(self.not_permitted("a probe")),
            Frame::Probe { .. } | Frame::Probed { .. } | Frame::Body(_) => Ok(frame),
        }
    }

    /// The next frame, whatever it is.
    pub(super) async fn next_frame(&mut self) -> Result<Frame<In>, LinkError> {
        if self.ended {
            return Err(LinkError::Closed);
        }
        loop {
            match self.take_frame() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => {
                    let name = self.name;
                    return Err(self.end(LinkError::Codec { name, error }));
                }
            }
            if let Err(error) = self.fill().await {
                return Err(self.end(error));
            }
        }
    }

    /// A whole frame out of what has arrived, or `None`.
    fn take_frame(&mut self) -> Result<Option<Frame<In>>, codec::CodecError> {
        let Some(length) = self.announced()? else {
            return Ok(None);
        };
        let from = self.taken + PREFIX_BYTES;
        if self.filled - from < length {
            return Ok(None);
        }
        let frame = codec::decode(&self.buffer[from..from + length], self.limit_bytes)?;
        self.taken = from + length;
        self.whole_by = None;
        if self.taken == self.filled {
            self.taken = 0;
            self.filled = 0;
            if self.buffer.len() > BUFFER_KEPT_BYTES {
                self.buffer = Vec::new();
            }
        }
        Ok(Some(frame))
    }

    /// Length of the next body, checked against the limit, once its prefix has arrived.
    fn announced(&self) -> Result<Option<usize>, codec::CodecError> {
        match self.buffer[self.taken..self.filled].first_chunk::<PREFIX_BYTES>() {
            Some(prefix) => codec::body_length(*prefix, self.limit_bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Waits for more bytes and reads them. Cancel-safe: nothing is taken from the socket but into the buffer.
    async fn fill(&mut self) -> Result<(), LinkError> {
        self.make_room();
        loop {
            if self.drained {
                self.wait().await?;
                self.drained = false;
            }
            let room = &mut self.buffer[self.filled..];
            let asked = room.len();
            // Quicker than `read`, which knows of files first and of sockets second.
            match recv(self.fd.get_ref().as_raw_fd(), room, MsgFlags::empty()) {
                Ok(0) if self.filled == self.taken => return Err(LinkError::Closed),
                Ok(0) => return Err(self.io(ErrorKind::UnexpectedEof.into())),
                Ok(got) => {
                    self.filled += got;
                    self.drained = got < asked;
                    return Ok(());
                }
                Err(Errno::EAGAIN) => self.drained = true,
                Err(Errno::EINTR) => {}
                Err(Errno::ECONNRESET) if self.filled == self.taken => {
                    return Err(LinkError::Closed);
                }
                Err(errno) => return Err(self.io(errno.into())),
            }
        }
    }

    /// Room for at least one byte more: moves what is left to the front, and grows by steps up to the frame's end.
    fn make_room(&mut self) {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        if self.filled == self.buffer.len() {
            let step = self.filled.max(BUFFER_STEP_BYTES);
            let most = PREFIX_BYTES + self.limit_bytes.max(BUFFER_STEP_BYTES);
            self.buffer.resize((self.filled + step).min(most), 0);
        }
    }

    /// Waits until the socket may have more, for ever between two frames, else until the frame's deadline.
    async fn wait(&mut self) -> Result<(), LinkError> {
        let partly = self.filled > self.taken;
        let waited = if partly {
            let deadline =
                *self.whole_by.get_or_insert_with(|| Instant::now() + Duration::from_millis(FRAME_DEADLINE_MS));
            match timeout_at(deadline, self.readable()).await {
                Ok(waited) => waited,
                Err(_) => {
                    let late = io::Error::new(ErrorKind::TimedOut, "half a frame for too long");
                    return Err(self.io(late));
                }
            }
        } else {
            self.readable().await
        };
        match waited {
            // Cleared before the read: what arrives from now on wakes this reader again.
            Ok(mut ready) => {
                ready.clear_ready();
                Ok(())
            }
            Err(error) => Err(self.io(error)),
        }
    }

    /// As the runtime's own, for a single reader: without a list of those who wait.
    async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        std::future::poll_fn(|context| self.fd.poll_read_ready(context)).await
    }

    fn io(&self, error: io::Error) -> LinkError {
        LinkError::Io { name: self.name, error }
    }

    /// Ends the link for a frame that may not come here.
    pub(super) fn not_permitted(&mut self, what: &'static str) -> LinkError {
        let name = self.name;
        self.end(LinkError::Unexpected { name, what })
    }

    /// Ends the link: both directions, at once, whoever holds the other half.
    pub(super) fn end(&mut self, error: LinkError) -> LinkError {
        self.ended = true;
        self.buffer = Vec::new();
        self.taken = 0;
        self.filled = 0;
        // Fails only when the peer has gone already.
        let _ = shutdown(self.fd.get_ref().as_raw_fd(), Shutdown::Both);
        error
    }
}
