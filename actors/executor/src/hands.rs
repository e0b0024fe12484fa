//! The executor's side of the line to its maker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::image::Digest;
use crate::pipe::Pipe;
use crate::record::{ANSWER_BYTES, Answer, Ask, END_BYTES, End, Operation};
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

/// What a sandbox is asked for: the fields of [`Ask::Run`].
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Number of the action.
    pub action: u64,
    /// What it is for.
    pub operation: Operation,
    /// Bytes of the payload.
    pub payload_bytes: u32,
    /// RLIMIT_CPU of each process, seconds.
    pub cpu_s: u32,
    /// The image that is the command's root.
    pub image: Option<Digest>,
    /// Lines and columns of a pseudo-terminal; zeros: none.
    pub terminal: (u16, u16),
}

/// What the executor has its sandboxes made with.
#[derive(Debug)]
pub struct Hands {
    line: AsyncFd<OwnedFd>,
    /// Sandboxes that have not ended, by their numbers.
    waiting: RefCell<BTreeMap<u64, oneshot::Sender<End>>>,
    /// The newest of each action.
    newest: RefCell<BTreeMap<u64, u64>>,
    next_run: Cell<u64>,
}

/// How a sandbox ends: it says so itself, when nothing but its first process is left; the maker, when that one was killed or
/// could not be made.
#[derive(Debug)]
pub struct Ending {
    own: Option<Pipe>,
    makers: oneshot::Receiver<End>,
}

impl Ending {
    /// Waits for it. Cancel-safe.
    ///
    /// # Errors
    /// When the maker is gone.
    pub async fn wait(&mut self) -> Result<End, HandsError> {
        loop {
            let mut bytes = [0; END_BYTES];
            let own = async {
                match &self.own {
                    // So few bytes come at once or not at all.
                    Some(own) => own.read(&mut bytes).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                read = own => match read {
                    Ok(END_BYTES) if let Some(end) = End::from_bytes(&bytes) => return Ok(end),
                    // It ended without a word.
                    Ok(_) | Err(_) => self.own = None,
                },
                end = &mut self.makers => return end.map_err(|_| HandsError::Gone),
            }
        }
    }
}

impl Hands {
    /// Takes over the line that [`crate::maker::start`] returned. Call it within a runtime.
    ///
    /// # Errors
    /// When the line can't be waited for.
    pub fn new(line: OwnedFd) -> Result<Hands, HandsError> {
        make_nonblocking(line.as_fd())?;
        Ok(Hands {
            line: sys::register(line)?,
            waiting: RefCell::default(),
            newest: RefCell::default(),
            next_run: Cell::new(1),
        })
    }

    /// Passes the maker's answers on to whoever waits for them. Ends only with an error.
    ///
    /// # Errors
    /// See [`HandsError`].
    pub async fn attend(&self) -> HandsError {
        loop {
            match self.next_answer().await {
                Ok(answer) => {
                    self.newest.borrow_mut().retain(|_, run| *run != answer.run);
                    if let Some(waits) = self.waiting.borrow_mut().remove(&answer.run) {
                        // Nobody waits any more when the sandbox has told its end itself.
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
    pub async fn run(&self, job: Job, descriptors: [&OwnedFd; 4]) -> Result<Ending, HandsError> {
        let Job { action, operation, payload_bytes, cpu_s, image, terminal } = job;
        let (own, theirs) = Pipe::from_sandbox()?;
        let (tell, makers) = oneshot::channel();
        let run = self.next_run.replace(self.next_run.get() + 1);
        self.waiting.borrow_mut().insert(run, tell);
        self.newest.borrow_mut().insert(action, run);
        let [payload, stdout, stderr, layer] = descriptors.map(AsRawFd::as_raw_fd);
        let numbers = [payload, stdout, stderr, layer, theirs.as_raw_fd()];
        let ask = Ask::Run { run, action, operation, payload_bytes, cpu_s, image, terminal };
        self.send(ask, &[ControlMessage::ScmRights(&numbers)]).await?;
        Ok(Ending { own: Some(own), makers })
    }

    /// Asks to kill a sandbox; that it is gone comes as the end of [`run`](Self::run).
    ///
    /// # Errors
    /// When the line fails.
    pub async fn kill(&self, action: u64) -> Result<(), HandsError> {
        let run = self.newest.borrow().get(&action).copied();
        match run {
            Some(run) => self.send(Ask::Kill { run }, &[]).await,
            // It is gone already.
            None => Ok(()),
        }
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
