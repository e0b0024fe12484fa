//! What a sandbox hands out through a pipe of its own: whom it tries to reach, as it tries, and at its end its layer.

use std::io::{self, Read};

use schema::effects::Hosts;
use schema::tool::Limit;
use tokio::time::{Duration, timeout};

use crate::limits::REST_OF_OUTPUT_MS;
use crate::notify::said::Heard;
use crate::pipe::{Patient, Pipe};

/// Bytes that are read at once, while the sandbox runs.
const BUFFER_BYTES: usize = 512;

/// The executor's end.
pub struct Handed {
    pipe: Pipe,
    heard: Heard,
    /// What came is not what a sandbox says.
    broken: Option<io::ErrorKind>,
}

impl Handed {
    /// Nothing has come yet.
    pub fn new(pipe: Pipe) -> Handed {
        Handed { pipe, heard: Heard::default(), broken: None }
    }

    /// Waits for the layer; false: it ends without. Cancel-safe.
    pub async fn comes(&mut self) -> bool {
        let mut buffer = [0; BUFFER_BYTES];
        while !self.heard.is_over() && self.broken.is_none() {
            match self.pipe.read(&mut buffer).await {
                Ok(0) | Err(_) => return false,
                Ok(length) => self.broken = self.heard.push(&buffer[..length]).err().map(|error| error.kind()),
            }
        }
        true
    }

    /// As [`comes`](Self::comes), when the sandbox is gone: all that it said is there.
    pub async fn has_come(&mut self) -> bool {
        timeout(Duration::from_millis(REST_OF_OUTPUT_MS), self.comes()).await.unwrap_or(false)
    }

    /// The layer, waited for.
    ///
    /// # Errors
    /// In words, when there is none.
    pub fn layer(&mut self) -> Result<impl Read + '_, String> {
        let Handed { pipe, heard, broken } = self;
        let head = broken.map_or_else(|| heard.read(&mut Patient(pipe)), |kind| Err(kind.into()));
        head.map_err(|error| format!("whom it tried to reach: {error}"))?;
        Ok(io::Cursor::new(heard.rest()).chain(Patient(pipe)))
    }

    /// Whom it tried to reach, as far as it came to say so.
    pub fn hosts(&self) -> Box<Hosts> {
        self.heard.hosts()
    }

    /// A limit that it ended at.
    pub fn limit(&self) -> Option<Limit> {
        self.heard.limit()
    }
}
