//! The control line: closed, or used for what this role may not say.

use roles::Role;

use super::*;
use crate::limits::{CLOSED_GRACE_MS, DELAY_MIN_MS, FAILURES_MAX, TERM_GRACE_MS};

fn closes(machine: &mut Machine) -> Vec<Effect> {
    machine.happen(Event::LineClosed { number: machine.number })
}

#[test]
fn who_closes_its_line_and_ends_in_time_has_done_no_wrong() {
    let mut machine = Machine::ready_executor();
    machine.says(FromRole::Idle);
    assert_eq!(closes(&mut machine), [arms(Timer::Stop, CLOSED_GRACE_MS)]);
    assert_eq!(machine.phase(), Phase::Stopping);
    assert!(machine.wait(CLOSED_GRACE_MS - 1).is_empty());
    assert_eq!(machine.exits(0), [Effect::Warn("ended: exit status 0".into()), Effect::Start]);
    assert_eq!(machine.state.summary().last_exit, "exit status 0");
    for _ in 0..3 * FAILURES_MAX {
        machine.get_ready();
        machine.says(FromRole::Idle);
        closes(&mut machine);
        assert_eq!(machine.exits(0).last(), Some(&Effect::Start));
    }
}

#[test]
fn the_line_closes_before_most_ends_and_changes_nothing_about_what_they_count_as() {
    let mut with = Machine::executor();
    with.happen(Event::Want);
    for failures in 1..=FAILURES_MAX {
        with.wait(crate::limits::DELAY_MAX_MS);
        with.get_ready();
        closes(&mut with);
        with.is_killed(11);
        assert_eq!(with.phase() == Phase::GivenUp, failures == FAILURES_MAX, "{failures}");
    }
    assert!(with.state.summary().given_up.unwrap().contains("signal 11"));
}

#[test]
fn who_closes_its_line_and_lives_on_is_killed() {
    let mut machine = Machine::ready_executor();
    let number = machine.number;
    closes(&mut machine);
    let effects = machine.wait(CLOSED_GRACE_MS);
    let words = "it closed its control line and lived on";
    assert_eq!(
        effects,
        [Effect::Warn(words.into()), Effect::Signal { number, signal: Signal::Kill }, arms(Timer::Stop, TERM_GRACE_MS)]
    );
    machine.is_killed(SIGKILL);
    assert_eq!(machine.state.summary().last_exit, words);
    machine.get_ready();
    closes(&mut machine);
    machine.wait(CLOSED_GRACE_MS);
    assert_eq!(machine.is_killed(SIGKILL).last(), Some(&arms(Timer::Start, DELAY_MIN_MS)), "its second failure");
}

#[test]
fn a_brain_whose_turn_is_over_may_close_its_line_first() {
    let mut machine = Machine::new(Role::Brain, 0);
    machine.happen(Event::Want);
    machine.get_ready();
    machine.says(FromRole::Busy);
    closes(&mut machine);
    assert!(machine.exits(0).is_empty());
    assert_eq!(machine.phase(), Phase::Stopped);
}

#[test]
fn no_more_pings_on_a_closed_line() {
    let mut machine = Machine::ready_executor();
    machine.wait(u64::from(TIMES.heartbeat_ms) - 1);
    closes(&mut machine);
    assert!(machine.wait(CLOSED_GRACE_MS - 1).is_empty());
}

#[test]
fn who_drains_may_close_its_line() {
    let mut machine = Machine::ready_executor();
    machine.happen(Event::Unwant { grace_ms: GRACE_MS });
    assert!(closes(&mut machine).is_empty());
    assert_eq!(machine.due_in(Timer::Stop), Some(u64::from(GRACE_MS)));
    machine.exits(0);
    assert_eq!(machine.state.summary().last_exit, "stopped");
}

#[test]
fn who_breaks_the_rules_is_killed_at_once_and_once() {
    let mut machine = Machine::ready_executor();
    let number = machine.number;
    let broken = Event::Misbehaved { number, why: "it floods its control line".into() };
    let effects = machine.happen(broken.clone());
    assert_eq!(Machine::signals(&effects), [Signal::Kill]);
    assert_eq!(warns(&effects), "it floods its control line");
    assert!(machine.happen(broken).is_empty());
    assert!(closes(&mut machine).is_empty());
    machine.is_killed(SIGKILL);
    assert_eq!(machine.state.summary().last_exit, "it floods its control line");
    assert_eq!(machine.phase(), Phase::Starting, "its first failure");
}

#[test]
fn the_gates_words_are_passed_on_and_anybody_elses_are_a_fault() {
    let place = Place::new(Role::Executor, 2);
    let words = [
        FromRole::Want(place),
        FromRole::Unwant(place),
        FromRole::DescribeTree { request: 5 },
        FromRole::Misbehaved { place, number: 9 },
    ];
    for what in words {
        let mut gate = Machine::new(Role::Gate, 0);
        gate.happen(Event::Want);
        gate.get_ready();
        assert_eq!(gate.says(what.clone()), [Effect::PassOn(what.clone())]);
        assert_eq!(gate.phase(), Phase::Ready);
        let others = [(Role::Executor, 1), (Role::Memory, 0), (Role::Brain, 0), (Role::Connector, 1), (Role::Model, 1)];
        for (role, slot) in others {
            let mut machine = Machine::new(role, slot);
            machine.happen(Event::Want);
            machine.get_ready();
            let effects = machine.says(what.clone());
            assert_eq!(Machine::signals(&effects), [Signal::Kill], "{role:?} says {what:?}");
            assert!(warns(&effects).contains("only the gate may say"), "{effects:?}");
            assert!(!effects.contains(&Effect::PassOn(what.clone())));
        }
    }
}
