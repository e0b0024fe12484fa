//! What went wrong: the step, the object, the cause, and the way out where there is one. And the launcher's own log.

use std::{fmt, io::Write};

use nix::errno::Errno;

/// A step of the launcher's own start that failed.
#[derive(Debug)]
pub struct Failure {
    pub step: &'static str,
    pub object: String,
    pub cause: String,
    pub way_out: &'static str,
    pub exit_status: u8,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.step, self.object, self.cause)?;
        match self.way_out {
            "" => Ok(()),
            way_out => write!(f, "; {way_out}"),
        }
    }
}

/// A [`Failure`] with exit status 1.
pub fn failure(step: &'static str, object: impl fmt::Display, cause: impl fmt::Display) -> Failure {
    Failure { step, object: object.to_string(), cause: cause.to_string(), way_out: "", exit_status: 1 }
}

impl Failure {
    /// The same with a way out.
    pub fn or(mut self, way_out: &'static str) -> Failure {
        self.way_out = way_out;
        self
    }
}

/// Turns the error of a step into a [`Failure`].
pub trait Context<T> {
    fn step(self, step: &'static str, object: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<std::io::Error>> Context<T> for Result<T, E> {
    fn step(self, step: &'static str, object: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|e| failure(step, object, errno_of(&e.into()).desc()))
    }
}

/// The error number of an I/O error; EIO where the kernel gave none.
pub fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// One line of the launcher's own log. A log that cannot be written is no reason to stop.
pub fn say(text: impl fmt::Display) {
    let line = format!("chelad: {text}\n");
    drop(std::io::stderr().write_all(line.as_bytes()));
}
