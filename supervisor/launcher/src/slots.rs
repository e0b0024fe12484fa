//! Which starts are carried out: pure decisions over what runs and what was started when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roles::Role;
use roles::launch::{Instance, Refusal};
use roles::limits::{INSTANCES_MAX, START_WINDOW_MS, STARTS_PER_WINDOW_MAX};

use roles::limits::{RESTART_CLEARS_AFTER_MS, restart_delay_ms};

/// The slots in use.
#[derive(Default)]
pub struct Slots {
    /// In use now.
    pub live: BTreeSet<(Role, u32)>,
    /// When each was started lately, milliseconds of the launcher's life.
    pub starts: BTreeMap<(Role, u32), VecDeque<u64>>,
    /// Number of the newest instance.
    pub last_number: u64,
}

impl Slots {
    /// Takes a slot for the supervisor's request, or says why not. `busy`: the slot's account still has a process.
    pub fn admit(&mut self, role: Role, slot: u32, now_ms: u64, busy: bool) -> Result<Instance, Refusal> {
        let own = matches!(role, Role::Launcher | Role::Supervisor);
        let reasons = [
            (own || !role.row().slots.contains(slot), Refusal::NoSuchSlot),
            (self.live.contains(&(role, slot)), Refusal::Running),
            (self.live.len() >= INSTANCES_MAX, Refusal::TooMany),
            (self.too_often(role, slot, now_ms), Refusal::TooOften),
            (busy, Refusal::AccountBusy),
        ];
        if let Some((_, reason)) = reasons.into_iter().find(|(holds, _)| *holds) {
            return Err(reason);
        }
        let starts = self.starts.entry((role, slot)).or_default();
        starts.push_back(now_ms);
        Ok(self.take(role, slot))
    }

    /// Takes a slot unasked: the supervisor's own.
    pub fn take(&mut self, role: Role, slot: u32) -> Instance {
        self.live.insert((role, slot));
        self.last_number += 1;
        Instance { role, slot, number: self.last_number }
    }

    /// The instance is reaped.
    pub fn release(&mut self, who: Instance) {
        self.live.remove(&(who.role, who.slot));
    }

    fn too_often(&mut self, role: Role, slot: u32, now_ms: u64) -> bool {
        let starts = self.starts.entry((role, slot)).or_default();
        while starts.front().is_some_and(|at| at + START_WINDOW_MS <= now_ms) {
            starts.pop_front();
        }
        starts.len() >= STARTS_PER_WINDOW_MAX as usize
    }
}

/// When the supervisor is started again: at once, then ever later, until it has lived a while.
#[derive(Default)]
pub struct Backoff {
    /// Deaths in a row.
    pub deaths: u32,
}

impl Backoff {
    /// Milliseconds to wait after a death that ended `lived_ms` of life.
    pub fn after(&mut self, lived_ms: u64) -> u64 {
        if lived_ms >= RESTART_CLEARS_AFTER_MS {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        restart_delay_ms(self.deaths)
    }
}

#[path = "../tests/unit/slots.rs"]
#[cfg(test)]
mod tests;
