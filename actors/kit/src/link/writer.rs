//! The sending half of a link.

use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};
use schema::codec;
use schema::edge::Frame;
use serde::Serialize;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

use super::LinkError;
use crate::limits::{BUFFER_KEPT_BYTES, SEND_DEADLINE_MS};
use crate::packet::wait_writable;

/// Sends frames, each in one write where the socket has room for it. At most one frame waits here.
#[derive(Debug)]
pub struct LinkWriter<Out> {
    fd: Arc<AsyncFd<OwnedFd>>,
    name: &'static str,
    limit_bytes: usize,
    /// `frame[sent..]` is still to go.
    frame: Vec<u8>,
    sent: usize,
    ended: bool,
    types: PhantomData<fn(Out)>,
}

impl<Out: Serialize> LinkWriter<Out> {
    pub(super) fn new(fd: Arc<AsyncFd<OwnedFd>>, name: &'static str, limit_bytes: usize) -> Self {
        LinkWriter { fd, name, limit_bytes, frame: Vec::new(), sent: 0, ended: false, types: PhantomData }
    }

    /// Sends one message. Cancelled, what is left of it goes out before the next.
    ///
    /// # Errors
    /// Any ends the link, `Codec` apart: then the message was too large and nothing of it was sent.
    pub async fn send(&mut self, message: &Out) -> Result<(), LinkError> {
        self.put(&Frame::Body(message)).await
    }

    /// As [`send`](Self::send), any frame.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_frame(&mut self, frame: &Frame<Out>) -> Result<(), LinkError> {
        self.put(frame).await
    }

    #[cfg(test)]
    pub(super) fn waiting_bytes(&self) -> usize {
        self.frame.len() - self.sent
    }

    /// Whether [`finish`](Self::finish) has anything to do or to say.
    pub(super) fn is_unfinished(&self) -> bool {
        self.ended || !self.frame.is_empty()
    }

    async fn put<T: Serialize>(&mut self, frame: &T) -> Result<(), LinkError> {
        if self.is_unfinished() {
            self.finish().await?;
        }
        codec::frame_into(frame, &mut self.frame, self.limit_bytes)
            .map_err(|error| LinkError::Codec { name: self.name, error })?;
        self.finish().await
    }

    /// Sends what is left of the last frame.
    pub(super) async fn finish(&mut self) -> Result<(), LinkError> {
        if self.ended {
            return Err(LinkError::Closed);
        }
        let done = self.write_all().await;
        if done.is_err() {
            self.ended = true;
            // Fails only when the peer has gone already.
            let _ = shutdown(self.fd.get_ref().as_raw_fd(), Shutdown::Both);
        }
        if self.frame.capacity() > BUFFER_KEPT_BYTES {
            self.frame = Vec::new();
        }
        self.frame.clear();
        self.sent = 0;
        done
    }

    async fn write_all(&mut self) -> Result<(), LinkError> {
        let mut deadline = None;
        while self.sent < self.frame.len() {
            // Quicker than `write`, which knows of files first and of sockets second.
            match send(self.fd.get_ref().as_raw_fd(), &self.frame[self.sent..], MsgFlags::MSG_NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(LinkError::Closed),
                Err(Errno::EAGAIN) => {
                    let deadline =
                        *deadline.get_or_insert_with(|| Instant::now() + Duration::from_millis(SEND_DEADLINE_MS));
                    self.wait(deadline).await?;
                }
                Err(errno) => return Err(self.io(errno.into())),
            }
        }
        Ok(())
    }

    async fn wait(&self, deadline: Instant) -> Result<(), LinkError> {
        match timeout_at(deadline, wait_writable(self.fd.get_ref())).await {
            Ok(waited) => waited.map_err(|error| self.io(error)),
            Err(_) => Err(self.io(io::Error::new(ErrorKind::TimedOut, "the other end reads nothing"))),
        }
    }

    fn io(&self, error: io::Error) -> LinkError {
        LinkError::Io { name: self.name, error }
    }
}
