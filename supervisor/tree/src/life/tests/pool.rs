//! Brains: a spare is used up by its turn.

use super::*;
use crate::limits::{DELAY_MIN_MS, FAILURES_MAX};

fn spare() -> Machine {
    let mut machine = Machine::new(Role::Brain, 0);
    assert_eq!(machine.happen(Event::Want), [Effect::Start]);
    machine.get_ready();
    assert!(machine.state.summary().spare);
    machine
}

fn ends_with_gate(machine: &mut Machine, status: i32, signal: i32) -> Vec<Effect> {
    machine.happen(Event::Exited { number: machine.number, status, signal, with_gate: true })
}

#[test]
fn a_turn_uses_a_spare_up() {
    let mut machine = spare();
    assert!(machine.says(FromRole::Busy).is_empty(), "it is not told to stop");
    let summary = machine.state.summary();
    assert_eq!((summary.spare, summary.wanted, summary.outstanding), (false, false, true));
    assert_eq!(summary.phase, Phase::Ready);
    assert!(machine.exits(0).is_empty());
    assert_eq!(machine.phase(), Phase::Stopped);
    assert_eq!(machine.state.summary().restarts, 0);
}

#[test]
fn one_that_says_when_its_turn_is_over_is_not_started_again_either() {
    let mut machine = spare();
    machine.says(FromRole::Busy);
    machine.says(FromRole::Idle);
    assert!(!machine.state.summary().spare);
    assert!(machine.exits(0).is_empty());
    assert_eq!(machine.phase(), Phase::Stopped);
}

#[test]
fn one_that_crashes_at_work_is_not_started_again_but_that_is_logged() {
    let mut machine = spare();
    machine.says(FromRole::Busy);
    assert_eq!(machine.is_killed(11), [Effect::Warn("ended: signal 11".into())]);
    assert_eq!(machine.phase(), Phase::Stopped);
    assert_eq!(machine.state.summary().last_exit, "signal 11");
}

#[test]
fn a_crash_at_work_counts_for_the_next_spare_of_that_slot() {
    let mut machine = spare();
    machine.says(FromRole::Busy);
    machine.is_killed(11);
    machine.happen(Event::Want);
    machine.fails(1);
    assert_eq!(machine.phase(), Phase::BackingOff);
}

#[test]
fn a_turn_well_done_forgets_earlier_failures() {
    let mut machine = Machine::new(Role::Brain, 0);
    for _ in 0..3 * FAILURES_MAX {
        machine.happen(Event::Want);
        machine.fails(1);
        assert_eq!(machine.phase(), Phase::Starting, "always the first failure");
        machine.get_ready();
        machine.says(FromRole::Busy);
        machine.exits(0);
        assert_eq!(machine.phase(), Phase::Stopped);
    }
}

#[test]
fn a_spare_that_ends_by_itself_is_a_failure() {
    let mut machine = spare();
    assert_eq!(machine.exits(0).last(), Some(&Effect::Start));
    machine.get_ready();
    assert_eq!(machine.exits(0).last(), Some(&arms(Timer::Start, DELAY_MIN_MS)));
    for _ in 2..FAILURES_MAX {
        machine.wait(crate::limits::DELAY_MAX_MS);
        machine.get_ready();
        machine.exits(0);
    }
    assert_eq!(machine.phase(), Phase::GivenUp);
    assert!(machine.state.summary().spare, "no other spare takes its place, to fail the same way");
}

#[test]
fn a_spare_that_ends_with_the_gate_is_no_failure() {
    // Killed by the launcher, or quicker than that: it has seen its edge close.
    for (status, signal) in [(-1, SIGKILL), (0, 0)] {
        let mut machine = spare();
        for _ in 0..10 * FAILURES_MAX {
            assert_eq!(ends_with_gate(&mut machine, status, signal).last(), Some(&Effect::Start));
            machine.get_ready();
        }
        for _ in 0..10 * FAILURES_MAX {
            assert_eq!(ends_with_gate(&mut machine, status, signal).last(), Some(&Effect::Start), "nor before ready");
            machine.started();
        }
    }
}

#[test]
fn a_crash_of_its_own_is_one_with_or_without_the_gate() {
    for (status, signal) in [(1, 0), (-1, 11)] {
        let mut machine = spare();
        ends_with_gate(&mut machine, status, signal);
        machine.get_ready();
        ends_with_gate(&mut machine, status, signal);
        assert_eq!(machine.phase(), Phase::BackingOff);
    }
}

#[test]
fn a_turn_that_ends_with_the_gate_is_not_started_again() {
    let mut machine = spare();
    machine.says(FromRole::Busy);
    ends_with_gate(&mut machine, -1, SIGKILL);
    assert_eq!(machine.phase(), Phase::Stopped);
    machine.happen(Event::Want);
    machine.fails(1);
    assert_eq!(machine.phase(), Phase::Starting, "that was its first failure");
}

#[test]
fn work_makes_no_other_role_unwanted() {
    let mut machine = Machine::ready_executor();
    machine.says(FromRole::Busy);
    assert!(machine.state.summary().wanted && !machine.state.summary().spare);
    assert_eq!(machine.exits(0).last(), Some(&Effect::Start));
}
