//! Packet sockets (SOCK_SEQPACKET) over the runtime: one message a packet, whole or not at all, under a limit, with one
//! descriptor at most where the caller allows any. Launcher lines and control lines, both ends.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{MsgFlags, recv, send};
use schema::codec::{self, CodecError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Why a packet could not be exchanged. All but `Full` end the peer.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The other end is gone.
    #[error("closed by the other end")]
    Closed,
    /// The other end does not read: nothing was sent.
    #[error("the other end does not read")]
    Full,
    /// A system call failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The packet is larger than the line allows, or brought more descriptors than one.
    #[error("a packet of {0} bytes or with more than one descriptor, neither of which this line allows")]
    TooLarge(usize),
    /// The packet is not a message of this line.
    #[error("{0}")]
    Codec(#[from] CodecError),
}

impl From<Errno> for PacketError {
    fn from(errno: Errno) -> PacketError {
        match errno {
            Errno::EPIPE | Errno::ECONNRESET => PacketError::Closed,
            Errno::EAGAIN | Errno::ENOBUFS => PacketError::Full,
            other => PacketError::Io(other.into()),
        }
    }
}

/// One end of a packet socket.
#[derive(Debug)]
pub struct PacketSocket {
    fd: AsyncFd<OwnedFd>,
}

impl PacketSocket {
    /// Takes over `fd`: makes it non-blocking and close-on-exec and registers it with the running runtime.
    ///
    /// # Errors
    /// When it is no descriptor that can be waited for, or outside of a runtime.
    pub fn new(fd: OwnedFd) -> io::Result<PacketSocket> {
        settle(&fd)?;
        Ok(PacketSocket { fd: crate::sys::register(fd, Interest::READABLE)? })
    }

    /// Sends one packet, or nothing: never waits.
    ///
    /// # Errors
    /// `Full` when the other end does not read, `Closed` when it is gone.
    pub fn try_send(&self, packet: &[u8]) -> Result<(), PacketError> {
        loop {
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            match send(self.fd.get_ref().as_raw_fd(), packet, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sends one packet as soon as there is room for it. Cancelled, it has sent nothing.
    ///
    /// # Errors
    /// `Closed`, or a failed system call.
    pub async fn send(&self, packet: &[u8]) -> Result<(), PacketError> {
        loop {
            match self.try_send(packet) {
                Err(PacketError::Full) => wait_writable(self.fd.get_ref()).await?,
                done => return done,
            }
        }
    }

    /// Receives one packet of at most `limit_bytes` into `buffer`, which is left exactly as long as the packet.
    /// Descriptors are refused by the kernel: this call has no room for any. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` at the end, `TooLarge`, or a failed system call.
    pub async fn recv(&self, buffer: &mut Vec<u8>, limit_bytes: usize) -> Result<(), PacketError> {
        loop {
            let mut guard = self.fd.readable().await?;
            buffer.resize(limit_bytes, 0);
            let raw = self.fd.get_ref().as_raw_fd();
            match recv(raw, buffer, MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(PacketError::Closed),
                Ok(length) if length > limit_bytes => return Err(PacketError::TooLarge(length)),
                Ok(length) => {
                    buffer.truncate(length);
                    return Ok(());
                }
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Receives one packet of at most `buffer.len()` bytes and the descriptor that comes with it, if any. Cancel-safe.
    /// A sealed process may do this on its launcher line only.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_with_fd(&self, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>), PacketError> {
        loop {
            let mut guard = self.fd.readable().await?;
            match crate::sys::recv_fd(self.fd.get_ref(), buffer) {
                Ok((0, _)) => return Err(PacketError::Closed),
                Ok(received) => return Ok(received),
                Err(PacketError::Full) => guard.clear_ready(),
                Err(error) => return Err(error),
            }
        }
    }
}

/// A packet socket that carries typed messages, for example the supervisor's end of a control line.
#[derive(Debug)]
pub struct Packets<Out, In> {
    socket: PacketSocket,
    buffer: Vec<u8>,
    limit_bytes: usize,
    types: PhantomData<fn(Out) -> In>,
}

impl<Out: Serialize, In: DeserializeOwned> Packets<Out, In> {
    /// Takes over `fd`; no packet is larger than `limit_bytes`.
    ///
    /// # Errors
    /// As [`PacketSocket::new`].
    pub fn new(fd: OwnedFd, limit_bytes: usize) -> io::Result<Self> {
        Ok(Packets { socket: PacketSocket::new(fd)?, buffer: Vec::new(), limit_bytes, types: PhantomData })
    }

    /// Sends one message, or nothing: never waits.
    ///
    /// # Errors
    /// `Full` when the other end does not read, `Closed` when it is gone, `Codec` when the message is too large.
    pub fn try_send(&self, message: &Out) -> Result<(), PacketError> {
        self.socket.try_send(&codec::encode(message, self.limit_bytes)?)
    }

    /// Sends one message as soon as there is room for it. Cancelled, it has sent nothing.
    ///
    /// # Errors
    /// `Closed`, `Codec`, or a failed system call.
    pub async fn send(&self, message: &Out) -> Result<(), PacketError> {
        self.socket.send(&codec::encode(message, self.limit_bytes)?).await
    }

    /// Receives one message. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` at the end; any other means that the peer misbehaves.
    pub async fn recv(&mut self) -> Result<In, PacketError> {
        self.socket.recv(&mut self.buffer, self.limit_bytes).await?;
        let message = codec::decode(&self.buffer, self.limit_bytes);
        // Packets are small and rare; a line that once carried a large one should not keep its room.
        self.buffer = Vec::new();
        Ok(message?)
    }
}

/// Non-blocking and close-on-exec.
pub(crate) fn settle(fd: &OwnedFd) -> io::Result<()> {
    crate::sys::make_nonblocking(fd.as_fd())?;
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Waits until `fd` has room. Rare, so it is registered for the time of the wait only.
pub(crate) async fn wait_writable(fd: &OwnedFd) -> io::Result<()> {
    let waiting = crate::sys::register(fd.try_clone()?, Interest::WRITABLE)?;
    waiting.writable().await?.retain_ready();
    Ok(())
}
