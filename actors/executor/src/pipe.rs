//! Pipes to and from a sandbox, for the runtime.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use kit::make_nonblocking;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, read, write};
use tokio::io::unix::AsyncFd;

use crate::limits::HAND_OUT_PAUSE_MS;
use crate::sys;

/// The executor's end of a pipe.
#[derive(Debug)]
pub struct Pipe(AsyncFd<OwnedFd>);

impl Pipe {
    /// A pipe that the sandbox writes: (ours, its).
    ///
    /// # Errors
    /// From the kernel.
    pub fn from_sandbox() -> io::Result<(Pipe, OwnedFd)> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        make_nonblocking(read.as_fd())?;
        Ok((Pipe(sys::register(read)?), write))
    }

    /// A pipe that the sandbox reads: (ours, its).
    ///
    /// # Errors
    /// From the kernel.
    pub fn to_sandbox() -> io::Result<(Pipe, OwnedFd)> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        make_nonblocking(write.as_fd())?;
        Ok((Pipe(sys::register(write)?), read))
    }

    /// Reads what there is; 0 at the end. Cancel-safe.
    ///
    /// # Errors
    /// From the kernel.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match read(self.0.get_ref(), buffer) {
                Ok(length) => return Ok(length),
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Waits until there is something to read, or the end.
    ///
    /// # Errors
    /// From the kernel.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(|mut ready| ready.retain_ready())
    }

    /// Writes all of it. A sandbox that has stopped reading is no error: how it ended says more.
    ///
    /// # Errors
    /// From the kernel.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match write(self.0.get_ref(), bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

/// Reads a pipe to its end without giving way to anything else: for what comes at once, from a process that has nothing
/// else to do.
pub struct Patient<'a>(pub &'a Pipe);

impl io::Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let pipe = self.0.0.get_ref();
        loop {
            match read(pipe, buffer) {
                Ok(length) => return Ok(length),
                Err(Errno::EAGAIN) => {
                    let mut watched = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
                    if poll(&mut watched, PollTimeout::from(HAND_OUT_PAUSE_MS))? == 0 {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
