//! The pipes of one sandbox.

use std::io;
use std::os::fd::OwnedFd;

use crate::pipe::Pipe;

/// The executor's ends.
pub(crate) struct Pipes {
    pub(crate) payload: Pipe,
    pub(crate) stdout: Pipe,
    pub(crate) stderr: Pipe,
    pub(crate) layer: Pipe,
}

/// The sandbox's ends.
pub(crate) struct TheirPipes {
    payload: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    layer: OwnedFd,
}

impl TheirPipes {
    /// As the maker takes them.
    pub(crate) fn all(&self) -> [&OwnedFd; 4] {
        [&self.payload, &self.stdout, &self.stderr, &self.layer]
    }
}

impl Pipes {
    pub(crate) fn new() -> io::Result<(Pipes, TheirPipes)> {
        let (payload, their_payload) = Pipe::to_sandbox()?;
        let (stdout, their_stdout) = Pipe::from_sandbox()?;
        let (stderr, their_stderr) = Pipe::from_sandbox()?;
        let (layer, their_layer) = Pipe::from_sandbox()?;
        Ok((
            Pipes { payload, stdout, stderr, layer },
            TheirPipes { payload: their_payload, stdout: their_stdout, stderr: their_stderr, layer: their_layer },
        ))
    }
}
