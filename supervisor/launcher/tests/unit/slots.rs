//! Unit tests of `src/slots.rs`.
#![allow(clippy::expect_used)]

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
