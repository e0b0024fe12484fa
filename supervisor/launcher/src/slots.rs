//! Which starts are carried out: pure decisions over what runs and what was started when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roles::Role;
use roles::launch::{Instance, Refusal};
use roles::limits::{INSTANCES_MAX, START_WINDOW_MS, STARTS_PER_WINDOW_MAX};

/// The slots in use.
#[derive(Default)]
pub struct Slots {
    live: BTreeSet<(Role, u32)>,
    starts: BTreeMap<(Role, u32), VecDeque<u64>>,
    last_number: u64,
}

impl Slots {
    /// Takes a slot for the supervisor's request, or says why not. `busy` tells whether the slot's account still has a
    /// process; it is asked last.
    pub fn admit(
        &mut self,
        role: Role,
        slot: u32,
        now_ms: u64,
        busy: impl FnOnce() -> bool,
    ) -> Result<Instance, Refusal> {
        let own = matches!(role, Role::Launcher | Role::Supervisor);
        if own || !role.row().slots.contains(slot) {
            return Err(Refusal::NoSuchSlot);
        }
        if self.live.contains(&(role, slot)) {
            return Err(Refusal::Running);
        }
        if self.live.len() >= INSTANCES_MAX {
            return Err(Refusal::TooMany);
        }
        if self.too_often(role, slot, now_ms) {
            return Err(Refusal::TooOften);
        }
        if busy() {
            return Err(Refusal::AccountBusy);
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
        let Some(starts) = self.starts.get_mut(&(role, slot)) else {
            return false;
        };
        while starts.front().is_some_and(|at| at + START_WINDOW_MS <= now_ms) {
            starts.pop_front();
        }
        starts.len() >= STARTS_PER_WINDOW_MAX as usize
    }
}

#[cfg(test)]
#[path = "../tests/unit/slots.rs"]
mod tests;
