//! When a failed instance is tried again, and when no more.

use super::*;
use crate::limits::{DELAY_MAX_MS, DELAY_MIN_MS, FAILURES_MAX, STEADY_MS};

#[test]
fn the_first_restart_is_at_once_and_the_next_waits() {
    let mut machine = Machine::executor();
    assert_eq!(machine.happen(Event::Want), [Effect::Start]);
    machine.started();
    let effects = machine.exits(3);
    assert_eq!(effects, [Effect::Warn("ended: exit status 3".into()), Effect::Start]);
    assert_eq!(machine.phase(), Phase::Starting);
    machine.started();
    let effects = machine.exits(3);
    assert_eq!(effects[1..], [arms(Timer::Start, DELAY_MIN_MS)]);
    assert_eq!(machine.phase(), Phase::BackingOff);
    assert!(machine.wait(DELAY_MIN_MS - 1).is_empty());
    assert_eq!(machine.wait(1), [Effect::Start]);
    assert_eq!(machine.phase(), Phase::Starting);
    assert_eq!(machine.state.summary().restarts, 2);
}

#[test]
fn each_later_restart_waits_within_its_bounds() {
    for seed in 0..200 {
        let mut machine = Machine::seeded(Role::Executor, 1, seed);
        machine.happen(Event::Want);
        machine.fails(1);
        for failures in 2..FAILURES_MAX {
            machine.fails(1);
            let delay = machine.due_in(Timer::Start).expect("a timer of the next start");
            let most = (DELAY_MIN_MS << (failures - 2)).min(DELAY_MAX_MS);
            let least = (most / 2).max(DELAY_MIN_MS);
            assert!((least..=most).contains(&delay), "seed {seed}, failure {failures}: {delay} ms");
        }
    }
}

#[test]
fn what_failed_together_is_tried_again_apart() {
    let delay = |seed| {
        let mut machine = Machine::seeded(Role::Executor, 1, seed);
        machine.happen(Event::Want);
        machine.fails(FAILURES_MAX - 1);
        machine.due_in(Timer::Start).unwrap()
    };
    let delays: std::collections::BTreeSet<u64> = (0..20).map(delay).collect();
    assert!(delays.len() > 15, "{delays:?}");
}

#[test]
fn after_too_many_failures_it_is_given_up_and_the_reason_names_the_last_exit() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.fails(FAILURES_MAX - 1);
    assert_eq!(machine.phase(), Phase::BackingOff);
    machine.wait(DELAY_MAX_MS);
    machine.started();
    let effects = machine.is_killed(11);
    assert_eq!(machine.phase(), Phase::GivenUp);
    let summary = machine.state.summary();
    let reason = summary.given_up.expect("a reason");
    assert!(reason.contains(&format!("{FAILURES_MAX} failures")), "{reason}");
    assert!(reason.contains("the last: signal 11"), "{reason}");
    assert!(reason.contains("var/log/executor-1.log"), "{reason}");
    assert!(reason.contains("ask again"), "the way out: {reason}");
    assert!(warns(&effects).contains(&reason), "it is logged: {effects:?}");
    assert!(!effects.contains(&Effect::Start));
    assert_eq!(summary.last_exit, "signal 11");
    assert!(!summary.outstanding && summary.wanted);
    assert!(machine.wait(3_600_000).is_empty(), "left alone until somebody asks");
}

#[test]
fn who_asks_again_gets_the_whole_count_again() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    for _ in 0..3 {
        machine.fails(FAILURES_MAX);
        assert_eq!(machine.phase(), Phase::GivenUp);
        assert_eq!(machine.happen(Event::Want), [Effect::Start]);
        machine.fails(1);
        assert_eq!(machine.phase(), Phase::Starting, "the first restart is at once again");
        machine.fails(FAILURES_MAX - 2);
        assert_eq!(machine.phase(), Phase::BackingOff);
        machine.fails(1);
        assert_eq!(machine.phase(), Phase::GivenUp);
        machine.happen(Event::Unwant { grace_ms: GRACE_MS });
        assert_eq!(machine.happen(Event::Want), [Effect::Start]);
    }
}

