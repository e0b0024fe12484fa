//! The service manager: told over the datagram socket that it named in the environment, or nobody is.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::time::{ClockId, clock_gettime};
use roles::launch::Notice;

use crate::errors::say;

/// What the environment said, read before it was cleared.
pub struct Manager {
    address: Option<SocketAddr>,
}

impl Manager {
    /// Reads NOTIFY_SOCKET. Signs of life are passed on always: a manager that set no watchdog ignores them.
    pub fn from_environment() -> Manager {
        let name = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
        let address = match name.as_encoded_bytes() {
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name).ok(),
            [b'/', ..] => SocketAddr::from_pathname(&name).ok(),
            [] | [_, ..] => None,
        };
        Manager { address }
    }

    /// Passes a notice on.
    pub fn tell(&self, notice: Notice) {
        let Some(address) = &self.address else { return };
        let text = match notice {
            Notice::Ready => "READY=1".to_owned(),
            Notice::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()),
            Notice::Alive => "WATCHDOG=1".to_owned(),
            Notice::Stopping => "STOPPING=1".to_owned(),
        };
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to_addr(text.as_bytes(), address)
        });
        if let Err(e) = sent {
            say(format_args!("tell the service manager: {address:?}: {e}"));
        }
    }
}

fn monotonic_usec() -> i64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.tv_sec() * 1_000_000 + now.tv_nsec() / 1_000)
}
