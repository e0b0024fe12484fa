//! Ctrl-C as a descriptor to wait for, so that a turn can be taken back in order instead of being dropped.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::CliError;

/// SIGINT, held back and delivered here.
pub struct Interrupts {
    fd: SignalFd,
}

/// What came first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// The descriptor has something to read, or its end.
    Input,
    /// Ctrl-C.
    Interrupt,
    /// The time is up.
    Nothing,
}

impl Interrupts {
    /// Takes Ctrl-C over from here on.
    pub fn take() -> Result<Interrupts, CliError> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGINT);
        set.thread_block()
            .and_then(|()| SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK))
            .map(|fd| Interrupts { fd })
            .map_err(|errno| CliError::io("take over Ctrl-C", "SIGINT", errno.into()))
    }

    /// Waits for as long as `pause_ms` says; `false` when Ctrl-C came first.
    pub fn pause(&self, pause_ms: u64) -> io::Result<bool> {
        let timeout = PollTimeout::try_from(pause_ms).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(!self.seen()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn seen(&self) -> bool {
        matches!(self.fd.read_signal(), Ok(Some(_)))
    }
}

/// Waits for `input`, for Ctrl-C, or for as long as `deadline_ms` says (`None`: for ever).
pub fn wait(input: BorrowedFd<'_>, interrupts: &Interrupts, deadline_ms: Option<u64>) -> io::Result<Came> {
    let timeout = match deadline_ms {
        None => PollTimeout::NONE,
        Some(ms) => PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX),
    };
    loop {
        let mut fds = [PollFd::new(input, PollFlags::POLLIN), PollFd::new(interrupts.fd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) => return Ok(Came::Nothing),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let (on_input, on_interrupt) = (fds[0].any(), fds[1].any());
        if on_interrupt != Some(false) && interrupts.seen() {
            return Ok(Came::Interrupt);
        }
        if on_input != Some(false) {
            return Ok(Came::Input);
        }
    }
}

/// Lines of standard input, with Ctrl-C seen while it waits for one.
pub struct Lines {
    held: Vec<u8>,
    ended: bool,
}

/// What the person typed.
#[derive(PartialEq, Eq, Debug)]
pub enum Typed {
    /// A line, without its line break.
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D, or the end of the input.
    End,
}

impl Lines {
    /// Nothing read yet.
    pub fn new() -> Lines {
        Lines { held: Vec::new(), ended: false }
    }

    /// The next line.
    pub fn next(&mut self, interrupts: &Interrupts) -> Result<Typed, CliError> {
        let input = io::stdin();
        let failed = |e| CliError::io("read", "standard input", e);
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                return Ok(Typed::Line(text(&line[..end])));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.held);
                return Ok(if rest.is_empty() { Typed::End } else { Typed::Line(text(&rest)) });
            }
            match wait(input.as_fd(), interrupts, None).map_err(failed)? {
                Came::Interrupt => {
                    self.held.clear();
                    return Ok(Typed::Interrupt);
                }
                Came::Nothing => {}
                Came::Input => {
                    let mut bytes = [0; crate::limits::READ_BYTES];
                    // Straight from the descriptor: nothing may hide in a buffer that `wait` can't see.
                    let got = nix::unistd::read(&input, &mut bytes).map_err(|errno| failed(errno.into()))?;
                    self.ended = got == 0;
                    self.held.extend_from_slice(&bytes[..got]);
                }
            }
        }
    }
}

/// All of standard input, as text.
pub fn whole_input(bytes_max: usize) -> Result<String, CliError> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(bytes_max as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|e| CliError::io("read", "standard input", e))?;
    if text.len() > bytes_max {
        return Err(CliError::Usage(format!("standard input is larger than {bytes_max} bytes")));
    }
    Ok(text)
}

fn text(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    line.trim_end_matches('\r').to_owned()
}