#[test]
fn one_that_gets_ready_each_time_without_progress_is_given_up() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    assert!(machine.survives(FAILURES_MAX - 1, |_| {}));
    assert!(!machine.survives(1, |_| {}));
    assert_eq!(machine.phase(), Phase::GivenUp);
}

#[test]
fn one_that_crashes_each_time_at_work_is_given_up() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    let begins = |machine: &mut Machine| drop(machine.says(FromRole::Busy));
    assert!(machine.survives(FAILURES_MAX - 1, begins));
    assert!(!machine.survives(1, begins));
}

#[test]
fn a_crash_at_work_counts_whatever_was_done_before() {
    for signal in [11, SIGKILL] {
        let mut machine = Machine::ready_executor();
        machine.says(FromRole::Busy);
        machine.says(FromRole::Idle);
        machine.says(FromRole::Busy);
        assert_eq!(machine.is_killed(signal).last(), Some(&Effect::Start), "its first failure");
        machine.fails(1);
        assert_eq!(machine.phase(), Phase::BackingOff, "its second");
    }
}

#[test]
fn a_crash_between_two_works_does_not_count() {
    let mut machine = Machine::ready_executor();
    machine.says(FromRole::Busy);
    machine.says(FromRole::Idle);
    machine.exits(3);
    machine.fails(1);
    assert_eq!(machine.phase(), Phase::Starting, "its first failure");
}

#[test]
fn one_that_makes_progress_is_never_given_up() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    let works = |machine: &mut Machine| {
        machine.says(FromRole::Busy);
        machine.says(FromRole::Idle);
    };
    assert!(machine.survives(10 * FAILURES_MAX, works));
    assert_eq!(machine.phase(), Phase::Starting, "and never has to wait");
}

#[test]
fn one_that_was_ready_for_long_is_never_given_up() {
    let lives = |ms: u64| {
        move |machine: &mut Machine| {
            for _ in 0..ms / 1_000 {
                if let Some(nonce) = ping(&machine.wait(1_000)) {
                    machine.says(FromRole::Pong { nonce });
                }
            }
        }
    };
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    assert!(machine.survives(3 * FAILURES_MAX, lives(STEADY_MS)));
    assert_eq!(machine.phase(), Phase::Starting, "each is the first failure again");
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    assert!(!machine.survives(3 * FAILURES_MAX, lives(STEADY_MS - 1_000)), "just short of it");
}

#[test]
fn progress_forgets_earlier_failures() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.fails(FAILURES_MAX - 1);
    machine.wait(DELAY_MAX_MS);
    machine.get_ready();
    machine.says(FromRole::Idle);
    assert_eq!(machine.exits(3).last(), Some(&Effect::Start));
    machine.fails(1);
    assert_eq!(machine.phase(), Phase::Starting, "its first failure");
}

#[test]
fn a_kill_from_outside_counts_before_ready_only() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    for _ in 0..3 * FAILURES_MAX {
        machine.get_ready();
        assert_eq!(machine.is_killed(SIGKILL).last(), Some(&Effect::Start));
    }
    for _ in 0..FAILURES_MAX {
        machine.wait(DELAY_MAX_MS);
        machine.started();
        machine.is_killed(SIGKILL);
    }
    assert_eq!(machine.phase(), Phase::GivenUp);
}

#[test]
fn another_signal_is_no_excuse() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.get_ready();
    machine.is_killed(SIGTERM);
    machine.get_ready();
    machine.is_killed(SIGTERM);
    assert_eq!(machine.phase(), Phase::BackingOff);
}

#[test]
fn a_permanent_one_is_restarted_whatever_the_end() {
    let mut machine = Machine::new(Role::Gate, 0);
    machine.happen(Event::Want);
    machine.get_ready();
    assert_eq!(machine.exits(0).last(), Some(&Effect::Start));
}

#[test]
fn the_words_on_an_end_are_never_longer_than_their_limit() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.get_ready();
    // Two bytes a letter, and an odd number of bytes before them.
    let why = format!("x{}", "é".repeat(LAST_EXIT_BYTES));
    machine.happen(Event::Misbehaved { number: machine.number, why });
    machine.is_killed(SIGKILL);
    let words = machine.state.summary().last_exit;
    assert_eq!(words.len(), LAST_EXIT_BYTES - 1);
    assert!(words.starts_with("xéé"));
}
