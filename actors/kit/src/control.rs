//! The control line to the supervisor: a background task answers its pings and passes on what it tells; what the role
//! says is queued, so that no role ever waits for its supervisor.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use schema::edge::ProbeResult;
use schema::edge::control::{FromRole, InstanceState, Place, ToRole};
use schema::limits::CONTROL_PACKET_BYTES;
use tokio::sync::{Mutex, mpsc};

use crate::limits::{CONTROL_EVENTS, CONTROL_QUEUE};
use crate::packet::{PacketError, Packets};

/// What the supervisor tells a role, pings apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlEvent {
    /// Take no new work, finish what is in flight, then return. Also said when the supervisor's line is gone for good.
    Drain {
        /// After this many milliseconds SIGTERM follows.
        deadline_ms: u32,
    },
    /// Read the configuration again.
    Reload,
    /// Gate only: what was asked for with [`FromRole::DescribeTree`].
    TreeDescribed {
        /// Number of the request.
        request: u64,
        /// Every instance that runs or should run.
        instances: Vec<InstanceState>,
        /// What the supervisor's own probe did.
        probe: ProbeResult,
    },
    /// Gate only: an instance it wants can't be started.
    Unavailable {
        /// Which.
        place: Place,
        /// Why, in words.
        reason: String,
    },
}

/// This role's end of its control line. Clones are the same line; an event goes to one of them.
#[derive(Clone, Debug)]
pub struct Control {
    says: mpsc::Sender<FromRole>,
    events: Arc<Mutex<mpsc::Receiver<ControlEvent>>>,
}

impl Control {
    /// Takes over the descriptor and starts the background task. Call it within a `LocalSet`.
    ///
    /// # Errors
    /// When the descriptor can't be waited for.
    pub fn start(fd: OwnedFd) -> std::io::Result<Control> {
        let packets = Packets::new(fd, CONTROL_PACKET_BYTES)?;
        let (says, to_say) = mpsc::channel(CONTROL_QUEUE);
        let (happens, events) = mpsc::channel(CONTROL_EVENTS);
        tokio::task::spawn_local(attend(packets, to_say, happens));
        Ok(Control { says, events: Arc::new(Mutex::new(events)) })
    }

    /// Says: sealed, edge in hand, ready for work.
    pub fn ready(&self) {
        self.tell(FromRole::Ready);
    }

    /// Says: has work now.
    pub fn busy(&self) {
        self.tell(FromRole::Busy);
    }

    /// Says: finished a piece of work.
    pub fn idle(&self) {
        self.tell(FromRole::Idle);
    }

    /// Says anything. Never waits: with a supervisor that has read nothing for long it is dropped, and logged.
    pub fn tell(&self, message: FromRole) {
        if let Err(mpsc::error::TrySendError::Full(message)) = self.says.try_send(message) {
            tracing::error!("control line: the supervisor does not read; dropped {message:?}");
        }
    }

    /// The next event. Cancel-safe. Once the line is gone it says `Drain` once and then waits for ever.
    pub async fn next(&mut self) -> ControlEvent {
        match self.events.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Comes back when this role is to stop. For one to which nothing else that it may be told means anything.
    pub async fn drained(&mut self) {
        loop {
            match self.next().await {
                ControlEvent::Drain { .. } => return,
                ControlEvent::Reload | ControlEvent::TreeDescribed { .. } | ControlEvent::Unavailable { .. } => {}
            }
        }
    }
}

type RoleEnd = Packets<FromRole, ToRole>;

/// Says what waits and hears what is told, whichever comes first, until the line or the role ends.
async fn attend(mut packets: RoleEnd, mut to_say: mpsc::Receiver<FromRole>, happens: mpsc::Sender<ControlEvent>) {
    loop {
        let ended = tokio::select! {
            biased;
            told = packets.recv() => match told {
                Ok(told) => hear(&packets, &happens, told).await,
                Err(error) => Err(error),
            },
            said = to_say.recv() => match said {
                Some(said) => packets.send(&said).await,
                None => return,
            },
        };
        match ended {
            Ok(()) => {}
            Err(PacketError::Closed) => {
                let _ = happens.send(ControlEvent::Drain { deadline_ms: 0 }).await;
                return;
            }
            Err(error) => {
                // The supervisor sends what it may not: fail-stop, as with any peer.
                tracing::error!("control line: {error}");
                crate::sys::exit_now(1);
            }
        }
    }
}

async fn hear(packets: &RoleEnd, happens: &mpsc::Sender<ControlEvent>, told: ToRole) -> Result<(), PacketError> {
    let event = match told {
        ToRole::Ping { nonce } => return packets.send(&FromRole::Pong { nonce }).await,
        ToRole::Drain { deadline_ms } => ControlEvent::Drain { deadline_ms },
        ToRole::Reload => ControlEvent::Reload,
        ToRole::TreeDescribed { request, instances, probe } => {
            ControlEvent::TreeDescribed { request, instances, probe }
        }
        ToRole::Unavailable { place, reason } => ControlEvent::Unavailable { place, reason },
    };
    if happens.try_send(event).is_err() {
        tracing::warn!("control line: this role does not listen; dropped what it was told");
    }
    Ok(())
}
