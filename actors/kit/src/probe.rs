//! The role's own attempt at a file that its ruleset forbids: Landlock is the one part of a seal that /proc hides.

use std::sync::OnceLock;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use roles::Row;
use roles::grant::{Edge, Landlock};
use roles::invariants::grants_syscall;
use schema::edge::ProbeResult;

static SEALED_AS: OnceLock<&'static Row> = OnceLock::new();

/// Remembers as what this process is sealed; once.
pub(crate) fn sealed_as(row: &'static Row) {
    // A second call would be a second seal, which start-up never makes; the first stands.
    let _ = SEALED_AS.set(row);
}

/// Whether this process is the gate, which asks for probes and is never asked.
pub(crate) fn is_hub() -> bool {
    SEALED_AS.get().is_some_and(|row| matches!(row.edge, Edge::Hub { .. }))
}

/// The answer that this process owes to a probe, or `None` where nobody may ask it.
pub(crate) fn owed() -> Option<ProbeResult> {
    let row = SEALED_AS.get()?;
    match row.edge {
        Edge::Gate => Some(probe(row)),
        Edge::None { .. } | Edge::Hub { .. } => None,
    }
}

/// Tries to list the root directory, which no row's ruleset grants, and says what happened.
pub fn probe(row: &Row) -> ProbeResult {
    match row.landlock {
        Landlock::None { .. } | Landlock::WithoutFiles { .. } => return ProbeResult::NotHandled,
        Landlock::Full => {}
    }
    if !grants_syscall(row, "openat") {
        return ProbeResult::CannotOpen;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    match open("/", flags, Mode::empty()) {
        Ok(_) => ProbeResult::Opened,
        Err(errno) => ProbeResult::Denied { errno: errno as i32 },
    }
}

/// The frame that answers the gate's probe, for a role that has split its link.
pub fn answer<M>(nonce: u64) -> Option<schema::edge::Frame<M>> {
    owed().map(|result| schema::edge::Frame::Probed { nonce, result })
}
