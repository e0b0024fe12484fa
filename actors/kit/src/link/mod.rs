//! The typed edge: a stream socket whose frames are a 4-byte length (little-endian) and one [`Frame`] in the schema's
//! codec. Holding a [`Link`] means that both ends have said hello with the same schema. Any error ends the peer.

mod reader;
mod writer;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use schema::FINGERPRINT;
use schema::codec::CodecError;
use schema::edge::Frame;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;

pub use reader::LinkReader;
pub use writer::LinkWriter;

use crate::limits::{HELLO_BYTES, HELLO_DEADLINE_MS};
use crate::packet::settle;
use crate::probe;

/// Why a link ended. After any of these the socket is shut down both ways and every later call says `Closed`.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end is gone, between two frames.
    #[error("closed by the other end")]
    Closed,
    /// A system call failed, or the peer kept this end waiting for too long (`TimedOut`), or it left in the middle of a
    /// frame (`UnexpectedEof`).
    #[error("edge {name}: {error}")]
    Io {
        /// Name of the edge.
        name: &'static str,
        /// What happened.
        error: io::Error,
    },
    /// A frame breaks the edge's limit or is no message of it; on send: the message is too large, and the link lives on.
    #[error("edge {name}: {error}")]
    Codec {
        /// Name of the edge.
        name: &'static str,
        /// What is wrong.
        error: CodecError,
    },
    /// The peer did not say hello, or not in this schema.
    #[error("edge {name}: {what}")]
    Hello {
        /// Name of the edge.
        name: &'static str,
        /// What it did instead.
        what: &'static str,
    },
    /// A frame that this end does not permit.
    #[error("edge {name}: {what} is not permitted here")]
    Unexpected {
        /// Name of the edge.
        name: &'static str,
        /// Which frame.
        what: &'static str,
    },
}

/// One end of an edge: sends `Out`, receives `In`.
#[derive(Debug)]
pub struct Link<Out, In> {
    reader: LinkReader<In>,
    writer: LinkWriter<Out>,
}

impl<Out: Serialize, In: DeserializeOwned> Link<Out, In> {
    /// Takes over `fd`, says hello and waits for the other end's; no frame body is larger than `limit_bytes`.
    ///
    /// # Errors
    /// `Hello` when the peer's is missing, late, or of another schema.
    pub async fn open(fd: OwnedFd, name: &'static str, limit_bytes: usize) -> Result<Self, LinkError> {
        let registered = settle(&fd).and_then(|()| crate::sys::register(fd, Interest::READABLE));
        let fd = Arc::new(registered.map_err(|error| LinkError::Io { name, error })?);
        let mut link = Link {
            reader: LinkReader::new(fd.clone(), name, HELLO_BYTES),
            writer: LinkWriter::new(fd, name, limit_bytes),
        };
        let deadline = Duration::from_millis(HELLO_DEADLINE_MS);
        match tokio::time::timeout(deadline, link.exchange_hello()).await {
            Ok(done) => done?,
            Err(_) => {
                return Err(LinkError::Hello { name, what: "no hello in time" });
            }
        }
        link.reader.set_limit(limit_bytes);
        Ok(link)
    }

    async fn exchange_hello(&mut self) -> Result<(), LinkError> {
        let name = self.reader.name();
        let hello: Frame<Out> = Frame::Hello { fingerprint: FINGERPRINT };
        self.writer.send_frame(&hello).await?;
        let what = match self.reader.next_frame().await? {
            Frame::Hello { fingerprint } if fingerprint == FINGERPRINT => return Ok(()),
            Frame::Hello { .. } => "the other end was built from another schema",
            Frame::Probe { .. } | Frame::Probed { .. } | Frame::Body(_) => "a message before the hello",
        };
        Err(self.reader.end(LinkError::Hello { name, what }))
    }

    /// Sends one message. Cancelled, what is left of it goes out before the next.
    ///
    /// # Errors
    /// Any ends the link, `Codec` apart: then the message was too large and nothing of it was sent.
    pub async fn send(&mut self, message: &Out) -> Result<(), LinkError> {
        self.writer.send(message).await
    }

    /// Receives one message; answers the gate's probe on the way. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` at the end; any other means that the peer misbehaves.
    pub async fn recv(&mut self) -> Result<In, LinkError> {
        // What a cancelled answer left over goes first, so that a probe is answered even if nothing else is sent.
        if self.writer.is_unfinished() {
            self.writer.finish().await?;
        }
        loop {
            match self.reader.next_frame().await? {
                Frame::Body(message) => return Ok(message),
                Frame::Probe { nonce } => match probe::owed() {
                    Some(result) => {
                        let answer: Frame<Out> = Frame::Probed { nonce, result };
                        self.writer.send_frame(&answer).await?;
                    }
                    None => return Err(self.reader.not_permitted("a probe")),
                },
                Frame::Hello { .. } => return Err(self.reader.not_permitted("a second hello")),
                Frame::Probed { .. } => {
                    return Err(self.reader.not_permitted("an answer to no probe"));
                }
            }
        }
    }

    /// Both halves, each to be used on its own. A role that splits its link answers probes itself: see
    /// [`LinkReader::recv_frame`].
    pub fn split(self) -> (LinkReader<In>, LinkWriter<Out>) {
        (self.reader, self.writer)
    }
}

#[cfg(test)]
mod tests;
