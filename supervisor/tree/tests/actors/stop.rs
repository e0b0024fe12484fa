//! The orderly stop: the gate drains while all else runs, then one wave after the other, the memories last.

use chela_supervisor::limits::{STOP_GRACE_MS, TERM_GRACE_MS};
use roles::Role;
use roles::launch::{Notice, Report, Signal};
use schema::edge::control::{FromRole, Place, ToRole};

use crate::role::Conduct;
use crate::run;
use crate::world::{ALL, BRAIN, CONNECTOR, Did, EXECUTOR, GATE, HOUSE, MEMORY, MODEL, World, place};

const CONFIG: &str = "drain_ms = 8000";
const DRAIN_GATE: ToRole = ToRole::Drain { deadline_ms: 8_000 };
const DRAIN: ToRole = ToRole::Drain { deadline_ms: STOP_GRACE_MS };

/// Told to stop, with a gate that takes its time.
async fn gate_drains() -> World {
    let mut world = World::ready(CONFIG).await;
    world.behaves(GATE, Conduct::Stays);
    world.report(Report::Shutdown, None);
    world.until(|world| world.did.contains(&Did::Tell(GATE, DRAIN_GATE))).await;
    world
}

/// Everything is stopped, and the supervisor ended as it should.
async fn is_over(world: &mut World) {
    world.until_gone().await;
    assert!(world.ended().await.is_ok());
    assert!(world.roles.is_empty(), "left behind: {:?}", world.running());
}

#[test]
fn the_gate_is_drained_first_and_the_memories_last() {
    run(async {
        let mut world = gate_drains().await;
        world.quiet(7_000).await;
        assert_eq!(world.did, [Did::Notify(Notice::Stopping), Did::Tell(GATE, DRAIN_GATE)], "all else runs on");
        world.ends(GATE, 0, 0).await;
        is_over(&mut world).await;
        let drained = |at: Place| world.when(&Did::Tell(at, DRAIN));
        let first_memory = drained(HOUSE).min(drained(MEMORY));
        for at in [BRAIN, EXECUTOR, CONNECTOR, MODEL] {
            assert!(drained(at) < first_memory, "{at:?}");
        }
        assert!(world.starts().is_empty());
        assert!(!world.did.iter().any(|did| matches!(did, Did::Signal(..))), "{:?}", world.did);
    });
}

#[test]
fn the_memories_wait_for_the_slowest_that_writes_to_them() {
    run(async {
        for slow in [BRAIN, EXECUTOR, CONNECTOR, MODEL] {
            let mut world = World::ready(CONFIG).await;
            world.behaves(slow, Conduct::Stays);
            world.report(Report::Shutdown, None);
            world.until(|world| world.did.contains(&Did::Tell(slow, DRAIN))).await;
            world.quiet(u64::from(STOP_GRACE_MS) - 1).await;
            assert_eq!(world.running().into_keys().collect::<Vec<_>>().len(), 3, "it and the memories: {slow:?}");
            is_over(&mut world).await;
            let killed = world.when(&Did::Signal(slow, Signal::Kill));
            assert!(world.when(&Did::Signal(slow, Signal::Term)) < killed);
            assert!(killed < world.when(&Did::Tell(HOUSE, DRAIN)) && killed < world.when(&Did::Tell(MEMORY, DRAIN)));
        }
    });
}

#[test]
fn a_gate_that_does_not_end_is_made_to() {
    run(async {
        let mut world = gate_drains().await;
        world.quiet(7_999).await;
        assert!(!world.did.contains(&Did::Signal(GATE, Signal::Term)));
        world.quiet(TERM_GRACE_MS / 2).await;
        assert!(world.did.contains(&Did::Signal(GATE, Signal::Term)));
        assert_eq!(world.roles.len(), ALL.len(), "it lives on, and so does all else");
        is_over(&mut world).await;
        assert!(world.when(&Did::Signal(GATE, Signal::Kill)) < world.when(&Did::Tell(EXECUTOR, DRAIN)));
    });
}

#[test]
fn a_turn_in_flight_gets_what_it_needs_until_the_gate_is_gone() {
    run(async {
        let mut world = gate_drains().await;
        let other = place(Role::Executor, 2);
        world.says(GATE, &FromRole::Want(other));
        world.until(|world| world.roles.contains_key(&other)).await;
        world.ends(MEMORY, -1, 9).await;
        world.ends(EXECUTOR, 1, 0).await;
        world.says(BRAIN, &FromRole::Busy);
        world.quiet(5_000).await;
        for at in [other, MEMORY, EXECUTOR, BRAIN] {
            assert!(world.roles.contains_key(&at), "{at:?} runs");
            assert!(world.told(at).is_empty(), "{at:?} is left alone: {:?}", world.told(at));
        }
        world.ends(GATE, 0, 0).await;
        is_over(&mut world).await;
    });
}

#[test]
fn once_the_gate_is_gone_nothing_is_started_any_more() {
    run(async {
        let mut world = gate_drains().await;
        world.behaves(CONNECTOR, Conduct::Stays);
        world.behaves(EXECUTOR, Conduct::Stays);
        world.forget();
        world.ends(GATE, 0, 0).await;
        world.until(|world| !world.told(CONNECTOR).is_empty() && !world.told(EXECUTOR).is_empty()).await;
        world.ends(CONNECTOR, 3, 0).await;
        world.ends(MEMORY, 3, 0).await;
        world.quiet(100).await;
        // The memory's wave had not come, so it was still wanted; but now it is told at once.
        assert_eq!(world.starts(), [MEMORY]);
        assert_eq!(world.told(MEMORY), [DRAIN]);
        assert!(world.roles.contains_key(&EXECUTOR));
        world.ends(EXECUTOR, -1, 11).await;
        is_over(&mut world).await;
        assert_eq!(world.starts(), [MEMORY]);
    });
}

#[test]
fn a_gate_that_crashes_while_it_drains_is_not_started_again() {
    run(async {
        let mut world = gate_drains().await;
        world.ends(GATE, -1, 11).await;
        is_over(&mut world).await;
        assert!(world.starts().is_empty());
    });
}

#[test]
fn told_to_stop_before_anything_is_ready_it_stops() {
    run(async {
        for conduct in [Conduct::Good, Conduct::Slow, Conduct::Crashes, Conduct::Missing] {
            let mut world = World::without_supervisor(CONFIG);
            world.conduct.extend(ALL.map(|at| (at, conduct)));
            world.start_supervisor();
            world.report(Report::Shutdown, None);
            is_over(&mut world).await;
        }
    });
}

#[test]
fn what_backs_off_or_was_given_up_holds_nothing_up() {
    run(async {
        let mut world = World::without_supervisor(CONFIG);
        world.conduct.insert(MODEL, Conduct::Missing);
        world.conduct.insert(HOUSE, Conduct::Crashes);
        world.start_supervisor();
        world.until(|world| world.starts().iter().filter(|at| **at == HOUSE).count() == 6).await;
        world.forget();
        world.report(Report::Shutdown, None);
        is_over(&mut world).await;
        assert!(world.starts().is_empty());
    });
}

#[test]
fn told_to_reload_while_it_stops_it_goes_on_stopping() {
    run(async {
        let mut world = gate_drains().await;
        world.report(Report::Reload, None);
        world.report(Report::Shutdown, None);
        world.quiet(1_000).await;
        assert_eq!(world.did, [Did::Notify(Notice::Stopping), Did::Tell(GATE, DRAIN_GATE)]);
        world.ends(GATE, 0, 0).await;
        is_over(&mut world).await;
    });
}
