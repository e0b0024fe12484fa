//! Supervisor and role: the control line. One message a packet (SOCK_SEQPACKET), no length prefix.

use serde::{Deserialize, Serialize};

use super::{ProbeResult, Wire};
use crate::limits::CONTROL_PACKET_BYTES;

/// The line's type.
pub enum ControlWire {}

impl Wire for ControlWire {
    type Down = ToRole;
    type Up = FromRole;
    const NAME: &'static str = "control";
    const LIMIT_BYTES: usize = CONTROL_PACKET_BYTES;
}

/// A role by number and slot; the number is one of [`roles::Role`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Number of the role.
    pub role: u8,
    /// The slot.
    pub slot: u32,
}

impl Place {
    /// The place of a role and slot.
    pub fn new(role: roles::Role, slot: u32) -> Place {
        Place { role: role as u8, slot }
    }

    /// The role, or `None` for a number nobody has.
    pub fn role(self) -> Option<roles::Role> {
        roles::Role::from_u8(self.role)
    }
}

/// What a role is told by the supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToRole {
    /// Are you there?
    Ping {
        /// Returned with the answer.
        nonce: u64,
    },
    /// Take no new work, finish what is in flight, then exit with status 0.
    Drain {
        /// After this many milliseconds SIGTERM follows.
        deadline_ms: u32,
    },
    /// Read the configuration again.
    Reload,
    /// Gate only: what was asked for with `DescribeTree`.
    TreeDescribed {
        /// Number of the request.
        request: u64,
        /// Every instance that runs or should run.
        instances: Vec<InstanceState>,
        /// What the supervisor's own attempt at a forbidden file did.
        probe: ProbeResult,
    },
    /// Gate only: an instance it wants can't be started, and why.
    Unavailable {
        /// Which.
        place: Place,
        /// Why, in words.
        reason: String,
    },
}

/// What a role says to the supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromRole {
    /// Sealed, edge in hand, hello exchanged: ready for work.
    Ready,
    /// The answer to `Ping`.
    Pong {
        /// The nonce of the question.
        nonce: u64,
    },
    /// Has work now (a brain: its turn has begun).
    Busy,
    /// Finished a piece of work: progress, which clears the failure count.
    Idle,
    /// Gate only: this instance is needed; start it if it does not run.
    Want(Place),
    /// Gate only: this instance has been idle and may be stopped.
    Unwant(Place),
    /// Gate only: how is the tree?
    DescribeTree {
        /// Returned with the answer.
        request: u64,
    },
    /// Gate only: this instance broke its edge's rules and has lost its edge; end it, and start it anew where it is
    /// wanted.
    Misbehaved {
        /// Which.
        place: Place,
        /// Number of that start, so that its successor is left alone.
        number: u64,
    },
}

/// How an instance is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstanceState {
    /// Which.
    pub place: Place,
    /// Number of this start, or 0 when it does not run.
    pub number: u64,
    /// Process id as the host sees it, or 0.
    pub pid: u32,
    /// Where it is in its life.
    pub phase: Phase,
    /// Restarts since the supervisor started.
    pub restarts: u32,
    /// Milliseconds since this start.
    pub uptime_ms: u64,
    /// Why it stopped last; empty if it never did.
    pub last_exit: String,
}

/// Where an instance is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asked for, not yet ready.
    Starting,
    /// Ready.
    Ready,
    /// Waits for its next try after failures.
    BackingOff,
    /// Restarted too often: left alone until somebody asks or the configuration is read again.
    GivenUp,
    /// Told to stop.
    Stopping,
    /// Not running, on demand.
    Stopped,
}
