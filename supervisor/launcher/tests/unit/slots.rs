//! Unit tests of `src/slots.rs`.
#![allow(clippy::expect_used)]

use super::*;

const IDLE: bool = false;

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
        assert_eq!(slots.admit(role, slot, 0, IDLE), Err(Refusal::NoSuchSlot));
    }
}

#[test]
fn one_live_instance_a_slot_and_no_number_twice() {
    let mut slots = Slots::default();
    let first = slots.admit(Role::Brain, 3, 0, IDLE).expect("free");
    assert_eq!(slots.admit(Role::Brain, 3, 0, IDLE), Err(Refusal::Running));
    slots.release(first);
    let second = slots.admit(Role::Brain, 3, 0, IDLE).expect("free again");
    assert!(second.number > first.number);
}

#[test]
fn starts_are_counted_over_a_window() {
    let mut slots = Slots::default();
    for at in 0..u64::from(STARTS_PER_WINDOW_MAX) {
        let who = slots.admit(Role::Gate, 0, at, IDLE).expect("within the limit");
        slots.release(who);
    }
    assert_eq!(slots.admit(Role::Gate, 0, 60, IDLE), Err(Refusal::TooOften));
    assert!(slots.admit(Role::Memory, 0, 60, IDLE).is_ok(), "another slot");
    assert!(slots.admit(Role::Gate, 0, START_WINDOW_MS, IDLE).is_ok());
}

#[test]
fn an_account_with_a_process_is_not_used() {
    let mut slots = Slots::default();
    let busy = slots.admit(Role::Memory, 5, 0, true);
    assert_eq!(busy, Err(Refusal::AccountBusy));
    assert!(slots.admit(Role::Memory, 5, 0, IDLE).is_ok());
}

#[test]
fn all_roles_together_are_bounded() {
    let mut slots = Slots::default();
    for slot in 1..=INSTANCES_MAX as u32 {
        assert!(slots.admit(Role::Executor, slot, 0, IDLE).is_ok());
    }
    assert_eq!(slots.admit(Role::Gate, 0, 0, IDLE), Err(Refusal::TooMany));
}

#[test]
fn first_at_once_then_doubling_to_a_limit() {
    let mut backoff = Backoff::default();
    let waits: Vec<u64> = (0..10).map(|_| backoff.after(5)).collect();
    assert_eq!(waits, [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    for _ in 0..100 {
        assert_eq!(backoff.after(5), 5000);
    }
}

#[test]
fn a_long_life_clears_the_count() {
    let mut backoff = Backoff::default();
    backoff.after(0);
    backoff.after(0);
    assert_eq!(backoff.after(RESTART_CLEARS_AFTER_MS), 0);
}
