//! Wanted and no longer wanted, in every phase.

use roles::launch::Refusal;

use super::*;
use crate::limits::{FAILURES_MAX, SLOT_RETRY_MS, TERM_GRACE_MS};

const UNWANT: Event = Event::Unwant { grace_ms: GRACE_MS };

/// A way to a phase; the machine starts as an executor that nobody has asked for.
struct Setup {
    name: &'static str,
    come_there: fn(&mut Machine),
    phase: Phase,
}

const fn setup(name: &'static str, phase: Phase, come_there: fn(&mut Machine)) -> Setup {
    Setup { name, come_there, phase }
}

fn ask(machine: &mut Machine) {
    machine.happen(Event::Want);
}

fn run(machine: &mut Machine) {
    ask(machine);
    machine.get_ready();
}

fn refuse(machine: &mut Machine) {
    ask(machine);
    machine.happen(Event::Refused { reason: Refusal::Running, errno: 0 });
}

const STOPPED: Setup = setup("stopped", Phase::Stopped, |_| {});
const ASKED: Setup = setup("asked", Phase::Starting, ask);
const ASKED_IN_VAIN: Setup = setup("asked, then unwanted", Phase::Starting, |machine| {
    ask(machine);
    machine.happen(UNWANT);
});
const ASKED_LATER: Setup = setup("to be asked again", Phase::Starting, refuse);
const UNSEALED: Setup = setup("started", Phase::Starting, |machine| {
    ask(machine);
    machine.started();
});
const SEALED: Setup = setup("sealed", Phase::Starting, |machine| {
    ask(machine);
    machine.started();
    machine.sealed();
});
const READY: Setup = setup("ready", Phase::Ready, run);
const DRAINING: Setup = setup("draining", Phase::Stopping, |machine| {
    run(machine);
    machine.happen(UNWANT);
});
const TERMINATED: Setup = setup("terminated", Phase::Stopping, |machine| {
    run(machine);
    machine.happen(UNWANT);
    machine.wait(u64::from(GRACE_MS));
});
const CLOSED: Setup = setup("closed its line", Phase::Stopping, |machine| {
    run(machine);
    machine.happen(Event::LineClosed { number: machine.number });
});
const BACKING_OFF: Setup = setup("backing off", Phase::BackingOff, |machine| {
    ask(machine);
    machine.fails(2);
});
const GIVEN_UP: Setup = setup("given up", Phase::GivenUp, |machine| {
    ask(machine);
    machine.fails(FAILURES_MAX);
});

fn drains() -> Vec<Effect> {
    vec![Effect::Tell(ToRole::Drain { deadline_ms: GRACE_MS }), arms(Timer::Stop, u64::from(GRACE_MS))]
}

/// From each setup, the event leads to that phase with those effects.
fn check(event: &Event, table: Vec<(Setup, Phase, Vec<Effect>)>) {
    assert_eq!(table.len(), 12, "every setup");
    let wanted = *event == Event::Want;
    for (setup, phase, effects) in table {
        let mut machine = Machine::executor();
        (setup.come_there)(&mut machine);
        assert_eq!(machine.phase(), setup.phase, "setup: {}", setup.name);
        assert_eq!(machine.happen(event.clone()), effects, "{}", setup.name);
        assert_eq!(machine.phase(), phase, "{}", setup.name);
        assert_eq!(machine.state.summary().wanted, wanted, "{}", setup.name);
        let once = machine.clone();
        assert!(machine.happen(event.clone()).is_empty(), "said twice is said once: {}", setup.name);
        assert_eq!(machine.state, once.state, "{}", setup.name);
    }
}

#[test]
fn want_in_every_phase() {
    let start = || vec![Effect::Start];
    let table = vec![
        (STOPPED, Phase::Starting, start()),
        (ASKED, Phase::Starting, vec![]),
        (ASKED_IN_VAIN, Phase::Starting, vec![]),
        (ASKED_LATER, Phase::Starting, vec![]),
        (UNSEALED, Phase::Starting, vec![]),
        (SEALED, Phase::Starting, vec![]),
        (READY, Phase::Ready, vec![]),
        (DRAINING, Phase::Stopping, vec![]),
        (TERMINATED, Phase::Stopping, vec![]),
        (CLOSED, Phase::Stopping, vec![]),
        (BACKING_OFF, Phase::BackingOff, vec![]),
        (GIVEN_UP, Phase::Starting, start()),
    ];
    check(&Event::Want, table);
}

#[test]
fn unwant_in_every_phase() {
    let table = vec![
        (STOPPED, Phase::Stopped, vec![]),
        (ASKED, Phase::Starting, vec![]),
        (ASKED_IN_VAIN, Phase::Starting, vec![]),
        (ASKED_LATER, Phase::Stopped, vec![]),
        (UNSEALED, Phase::Stopping, drains()),
        (SEALED, Phase::Stopping, drains()),
        (READY, Phase::Stopping, drains()),
        (DRAINING, Phase::Stopping, vec![]),
        (TERMINATED, Phase::Stopping, vec![]),
        (CLOSED, Phase::Stopping, vec![]),
        (BACKING_OFF, Phase::Stopped, vec![]),
        (GIVEN_UP, Phase::Stopped, vec![]),
    ];
    check(&UNWANT, table);
}

