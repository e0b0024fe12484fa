//! The test's end of the supervisor's line: reports out, with descriptors; requests in.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};

use kit::packet::{PacketError, PacketSocket};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use roles::launch::{REQUEST_BYTES, Report, Request};

/// The launcher's end.
pub struct LauncherEnd {
    /// The same socket as `requests`, for what needs a descriptor along.
    reports: OwnedFd,
    requests: PacketSocket,
    buffer: Vec<u8>,
}

impl LauncherEnd {
    /// Over this end of a pair.
    pub fn new(fd: OwnedFd) -> LauncherEnd {
        let reports = fd.try_clone().unwrap();
        LauncherEnd { reports, requests: PacketSocket::new(fd).unwrap(), buffer: Vec::new() }
    }

    /// Reports; fails when the supervisor is gone.
    pub fn report(&self, report: Report, fd: Option<&OwnedFd>) -> nix::Result<()> {
        self.packet(&report.to_bytes(), fd)
    }

    /// Sends any packet.
    pub fn packet(&self, bytes: &[u8], fd: Option<&OwnedFd>) -> nix::Result<()> {
        let fds: Vec<i32> = fd.iter().map(|fd| fd.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let control = if fds.is_empty() { &[][..] } else { &rights[..] };
        sendmsg::<()>(self.reports.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// The next request; `None` when the supervisor is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Request> {
        match self.requests.recv(&mut self.buffer, REQUEST_BYTES).await {
            Ok(()) => Some(Request::from_bytes(&self.buffer).expect("a request")),
            Err(PacketError::Closed) => None,
            Err(error) => panic!("the supervisor's line: {error}"),
        }
    }
}
