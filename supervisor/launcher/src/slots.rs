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
mod tests {
    use super::*;

    fn idle() -> bool {
        false
    }

    #[test]
    fn the_supervisor_starts_neither_itself_nor_the_launcher_nor_a_slot_that_is_not_there() {
        let mut slots = Slots::default();
        for (role, slot) in [
            (Role::Launcher, 0),
            (Role::Supervisor, 0),
            (Role::Gate, 1),
            (Role::Executor, 0),
            (Role::Brain, roles::limits::BRAIN_SLOTS),
            (Role::Memory, u32::MAX),
        ] {
            assert_eq!(slots.admit(role, slot, 0, idle), Err(Refusal::NoSuchSlot));
        }
    }

    #[test]
    fn one_live_instance_a_slot_and_no_number_twice() {
        let mut slots = Slots::default();
        let first = slots.admit(Role::Brain, 3, 0, idle).expect("free");
        assert_eq!(slots.admit(Role::Brain, 3, 0, idle), Err(Refusal::Running));
        slots.release(first);
        let second = slots.admit(Role::Brain, 3, 0, idle).expect("free again");
        assert!(second.number > first.number);
    }

    #[test]
    fn starts_are_counted_over_a_window() {
        let mut slots = Slots::default();
        for at in 0..u64::from(STARTS_PER_WINDOW_MAX) {
            let who = slots.admit(Role::Gate, 0, at, idle).expect("within the limit");
            slots.release(who);
        }
        assert_eq!(slots.admit(Role::Gate, 0, 60, idle), Err(Refusal::TooOften));
        assert!(slots.admit(Role::Memory, 0, 60, idle).is_ok(), "another slot");
        assert!(slots.admit(Role::Gate, 0, START_WINDOW_MS, idle).is_ok());
    }

    #[test]
    fn an_account_with_a_process_is_not_used() {
        let mut slots = Slots::default();
        let busy = slots.admit(Role::Memory, 5, 0, || true);
        assert_eq!(busy, Err(Refusal::AccountBusy));
        assert!(slots.admit(Role::Memory, 5, 0, idle).is_ok());
    }

    #[test]
    fn all_roles_together_are_bounded() {
        let mut slots = Slots::default();
        for slot in 1..=INSTANCES_MAX as u32 {
            assert!(slots.admit(Role::Executor, slot, 0, idle).is_ok());
        }
        assert_eq!(slots.admit(Role::Gate, 0, 0, idle), Err(Refusal::TooMany));
    }
}