#[test]
fn unwant_drains_then_terminates_then_kills() {
    let mut machine = Machine::ready_executor();
    let number = machine.number;
    assert_eq!(machine.happen(UNWANT), drains());
    assert!(machine.wait(u64::from(GRACE_MS) - 1).is_empty());
    let term = [Effect::Signal { number, signal: Signal::Term }, arms(Timer::Stop, TERM_GRACE_MS)];
    assert_eq!(machine.wait(1), term);
    assert!(machine.wait(TERM_GRACE_MS - 1).is_empty());
    let kill = [Effect::Signal { number, signal: Signal::Kill }, arms(Timer::Stop, TERM_GRACE_MS)];
    assert_eq!(machine.wait(1), kill);
    assert_eq!(machine.phase(), Phase::Stopping);
    assert!(machine.is_killed(SIGKILL).is_empty());
    assert_eq!(machine.phase(), Phase::Stopped);
    assert_eq!(machine.state.summary().last_exit, "stopped");
    assert!(machine.wait(3_600_000).is_empty(), "and nothing more");
}

#[test]
fn one_that_drains_in_time_is_not_signalled() {
    let mut machine = Machine::ready_executor();
    machine.happen(UNWANT);
    machine.wait(u64::from(GRACE_MS) - 1);
    assert!(machine.exits(0).is_empty());
    assert_eq!(machine.phase(), Phase::Stopped);
    assert!(machine.wait(3_600_000).is_empty());
    assert!(!machine.state.summary().outstanding);
}

#[test]
fn wanted_while_it_stops_it_is_started_again_after_the_end() {
    for late in [0, u64::from(GRACE_MS), u64::from(GRACE_MS) + TERM_GRACE_MS] {
        let mut machine = Machine::ready_executor();
        machine.happen(UNWANT);
        machine.wait(late);
        assert!(machine.happen(Event::Want).is_empty());
        assert_eq!(machine.is_killed(SIGTERM), [Effect::Start], "{late} ms");
        machine.get_ready();
        assert_eq!(machine.state.summary().restarts, 0, "no failure of its own");
    }
}

#[test]
fn stopping_is_no_failure_however_often() {
    let mut machine = Machine::executor();
    for _ in 0..3 * FAILURES_MAX {
        assert_eq!(machine.happen(Event::Want), [Effect::Start]);
        machine.started();
        assert_eq!(machine.happen(UNWANT), drains());
        machine.is_killed(SIGTERM);
        assert_eq!(machine.phase(), Phase::Stopped);
    }
}

#[test]
fn a_start_that_comes_when_it_is_no_longer_wanted_is_ended_at_once() {
    let mut machine = Machine::executor();
    ask(&mut machine);
    machine.happen(UNWANT);
    assert!(machine.state.summary().outstanding, "the launcher's answer is due");
    let effects = machine.started();
    assert!(matches!(effects[0], Effect::Tell(ToRole::Drain { .. })), "{effects:?}");
    assert_eq!(machine.phase(), Phase::Stopping);
    machine.exits(0);
    assert_eq!(machine.phase(), Phase::Stopped);
}

#[test]
fn a_start_that_is_refused_when_it_is_no_longer_wanted_is_the_end() {
    let mut machine = Machine::executor();
    ask(&mut machine);
    machine.happen(UNWANT);
    assert!(machine.happen(Event::Refused { reason: Refusal::Failed, errno: 12 }).is_empty());
    assert_eq!(machine.phase(), Phase::Stopped);
}

#[test]
fn unwanted_and_wanted_again_before_the_answer_it_stays() {
    let mut machine = Machine::executor();
    ask(&mut machine);
    machine.happen(UNWANT);
    ask(&mut machine);
    machine.get_ready();
    let mut machine = Machine::executor();
    refuse(&mut machine);
    machine.happen(UNWANT);
    assert_eq!(machine.happen(Event::Want), [Effect::Start]);
    assert!(machine.wait(SLOT_RETRY_MS).is_empty(), "the old retry is forgotten");
    machine.get_ready();
}

#[test]
fn a_fault_while_it_drains_makes_short_work_of_it() {
    let mut machine = Machine::ready_executor();
    machine.happen(UNWANT);
    let effects = machine.happen(Event::Misbehaved { number: machine.number, why: "floods".into() });
    assert_eq!(Machine::signals(&effects), [Signal::Kill]);
    machine.is_killed(SIGKILL);
    assert_eq!(machine.phase(), Phase::Stopped);
    assert_eq!(machine.state.summary().last_exit, "floods");
}

#[test]
fn reload_reaches_those_that_run_and_are_not_on_their_way_out() {
    for (setup, told) in [(STOPPED, false), (ASKED, false), (READY, true), (DRAINING, false), (BACKING_OFF, false)] {
        let mut machine = Machine::executor();
        (setup.come_there)(&mut machine);
        let expected: &[Effect] = if told { &[Effect::Tell(ToRole::Reload)] } else { &[] };
        assert_eq!(machine.happen(Event::Reload), expected, "{}", setup.name);
        assert_eq!(machine.phase(), setup.phase, "{}", setup.name);
    }
}

#[test]
fn reload_while_it_is_being_started_reaches_it_once_it_runs() {
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    machine.happen(Event::Reload);
    assert_eq!(machine.started(), [Effect::Tell(ToRole::Reload)]);
    machine.sealed();
    let mut machine = Machine::executor();
    machine.happen(Event::Want);
    assert_eq!(machine.started(), []);
}
