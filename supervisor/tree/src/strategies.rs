//! The one table of strategies: what is done when an instance of a role ends. The start order is the table's order; stop
//! waves are numbered.

use roles::Role;

/// When instances of a role run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// Always: started at once, restarted whatever the end.
    Permanent,
    /// A number of idle ones always; one that has begun its work is replaced, and not restarted when it ends.
    Pool,
    /// While the gate wants it; restarted after a failure as long as it does.
    OnDemand,
}

/// One row.
#[derive(Debug)]
pub struct Row {
    /// Which role.
    pub role: Role,
    /// How it is treated.
    pub strategy: Strategy,
    /// Slots of this role that are permanent all the same.
    pub permanent_slots: &'static [u32],
    /// In which wave it is stopped, after the gate has been drained in wave 0.
    pub stop_wave: u8,
    /// Why so.
    pub why: &'static str,
}

/// In start order. The launcher keeps a role's edge until the gate is sealed, so nothing waits for the gate to be ready.
pub const STRATEGIES: [Row; 6] = [
    Row {
        role: Role::Gate,
        strategy: Strategy::Permanent,
        permanent_slots: &[],
        stop_wave: 0,
        why: "every edge ends at it; drained first, so that turns in flight finish while all they need still runs",
    },
    Row {
        role: Role::Memory,
        strategy: Strategy::OnDemand,
        permanent_slots: &[HOUSE],
        stop_wave: 2,
        why: "one a principal; the house keeps the gate's own records; last to stop, since all others end in a journal",
    },
    Row {
        role: Role::Brain,
        strategy: Strategy::Pool,
        permanent_slots: &[],
        stop_wave: 1,
        why: "one a turn, from a warm spare",
    },
    Row {
        role: Role::Executor,
        strategy: Strategy::OnDemand,
        permanent_slots: &[],
        stop_wave: 1,
        why: "one a principal, stopped when idle",
    },
    Row {
        role: Role::Connector,
        strategy: Strategy::Permanent,
        permanent_slots: &[],
        stop_wave: 1,
        why: "one for each configured link: messages may come at any time",
    },
    Row {
        role: Role::Model,
        strategy: Strategy::OnDemand,
        permanent_slots: &[],
        stop_wave: 1,
        why: "one a principal in use; the slowest to start, so the last",
    },
];

/// The memory slot of the gate's own records.
pub const HOUSE: u32 = 0;
/// The last wave of a stop.
pub const LAST_WAVE: u8 = 2;

/// The row of a role that the supervisor starts; `None` for the launcher and the supervisor itself.
pub fn row_of(role: Role) -> Option<&'static Row> {
    STRATEGIES.iter().find(|row| row.role == role)
}

/// How an instance is treated.
pub fn strategy_of(role: Role, slot: u32) -> Option<Strategy> {
    let row = row_of(role)?;
    if !role.row().slots.contains(slot) {
        return None;
    }
    Some(if row.permanent_slots.contains(&slot) { Strategy::Permanent } else { row.strategy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_row_but_those_that_nobody_asks_for() {
        for role in Role::ALL {
            let started_by_the_launcher = matches!(role, Role::Launcher | Role::Supervisor);
            assert_eq!(row_of(role).is_none(), started_by_the_launcher, "{role:?}");
        }
    }

    #[test]
    fn a_slot_that_the_table_does_not_have_has_no_strategy() {
        assert_eq!(strategy_of(Role::Gate, 1), None);
        assert_eq!(strategy_of(Role::Executor, 0), None);
        assert_eq!(strategy_of(Role::Brain, roles::limits::BRAIN_SLOTS), None);
        assert_eq!(strategy_of(Role::Memory, HOUSE), Some(Strategy::Permanent));
        assert_eq!(strategy_of(Role::Memory, 1), Some(Strategy::OnDemand));
    }

    #[test]
    fn the_gate_starts_first_and_every_wave_is_reached() {
        assert_eq!(STRATEGIES[0].role, Role::Gate);
        let waves: Vec<u8> = STRATEGIES.iter().map(|row| row.stop_wave).collect();
        assert_eq!(waves.iter().max(), Some(&LAST_WAVE));
        assert_eq!(waves.iter().filter(|wave| **wave == 0).count(), 1, "wave 0 is the gate's alone");
        assert!(STRATEGIES.iter().all(|row| !row.why.is_empty()));
    }
}
