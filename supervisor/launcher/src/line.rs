//! The launcher's end of a line: packets out, with or without a descriptor; short packets in. It never waits.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{collections::VecDeque, io::IoSlice};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, socketpair};
use nix::{Result, errno::Errno};

use roles::limits::{OUTBOX_PACKETS_MAX, PACKET_BYTES};

/// A close-on-exec pair of connected Unix sockets.
pub fn pair(kind: SockType) -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)
}

/// One end, with what its reader has not taken yet.
pub struct Line {
    fd: OwnedFd,
    outbox: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
}

/// What a look at a line found.
#[derive(PartialEq, Eq, Debug)]
pub enum Received {
    /// A packet of that length (as sent, even if longer than the buffer).
    Packet(usize),
    /// Nothing yet.
    Nothing,
    /// The other end is closed.
    Closed,
}

impl Line {
    /// A line over this end.
    pub fn new(fd: OwnedFd) -> Line {
        Line { fd, outbox: VecDeque::new() }
    }

    /// Sends a packet now, or keeps it until the reader has room. An error means that the reader is gone (EPIPE) or so
    /// slow that it must be ended (ENOBUFS).
    pub fn send(&mut self, bytes: &[u8], fd: Option<OwnedFd>) -> Result<()> {
        if self.outbox.len() >= OUTBOX_PACKETS_MAX {
            return Err(Errno::ENOBUFS);
        }
        self.outbox.push_back((bytes.to_vec(), fd));
        self.flush()
    }

    /// Sends what was kept.
    pub fn flush(&mut self) -> Result<()> {
        while let Some((bytes, fd)) = self.outbox.front() {
            let fds: Vec<i32> = fd.iter().map(AsRawFd::as_raw_fd).collect();
            let rights = [ControlMessage::ScmRights(&fds)];
            let control = if fds.is_empty() { &[][..] } else { &rights[..] };
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            let packet = [IoSlice::new(bytes)];
            match sendmsg::<()>(self.fd.as_raw_fd(), &packet, control, flags, None) {
                Ok(_) => drop(self.outbox.pop_front()),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Whether something waits for room.
    pub fn waits_for_room(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Reads one packet. Descriptors sent along are dropped by the kernel: the launcher takes none from anybody.
    pub fn receive(&self, buffer: &mut [u8; PACKET_BYTES]) -> Received {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        match recv(self.fd.as_raw_fd(), buffer, flags) {
            Ok(0) => Received::Closed,
            Ok(length) => Received::Packet(length),
            Err(Errno::EAGAIN | Errno::EINTR) => Received::Nothing,
            Err(_) => Received::Closed,
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[path = "../tests/unit/line.rs"]
#[cfg(test)]
mod tests;
