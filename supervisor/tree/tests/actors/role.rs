//! A role as its supervisor sees it: one end of a control line.

use std::os::fd::OwnedFd;

use kit::packet::PacketSocket;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use roles::launch::Instance;
use schema::codec;
use schema::edge::control::{FromRole, ToRole};
use schema::limits::CONTROL_PACKET_BYTES;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How a role behaves when nobody says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conduct {
    /// Gets ready, answers pings, drains and ends at once when it is told to.
    Good,
    /// Is sealed and answers pings, but gets ready only when the test says so.
    Slow,
    /// Gets ready and then does not answer.
    Deaf,
    /// Ends with status 3 before its seal.
    Crashes,
    /// As a good one, but ends only when the test says so, or by SIGKILL.
    Stays,
    /// The launcher says that a file it needs is missing.
    Missing,
}

/// One start of a role.
pub struct Role {
    pub who: Instance,
    pub conduct: Conduct,
    /// The supervisor's end of its line: the launcher keeps a copy, for the supervisor that comes after this one.
    pub supervisors_end: OwnedFd,
    says: mpsc::UnboundedSender<Vec<u8>>,
    task: Option<JoinHandle<()>>,
}

impl Role {
    /// Starts it. What it hears goes to `heard`.
    pub fn start(who: Instance, conduct: Conduct, heard: mpsc::UnboundedSender<(Instance, ToRole)>) -> Role {
        let (own, supervisors_end) = pair();
        let socket = PacketSocket::new(own).unwrap();
        let (says, to_say) = mpsc::unbounded_channel();
        let task = Some(tokio::spawn(live(socket, who, to_say, heard)));
        Role { who, conduct, supervisors_end, says, task }
    }

    /// Says something.
    pub fn says(&self, what: &FromRole) {
        self.says_bytes(codec::encode(what, CONTROL_PACKET_BYTES).unwrap());
    }

    /// Anything, also what is no message.
    pub fn says_bytes(&self, packet: Vec<u8>) {
        // Fails when the supervisor has let go of the line.
        let _ = self.says.send(packet);
    }

    /// Its end of the line is closed when this returns.
    pub async fn closes_its_line(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

/// A close-on-exec pair of connected packet sockets.
pub fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
}

async fn live(
    socket: PacketSocket,
    who: Instance,
    mut to_say: mpsc::UnboundedReceiver<Vec<u8>>,
    heard: mpsc::UnboundedSender<(Instance, ToRole)>,
) {
    let mut buffer = Vec::new();
    loop {
        tokio::select! {
            told = socket.recv(&mut buffer, CONTROL_PACKET_BYTES) => {
                // The supervisor is gone: whoever plays the role does not care.
                if told.is_err() {
                    return;
                }
                let told = codec::decode(&buffer, CONTROL_PACKET_BYTES).unwrap();
                let _ = heard.send((who, told));
            }
            packet = to_say.recv() => {
                let Some(packet) = packet else { return };
                let _ = socket.send(&packet).await;
            }
        }
    }
}
