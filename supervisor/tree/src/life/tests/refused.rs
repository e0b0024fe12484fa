//! Starts that the launcher does not carry out.

use roles::launch::Refusal;

use super::*;
use crate::limits::{DELAY_MAX_MS, FAILURES_MAX, SLOT_RETRY_MS, TOO_OFTEN_RETRY_MS};

fn asked() -> Machine {
    let mut machine = Machine::executor();
    assert_eq!(machine.happen(Event::Want), [Effect::Start]);
    machine
}

fn refused(machine: &mut Machine, reason: Refusal, errno: i32) -> Vec<Effect> {
    machine.happen(Event::Refused { reason, errno })
}

#[test]
fn what_will_pass_is_asked_for_again_and_is_no_failure() {
    for (reason, after_ms) in [(Refusal::Running, SLOT_RETRY_MS), (Refusal::TooOften, TOO_OFTEN_RETRY_MS)] {
        let mut machine = asked();
        for _ in 0..10 * FAILURES_MAX {
            assert_eq!(refused(&mut machine, reason, 0), [arms(Timer::Start, after_ms)], "{reason:?}");
            assert_eq!(machine.phase(), Phase::Starting);
            assert!(machine.wait(after_ms - 1).is_empty());
            assert_eq!(machine.wait(1), [Effect::Start]);
        }
        machine.get_ready();
        assert_eq!(machine.state.summary().restarts, 0);
        assert_eq!(machine.exits(3).last(), Some(&Effect::Start), "its first failure");
    }
}

#[test]
fn a_start_reported_before_the_next_try_is_that_start() {
    let mut machine = asked();
    refused(&mut machine, Refusal::Running, 0);
    machine.get_ready();
    assert!(machine.state.summary().wanted);
    let effects = machine.wait(SLOT_RETRY_MS);
    assert!(effects.is_empty(), "not asked for twice: {effects:?}");
}

#[test]
fn what_may_pass_counts_as_a_failure() {
    let names = [
        (Refusal::AccountBusy, "account"),
        (Refusal::TooMany, "too many instances"),
        (Refusal::Failed, "chelad's log"),
    ];
    for (reason, words) in names {
        let mut machine = asked();
        assert_eq!(refused(&mut machine, reason, 12), [Effect::Start], "the first at once");
        for failures in 2..FAILURES_MAX {
            refused(&mut machine, reason, 12);
            assert_eq!(machine.phase(), Phase::BackingOff, "{reason:?} {failures}");
            assert_eq!(machine.wait(DELAY_MAX_MS), [Effect::Start]);
        }
        refused(&mut machine, reason, 12);
        assert_eq!(machine.phase(), Phase::GivenUp);
        let given_up = machine.state.summary().given_up.unwrap();
        assert!(given_up.contains(words) && given_up.contains("error 12"), "{given_up}");
    }
}

#[test]
fn refusals_and_failed_starts_count_together() {
    let mut machine = asked();
    refused(&mut machine, Refusal::Failed, 0);
    machine.fails(FAILURES_MAX - 2);
    assert_eq!(machine.phase(), Phase::BackingOff);
    machine.wait(DELAY_MAX_MS);
    refused(&mut machine, Refusal::Failed, 0);
    assert_eq!(machine.phase(), Phase::GivenUp);
}

#[test]
fn what_will_never_pass_is_given_up_at_once() {
    for (reason, words) in [(Refusal::NoSuchSlot, "no such slot"), (Refusal::FileMissing, "a file it needs is missing")]
    {
        let mut machine = asked();
        let effects = refused(&mut machine, reason, 2);
        assert_eq!(machine.phase(), Phase::GivenUp);
        let given_up = machine.state.summary().given_up.unwrap();
        assert!(given_up.contains(words) && given_up.contains("error 2"), "{given_up}");
        assert!(given_up.contains("reload or ask again"), "the way out: {given_up}");
        assert_eq!(effects, [Effect::Warn(given_up)]);
        assert!(machine.wait(3_600_000).is_empty());
        assert_eq!(machine.happen(Event::Want), [Effect::Start]);
        machine.get_ready();
        assert_eq!(machine.state.summary().given_up, None);
    }
}

#[test]
fn a_refusal_that_nobody_waits_for_changes_nothing() {
    let mut backs_off = asked();
    backs_off.fails(2);
    for machine in [Machine::executor(), Machine::ready_executor(), backs_off] {
        let reasons = [Refusal::Running, Refusal::TooOften, Refusal::Failed, Refusal::NoSuchSlot, Refusal::AccountBusy];
        for reason in reasons {
            let mut after = machine.clone();
            assert!(refused(&mut after, reason, 0).is_empty(), "{reason:?}");
            assert_eq!(after.state, machine.state, "{reason:?}");
        }
    }
}
