//! One running instance, as the launcher knows it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::launch::{Instance, Refusal};

use crate::{errors::say, line::Line};
use roles::{
    account::Ids,
    limits::{CLOSED_GRACE, SEAL_GRACE},
};

/// Where an instance is in its life.
pub enum Stage {
    /// Cloned; tells over this pipe which step of its start failed, or closes it by becoming its program.
    Starting(OwnedFd),
    /// A step of its start failed; it is about to be reaped.
    Failed(Refusal, i32),
    /// Its program runs and has not said that it is sealed.
    Unsealed,
    /// It said so and was looked at.
    Sealed {
        /// Whether it has had an edge.
        wired: bool,
    },
}

/// An instance.
pub struct Child {
    pub who: Instance,
    pub pid: Pid,
    pub ids: Ids,
    pub line: Line,
    /// The supervisor's end of its control line, kept so that the role does not notice a new supervisor.
    pub control: Option<OwnedFd>,
    pub stage: Stage,
    pub started: Instant,
    pub cgroup: Option<PathBuf>,
    /// Since when its line is closed: it is past serving anybody, and may end by itself.
    pub closed: Option<Instant>,
    /// It was sent SIGKILL: nothing more is read from it or given to it.
    pub killed: bool,
}

impl Child {
    /// Ends it: the pid is its own until it is reaped, which only the launcher does.
    pub fn kill(&mut self, why: &str) {
        if !self.killed {
            say(format_args!("kill {}: {why}", self.name()));
            self.end();
        }
    }

    /// As [`Child::kill`], where it is no news.
    pub fn end(&mut self) {
        self.killed = true;
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    /// Sealed, looked at, and not on its way out.
    pub fn is_sealed(&self) -> bool {
        !self.killed && self.closed.is_none() && matches!(self.stage, Stage::Sealed { .. })
    }

    /// Its program runs.
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Unsealed | Stage::Sealed { .. })
    }

    /// What the launcher waits for on its behalf: how its start goes, then its line.
    pub fn watched(&self) -> Option<PollFd<'_>> {
        let mut flags = PollFlags::POLLIN;
        match &self.stage {
            Stage::Starting(status) => Some(PollFd::new(status.as_fd(), flags)),
            Stage::Unsealed | Stage::Sealed { .. } if !self.killed && self.closed.is_none() => {
                flags.set(PollFlags::POLLOUT, self.line.waits_for_room());
                Some(PollFd::new(self.line.as_fd(), flags))
            }
            Stage::Unsealed | Stage::Sealed { .. } | Stage::Failed(..) => None,
        }
    }

    /// When it will be ended, unless it moves on before, and why.
    pub fn due(&self) -> Option<(Instant, &'static str)> {
        match (&self.stage, self.closed) {
            _ if self.killed => None,
            (_, Some(since)) => Some((since + CLOSED_GRACE, "it closed its line and did not end")),
            (Stage::Starting(_) | Stage::Unsealed, None) => Some((self.started + SEAL_GRACE, "it did not seal itself")),
            (Stage::Sealed { .. } | Stage::Failed(..), None) => None,
        }
    }

    /// Role, slot and process id, for the log.
    pub fn name(&self) -> String {
        format!("{}-{} (process {})", self.who.role.name(), self.who.slot, self.pid)
    }
}
