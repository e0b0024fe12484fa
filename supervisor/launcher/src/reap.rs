//! The end of an instance: reaped, reported, its slot free again.

use std::fs;

use roles::{Role, launch::Report};

use crate::child::{Child, Stage};
use crate::errors::{Failure, say};
use crate::launcher::{Launcher, Supervisor};
use crate::sys::{self, Ended};

impl Launcher {
    /// Reaps all that has ended.
    pub fn reap(&mut self) -> Result<(), Failure> {
        while let Some(ended) = sys::reap() {
            let number = self.children.values().find(|c| c.pid == ended.pid).map_or(0, |c| c.who.number);
            // Its last word on its start may not have been read yet.
            self.read_status(number);
            if let Some(child) = self.children.remove(&number) {
                self.bury(child, ended)?;
            }
        }
        Ok(())
    }

    /// The slot is free from here on: the process was the first of its pid namespace, so the kernel has ended and
    /// reaped every other in it before this one could be.
    fn bury(&mut self, child: Child, ended: Ended) -> Result<(), Failure> {
        let who = child.who;
        self.slots.release(who);
        if let Some(group) = &child.cgroup
            && let Err(e) = fs::remove_dir(group)
        {
            say(format_args!("remove the control group: {}: {e}", group.display()));
        }
        if who.role == Role::Supervisor {
            return self.supervisor_ended(&child, ended);
        }
        let Ended { status, signal, cpu_ms, rss_max_kib, .. } = ended;
        self.report(
            match child.stage {
                Stage::Failed(reason, errno) => Report::Refused { role: who.role, slot: who.slot, reason, errno },
                Stage::Starting(_) | Stage::Unsealed | Stage::Sealed { .. } => {
                    Report::Exited { who, status, signal, cpu_ms, rss_max_kib }
                }
            },
            None,
        );
        if who.role == Role::Gate {
            self.end_wired_brains();
        }
        Ok(())
    }

    fn supervisor_ended(&mut self, child: &Child, ended: Ended) -> Result<(), Failure> {
        say(format_args!("{} has ended: status {}, signal {}", child.name(), ended.status, ended.signal));
        if self.stopping.is_some() {
            self.supervisor = Supervisor::Ended(ended.status == 0);
            self.kill_all("the supervisor has left it behind");
            return Ok(());
        }
        let never_ran = matches!(child.stage, Stage::Failed(..));
        let lived_ms = child.started.elapsed().as_millis() as u64;
        self.supervisor_is_gone(if never_ran { 0 } else { lived_ms.max(1) })
    }
}
