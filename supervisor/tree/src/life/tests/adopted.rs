//! What ran already when this supervisor came, and what comes too late or in another's name.

use roles::launch::Refusal;

use super::*;

const UNWANT: Event = Event::Unwant { grace_ms: GRACE_MS };

impl Machine {
    fn adopted(&mut self, sealed: bool) -> Vec<Effect> {
        self.number += 1;
        self.happen(Event::Adopted { number: self.number, pid: 100, sealed })
    }
}

#[test]
fn a_sealed_one_is_ready_and_asked_at_once_whether_it_is_there() {
    let mut machine = Machine::executor();
    let effects = machine.adopted(true);
    let nonce = ping(&effects).expect("a ping");
    let beat = arms(Timer::Heartbeat, u64::from(TIMES.heartbeat_ms));
    assert_eq!(effects, [Effect::Tell(ToRole::Ping { nonce }), beat]);
    let summary = machine.state.summary();
    assert_eq!((summary.phase, summary.wanted, summary.pid), (Phase::Ready, true, 100));
    assert_eq!(Machine::signals(&machine.wait(4 * u64::from(TIMES.heartbeat_ms))), [Signal::Term], "silent");
}

#[test]
fn an_unsealed_one_is_not_asked_before_its_seal() {
    let mut machine = Machine::executor();
    assert!(machine.adopted(false).is_empty());
    assert_eq!(machine.phase(), Phase::Starting);
    assert!(machine.wait(600_000).is_empty());
    machine.sealed();
    assert!(ping(&machine.wait(u64::from(TIMES.heartbeat_ms))).is_some());
    machine.says(FromRole::Ready);
    assert_eq!(machine.phase(), Phase::Ready);
}

#[test]
fn one_that_was_asked_for_and_runs_already_is_not_started_twice() {
    for sealed in [false, true] {
        let mut machine = Machine::new(Role::Memory, 0);
        assert_eq!(machine.happen(Event::Want), [Effect::Start]);
        machine.adopted(sealed);
        let adopted = machine.state.summary();
        assert!(machine.happen(Event::Refused { reason: Refusal::Running, errno: 0 }).is_empty());
        assert_eq!(machine.state.summary(), adopted);
        assert!(machine.happen(Event::Want).is_empty());
        assert_eq!(machine.exits(3).last(), Some(&Effect::Start));
        machine.get_ready();
    }
}

#[test]
fn one_that_ends_before_the_first_start_is_answered_is_not_asked_for_twice() {
    let mut machine = Machine::new(Role::Memory, 0);
    assert_eq!(machine.happen(Event::Want), [Effect::Start]);
    machine.adopted(true);
    assert!(!machine.exits(3).contains(&Effect::Start), "the launcher still owes an answer");
    assert_eq!(machine.phase(), Phase::Starting);
    machine.get_ready();
    assert_eq!(machine.exits(3).last(), Some(&arms(Timer::Start, crate::limits::DELAY_MIN_MS)));
    assert_eq!(machine.wait(crate::limits::DELAY_MIN_MS), [Effect::Start], "answered, so the next may be asked for");
}

#[test]
fn one_that_stops_before_the_first_start_is_answered_is_not_yet_stopped_for_good() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.adopted(true);
    machine.happen(UNWANT);
    machine.exits(0);
    assert_eq!(machine.phase(), Phase::Stopped);
    assert!(machine.state.summary().outstanding, "a start may still come");
    let effects = machine.started();
    assert!(matches!(effects[0], Effect::Tell(ToRole::Drain { .. })), "{effects:?}");
    machine.exits(0);
    let summary = machine.state.summary();
    assert_eq!((summary.phase, summary.wanted, summary.outstanding), (Phase::Stopped, false, false));
}

#[test]
fn one_that_the_predecessor_drained_is_not_started_again() {
    let mut machine = Machine::executor();
    machine.adopted(true);
    assert!(machine.exits(0).is_empty());
    let summary = machine.state.summary();
    assert_eq!((summary.phase, summary.wanted), (Phase::Stopped, false));
    let mut machine = Machine::executor();
    machine.adopted(true);
    assert_eq!(machine.exits(3).last(), Some(&Effect::Start), "a failure is no orderly end");
}

#[test]
fn one_that_is_asked_for_is_started_again_although_the_predecessor_drained_it() {
    let mut machine = Machine::executor();
    machine.adopted(true);
    machine.happen(Event::Want);
    assert_eq!(machine.exits(0).last(), Some(&Effect::Start), "wanted after it was adopted");
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.adopted(true);
    machine.happen(Event::Refused { reason: Refusal::Running, errno: 0 });
    assert_eq!(machine.exits(0).last(), Some(&Effect::Start), "wanted before it was adopted");
}

#[test]
fn a_permanent_one_is_started_again_whatever_its_predecessor_did() {
    let mut machine = Machine::new(Role::Gate, 0);
    machine.adopted(true);
    assert_eq!(machine.exits(0).last(), Some(&Effect::Start));
}

