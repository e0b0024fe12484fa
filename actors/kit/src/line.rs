//! The launcher's line: fixed-size records of [`roles::launch`], and the one place where descriptors arrive.

use std::os::fd::OwnedFd;

use roles::launch::{EDGE_GIVEN_BYTES, EdgeGiven, REPORT_BYTES, Report, Request, SEALED};

use crate::packet::{PacketError, PacketSocket};

/// Why the line ended. A role whose line has ended exits.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The launcher is gone.
    #[error("launcher line: the launcher is gone")]
    Closed,
    /// A system call failed, or a packet broke the line's limits.
    #[error("launcher line: {0}")]
    Packet(PacketError),
    /// Not a record that the launcher sends here.
    #[error("launcher line: not a record of this line")]
    Malformed,
}

impl From<PacketError> for LineError {
    fn from(error: PacketError) -> LineError {
        match error {
            PacketError::Closed => LineError::Closed,
            PacketError::Full | PacketError::Io(_) | PacketError::TooLarge(_) | PacketError::Codec(_) => {
                LineError::Packet(error)
            }
        }
    }
}

/// This process's line to the launcher.
#[derive(Debug)]
pub struct Line {
    socket: PacketSocket,
}

impl Line {
    /// Takes over the inherited descriptor, or, in a test, one end of a pair.
    ///
    /// # Errors
    /// As [`PacketSocket::new`].
    pub fn new(fd: OwnedFd) -> std::io::Result<Line> {
        Ok(Line { socket: PacketSocket::new(fd)? })
    }

    /// Says: I am sealed.
    pub(crate) async fn say_sealed(&self) -> Result<(), LineError> {
        Ok(self.socket.send(&[SEALED]).await?)
    }

    /// Supervisor: asks the launcher. Waits while the launcher is busy; never loses a request.
    ///
    /// # Errors
    /// When the launcher is gone.
    pub async fn send(&self, request: Request) -> Result<(), LineError> {
        Ok(self.socket.send(&request.to_bytes()).await?)
    }

    /// Supervisor: the next report; `Started` and `Adopted` bring the supervisor's end of the control line, no other
    /// report brings a descriptor. Cancel-safe.
    ///
    /// # Errors
    /// When the launcher is gone or sends what it should not.
    pub async fn next_report(&self) -> Result<(Report, Option<OwnedFd>), LineError> {
        let mut record = [0; REPORT_BYTES];
        let (length, fd) = self.socket.recv_with_fd(&mut record).await?;
        let report = Report::from_bytes(&record[..length]).ok_or(LineError::Malformed)?;
        let brings_fd = match report {
            Report::Started { .. } | Report::Adopted { .. } => true,
            Report::Refused { .. }
            | Report::Sealed { .. }
            | Report::Exited { .. }
            | Report::Reload
            | Report::Shutdown => false,
        };
        if brings_fd != fd.is_some() {
            return Err(LineError::Malformed);
        }
        Ok((report, fd))
    }

    /// The next edge: an end of a socket pair, and whose it is. Cancel-safe.
    ///
    /// # Errors
    /// When the launcher is gone or sends what it should not.
    pub async fn next_edge_fd(&self) -> Result<(EdgeGiven, OwnedFd), LineError> {
        let mut record = [0; EDGE_GIVEN_BYTES];
        let (length, fd) = self.socket.recv_with_fd(&mut record).await?;
        let given = EdgeGiven::from_bytes(&record[..length]).ok_or(LineError::Malformed)?;
        Ok((given, fd.ok_or(LineError::Malformed)?))
    }
}
