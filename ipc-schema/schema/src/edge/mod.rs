//! One file an edge; in each one enum a direction, named from the gate's (or supervisor's) point of view: `ToX` is what
//! X is told, `FromX` what X says. A link's type is fixed by [`Wire`], so the two ends are inverse by construction.

pub mod brain;
pub mod connector;
pub mod control;
pub mod executor;
pub mod local;
pub mod memory;
pub mod model;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One edge: the type of what goes each way, and the limit of a frame.
pub trait Wire {
    /// What the gate sends.
    type Down: Serialize + DeserializeOwned;
    /// What the gate receives.
    type Up: Serialize + DeserializeOwned;
    /// Name, for logs.
    const NAME: &'static str;
    /// Largest frame body, bytes.
    const LIMIT_BYTES: usize;
}

/// What stands on the wire around every message of an edge. The first frame each way is `Hello`, once; the kit answers
/// `Probe` itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Frame<M> {
    /// First frame in each direction.
    Hello {
        /// [`crate::FINGERPRINT`] of the sender.
        fingerprint: u64,
    },
    /// Gate to role: try to open what your Landlock ruleset forbids (the root directory), and say what happened.
    Probe {
        /// Returned with the answer.
        nonce: u64,
    },
    /// The answer to `Probe`.
    Probed {
        /// The nonce of the question.
        nonce: u64,
        /// What happened.
        result: ProbeResult,
    },
    /// A message of this edge.
    Body(M),
}

/// What a role's own attempt at a forbidden file did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProbeResult {
    /// Denied with this error number: the ruleset is in force.
    Denied {
        /// The error number.
        errno: i32,
    },
    /// It worked: the role is not confined.
    Opened,
    /// The role's system-call filter has no way to open a file at all.
    CannotOpen,
    /// The table says that this role's ruleset does not handle files.
    NotHandled,
}