#[test]
fn a_start_that_the_predecessor_asked_for_is_taken_over() {
    let mut machine = Machine::executor();
    machine.get_ready();
    assert!(machine.state.summary().wanted);
    assert!(machine.exits(0).is_empty(), "as with one that is adopted: drained");
    assert_eq!(machine.phase(), Phase::Stopped);
}

#[test]
fn a_brain_that_ran_already_is_taken_to_be_at_work() {
    for asked in [false, true] {
        let mut machine = Machine::new(Role::Brain, 3);
        if asked {
            machine.happen(Event::Want);
        }
        assert!(ping(&machine.adopted(true)).is_some());
        machine.happen(Event::Refused { reason: Refusal::Running, errno: 0 });
        let summary = machine.state.summary();
        assert_eq!((summary.phase, summary.spare, summary.wanted), (Phase::Ready, false, false));
        assert!(machine.exits(0).is_empty());
        assert_eq!(machine.phase(), Phase::Stopped);
    }
}

#[test]
fn a_brain_that_was_not_sealed_yet_is_a_spare() {
    let mut machine = Machine::new(Role::Brain, 3);
    machine.adopted(false);
    assert!(machine.state.summary().spare);
    machine.sealed();
    machine.says(FromRole::Ready);
    machine.says(FromRole::Busy);
    assert!(!machine.state.summary().spare);
}

#[test]
fn a_newer_start_takes_the_place_of_one_whose_end_was_never_reported() {
    let mut machine = Machine::ready_executor();
    machine.wait(u64::from(TIMES.heartbeat_ms));
    machine.started();
    let summary = machine.state.summary();
    assert_eq!((summary.number, summary.phase), (2, Phase::Starting));
    assert!(machine.wait(600_000).is_empty(), "no timer of the old one counts");
}

/// Machines in each phase, the second start of each, so that there is an older number.
fn in_every_phase() -> Vec<Machine> {
    let mut ready = Machine::ready_executor();
    ready.says(FromRole::Idle);
    let mut asked = ready.clone();
    asked.exits(3);
    let mut started = asked.clone();
    started.started();
    let mut sealed = started.clone();
    sealed.sealed();
    let mut ready = sealed.clone();
    ready.says(FromRole::Ready);
    let mut waits_for_pong = ready.clone();
    assert!(ping(&waits_for_pong.wait(u64::from(TIMES.heartbeat_ms))).is_some());
    let mut draining = waits_for_pong.clone();
    draining.happen(UNWANT);
    let mut killed = draining.clone();
    killed.wait(u64::from(GRACE_MS) + crate::limits::TERM_GRACE_MS);
    let mut closed = ready.clone();
    closed.happen(Event::LineClosed { number: closed.number });
    let mut stopped = draining.clone();
    stopped.exits(0);
    let mut asked_later = asked.clone();
    asked_later.happen(Event::Refused { reason: Refusal::Running, errno: 0 });
    let mut backs_off = started.clone();
    backs_off.exits(3);
    backs_off.fails(1);
    assert_eq!(backs_off.phase(), Phase::BackingOff);
    let mut given_up = asked.clone();
    given_up.happen(Event::Refused { reason: Refusal::NoSuchSlot, errno: 0 });
    vec![
        asked,
        asked_later,
        started,
        sealed,
        ready,
        waits_for_pong,
        draining,
        killed,
        closed,
        stopped,
        backs_off,
        given_up,
    ]
}

#[test]
fn what_is_said_of_another_start_changes_nothing() {
    for machine in in_every_phase() {
        let running = machine.state.number();
        for number in [0, 1, machine.number + 1, u64::MAX].into_iter().filter(|number| *number != running) {
            let events = [
                Event::Exited { number, status: 3, signal: 0, with_gate: false },
                Event::Sealed { number },
                Event::Said { number, what: FromRole::Ready },
                Event::Said { number, what: FromRole::Busy },
                Event::Said { number, what: FromRole::Idle },
                Event::Said { number, what: FromRole::DescribeTree { request: 1 } },
                Event::Misbehaved { number, why: "it floods".into() },
                Event::LineClosed { number },
            ];
            for event in events {
                let mut after = machine.clone();
                assert!(after.happen(event.clone()).is_empty(), "{event:?} in {machine:?}");
                assert_eq!(after.state, machine.state, "{event:?}");
            }
        }
        for number in (0..=running).filter(|_| running > 0) {
            let mut after = machine.clone();
            assert!(after.happen(Event::Started { number, pid: 9 }).is_empty());
            assert!(after.happen(Event::Adopted { number, pid: 9, sealed: true }).is_empty());
            assert_eq!(after.state, machine.state, "start {number} is not new");
        }
    }
}

#[test]
fn a_timer_that_was_armed_anew_changes_nothing() {
    for machine in in_every_phase() {
        let last = machine.state.last_token;
        for timer in [Timer::Start, Timer::Heartbeat, Timer::Stop, Timer::Ready] {
            let live = machine.timers.get(&timer).map(|(token, _)| *token);
            for token in (1..=last + 2).filter(|token| Some(*token) != live) {
                let mut after = machine.clone();
                assert!(after.happen(Event::Elapsed { timer, token }).is_empty(), "{timer:?} {token} in {machine:?}");
                assert_eq!(after.state, machine.state);
            }
        }
    }
}
