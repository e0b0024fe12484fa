//! Heartbeats: who is silent for too long is ended, politely first.

use super::*;
use crate::limits::{READY_DEADLINE_MS, TERM_GRACE_MS};

const BEAT_MS: u64 = TIMES.heartbeat_ms as u64;
const HUNG_MS: u64 = TIMES.hung_ms as u64;

/// Lets time pass while the role answers every ping at once.
fn live(machine: &mut Machine, ms: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for _ in 0..ms / BEAT_MS {
        let happened = machine.wait(BEAT_MS);
        if let Some(nonce) = ping(&happened) {
            machine.says(FromRole::Pong { nonce });
        }
        effects.extend(happened);
    }
    effects
}

/// Lets time pass in silence until the role is signalled; how long that took.
fn silence(machine: &mut Machine) -> (u64, Vec<Effect>) {
    for waited in (100..=20 * HUNG_MS).step_by(100) {
        let effects = machine.wait(100);
        if !Machine::signals(&effects).is_empty() {
            return (waited, effects);
        }
    }
    panic!("never signalled: {machine:?}");
}

#[test]
fn a_silent_one_gets_a_sigterm_then_a_sigkill_until_it_is_gone() {
    let mut machine = Machine::ready_executor();
    let number = machine.number;
    let (waited, effects) = silence(&mut machine);
    assert!((BEAT_MS + HUNG_MS..=2 * BEAT_MS + HUNG_MS).contains(&waited), "{waited} ms");
    assert_eq!(
        effects,
        [
            Effect::Warn(format!("hung: no answer for {HUNG_MS} ms")),
            Effect::Signal { number, signal: Signal::Term },
            arms(Timer::Stop, TERM_GRACE_MS),
        ]
    );
    assert_eq!(machine.phase(), Phase::Stopping);
    let killed = [Effect::Signal { number, signal: Signal::Kill }, arms(Timer::Stop, TERM_GRACE_MS)];
    assert_eq!(machine.wait(TERM_GRACE_MS), killed);
    assert_eq!(machine.wait(TERM_GRACE_MS), killed, "told again, lest it was not heard");
    let effects = machine.is_killed(SIGKILL);
    assert_eq!(effects.last(), Some(&Effect::Start), "its first failure");
    assert_eq!(machine.state.summary().last_exit, format!("hung: no answer for {HUNG_MS} ms"));
}

#[test]
fn one_that_always_hangs_is_given_up() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    for _ in 0..crate::limits::FAILURES_MAX {
        machine.wait(crate::limits::DELAY_MAX_MS);
        machine.get_ready();
        silence(&mut machine);
        machine.is_killed(SIGTERM);
    }
    assert_eq!(machine.phase(), Phase::GivenUp);
    let reason = machine.state.summary().given_up.unwrap();
    assert!(reason.contains("the last: hung: no answer"), "{reason}");
}

#[test]
fn one_that_answers_lives() {
    let mut machine = Machine::ready_executor();
    let effects = live(&mut machine, 100 * HUNG_MS);
    assert!(Machine::signals(&effects).is_empty());
    assert_eq!(machine.phase(), Phase::Ready);
    assert!(effects.iter().filter(|effect| matches!(effect, Effect::Tell(ToRole::Ping { .. }))).count() > 300);
}

#[test]
fn an_answer_just_in_time_counts() {
    let mut machine = Machine::ready_executor();
    for _ in 0..5 {
        let mut nonce = None;
        while nonce.is_none() {
            nonce = ping(&machine.wait(100));
        }
        assert!(Machine::signals(&machine.wait(HUNG_MS - 1)).is_empty());
        machine.says(FromRole::Pong { nonce: nonce.unwrap() });
    }
    assert_eq!(machine.phase(), Phase::Ready);
}

#[test]
fn while_an_answer_is_due_no_other_question_is_asked() {
    let mut machine = Machine::ready_executor();
    assert!(ping(&machine.wait(BEAT_MS)).is_some());
    let effects = machine.wait(HUNG_MS - 1);
    assert_eq!(ping(&effects), None);
    assert_eq!(effects.len() as u64, HUNG_MS / BEAT_MS, "the looks go on: {effects:?}");
}

#[test]
fn an_answer_to_another_question_does_not_count() {
    let mut machine = Machine::ready_executor();
    let first = ping(&machine.wait(BEAT_MS)).unwrap();
    machine.says(FromRole::Pong { nonce: first });
    let second = ping(&machine.wait(BEAT_MS)).unwrap();
    assert_ne!(first, second);
    machine.says(FromRole::Pong { nonce: first });
    machine.says(FromRole::Pong { nonce: second.wrapping_add(1) });
    silence(&mut machine);
    assert_eq!(machine.phase(), Phase::Stopping);
}

#[test]
fn an_answer_in_the_name_of_an_earlier_start_does_not_count() {
    let mut machine = Machine::ready_executor();
    let number = machine.number;
    machine.says(FromRole::Idle);
    machine.exits(1);
    machine.get_ready();
    let nonce = ping(&machine.wait(BEAT_MS)).unwrap();
    machine.happen(Event::Said { number, what: FromRole::Pong { nonce } });
    silence(&mut machine);
}

#[test]
fn an_answer_after_the_sigterm_does_not_save_it() {
    let mut machine = Machine::ready_executor();
    let nonce = ping(&machine.wait(BEAT_MS)).unwrap();
    silence(&mut machine);
    assert!(machine.says(FromRole::Pong { nonce }).is_empty());
    assert_eq!(Machine::signals(&machine.wait(TERM_GRACE_MS)), [Signal::Kill]);
}

#[test]
fn before_its_seal_it_is_asked_nothing() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    assert!(machine.started().is_empty());
    assert!(machine.wait(100 * HUNG_MS).is_empty(), "how long a seal may take is the launcher's to say");
    assert_eq!(machine.sealed(), [arms(Timer::Heartbeat, BEAT_MS), arms(Timer::Ready, READY_DEADLINE_MS)]);
    assert!(machine.sealed().is_empty(), "a second report changes nothing");
}

#[test]
fn one_that_answers_but_is_not_ready_in_time_is_killed() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.started();
    machine.sealed();
    assert!(Machine::signals(&live(&mut machine, READY_DEADLINE_MS - BEAT_MS)).is_empty());
    assert_eq!(machine.phase(), Phase::Starting);
    let effects = live(&mut machine, BEAT_MS);
    assert_eq!(Machine::signals(&effects), [Signal::Kill]);
    assert!(warns(&effects).contains("not ready"), "{effects:?}");
    machine.is_killed(SIGKILL);
    assert_eq!(machine.phase(), Phase::Starting, "its first failure");
}

#[test]
fn ready_in_time_is_ready_for_good() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.started();
    machine.sealed();
    live(&mut machine, READY_DEADLINE_MS - BEAT_MS);
    machine.says(FromRole::Ready);
    assert!(Machine::signals(&live(&mut machine, 2 * READY_DEADLINE_MS)).is_empty());
    assert_eq!(machine.phase(), Phase::Ready);
}

#[test]
fn new_times_count_from_the_next_look() {
    let mut machine = Machine::ready_executor();
    machine.state.times = Times { heartbeat_ms: 50, hung_ms: 200 };
    assert!(ping(&machine.wait(BEAT_MS)).is_some());
    assert_eq!(machine.due_in(Timer::Heartbeat), Some(50));
    assert_eq!(Machine::signals(&machine.wait(200)), [Signal::Term]);
}
