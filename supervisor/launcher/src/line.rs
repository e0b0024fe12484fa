//! The launcher's end of a line: packets out, with or without a descriptor; short packets in. It never waits.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::Result;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, socketpair};

use crate::limits::{OUTBOX_PACKETS_MAX, PACKET_BYTES};

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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{pipe, write};

    fn lines() -> (Line, Line) {
        let (a, b) = pair(SockType::SeqPacket).expect("socketpair");
        (Line::new(a), Line::new(b))
    }

    #[test]
    fn packets_keep_their_bounds_and_the_end_is_seen() {
        let (mut ours, theirs) = lines();
        let mut buffer = [0; PACKET_BYTES];
        assert_eq!(theirs.receive(&mut buffer), Received::Nothing);
        ours.send(b"S", None).expect("room");
        ours.send(&[7; PACKET_BYTES + 3], None).expect("room");
        assert_eq!(theirs.receive(&mut buffer), Received::Packet(1));
        assert_eq!(theirs.receive(&mut buffer), Received::Packet(PACKET_BYTES + 3));
        drop(ours);
        assert_eq!(theirs.receive(&mut buffer), Received::Closed);
    }

    #[test]
    fn a_reader_that_reads_nothing_is_noticed_and_memory_stays_bounded() {
        let (mut ours, _theirs) = lines();
        let refused = (0..100_000).find_map(|_| ours.send(&[0; 40], None).err());
        assert_eq!(refused, Some(Errno::ENOBUFS));
        assert_eq!(ours.outbox.len(), OUTBOX_PACKETS_MAX);
    }

    #[test]
    fn what_was_kept_arrives_in_order_once_there_is_room() {
        let (mut ours, theirs) = lines();
        let mut sent = 0u32;
        while !ours.waits_for_room() {
            ours.send(&sent.to_le_bytes(), None).expect("room or kept");
            sent += 1;
        }
        let mut buffer = [0; PACKET_BYTES];
        for expected in 0..sent {
            if theirs.receive(&mut buffer) == Received::Nothing {
                ours.flush().expect("room again");
                assert_eq!(theirs.receive(&mut buffer), Received::Packet(4));
            }
            assert_eq!(buffer[..4], expected.to_le_bytes());
        }
    }

    #[test]
    fn a_descriptor_sent_to_the_launcher_is_dropped() {
        let (mut role, launcher) = lines();
        let (reader, writer) = pipe().expect("pipe");
        role.send(b"S", Some(reader)).expect("room");
        let mut buffer = [0; PACKET_BYTES];
        assert_eq!(launcher.receive(&mut buffer), Received::Packet(1));
        assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE), "no reader is left");
    }
}
