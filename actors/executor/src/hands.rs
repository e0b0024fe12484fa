//! The executor's side of the line to its maker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::record::{ANSWER_BYTES, Answer, Ask, End};
use crate::sys;
use kit::make_nonblocking;

/// The maker is gone or talks nonsense: no action can be carried out any more, the executor ends and is restarted.
#[derive(Debug, thiserror::Error)]
pub enum HandsError {
    /// The line failed.
    #[error("line to the maker of sandboxes: {0}")]
    Io(#[from] io::Error),
    /// The maker has ended.
    #[error("the maker of sandboxes has ended")]
    Gone,
    /// What came is no answer.
    #[error("the maker of sandboxes sent what is no answer")]
    Malformed,
}

/// What the executor has its sandboxes made with.
#[derive(Debug)]
pub struct Hands {
    line: AsyncFd<OwnedFd>,
    waiting: RefCell<BTreeMap<u64, oneshot::Sender<End>>>,
}

impl Hands {
    /// Takes over the line that [`crate::maker::start`] returned. Call it within a runtime.
    ///
    /// # Errors
    /// When the line can't be waited for.
    pub fn new(line: OwnedFd) -> Result<Hands, HandsError> {
        make_nonblocking(line.as_fd())?;
        Ok(Hands { line: sys::register(line)?, waiting: RefCell::default() })
    }

    /// Passes the maker's answers on to whoever waits for them. Ends only with an error.
    ///
    /// # Errors
    /// See [`HandsError`].
    pub async fn attend(&self) -> HandsError {
        loop {
            match self.next_answer().await {
                Ok(answer) => {
                    if let Some(waits) = self.waiting.borrow_mut().remove(&answer.action) {
                        // Nobody waits any more when the action's task has gone.
                        let _ = waits.send(answer.end);
                    }
                }
                Err(error) => return error,
            }
        }
    }

    async fn next_answer(&self) -> Result<Answer, HandsError> {
        loop {
            let mut ready = self.line.readable().await?;
            let mut bytes = [0; ANSWER_BYTES + 1];
            match recv(self.line.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Ok(0) => return Err(HandsError::Gone),
                Ok(length) => {
                    return Answer::from_bytes(&bytes[..length]).ok_or(HandsError::Malformed);
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
    }

    /// Asks for a sandbox; how it ended comes later.
    ///
    /// # Errors
    /// When the line fails.
    pub async fn run(
        &self,
        action: u64,
        ask: Ask,
        descriptors: [&OwnedFd; 4],
    ) -> Result<oneshot::Receiver<End>, HandsError> {
        let (tell, end) = oneshot::channel();
        self.waiting.borrow_mut().insert(action, tell);
        let numbers = descriptors.map(AsRawFd::as_raw_fd);
        self.send(ask, &[ControlMessage::ScmRights(&numbers)]).await?;
        Ok(end)
    }

    /// Asks to kill a sandbox; that it is gone comes as the end of [`run`](Self::run).
    ///
    /// # Errors
    /// When the line fails.
    pub async fn kill(&self, action: u64) -> Result<(), HandsError> {
        self.send(Ask::Kill { action }, &[]).await
    }

    async fn send(&self, ask: Ask, control: &[ControlMessage<'_>]) -> Result<(), HandsError> {
        let bytes = ask.to_bytes();
        loop {
            let parts = [IoSlice::new(&bytes)];
            let flags = MsgFlags::MSG_NOSIGNAL;
            match sendmsg::<()>(self.line.as_raw_fd(), &parts, control, flags, None) {
                Ok(_) => return Ok(()),
                Err(Errno::EAGAIN) => self.line.writable().await?.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE) => return Err(HandsError::Gone),
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
    }
}
