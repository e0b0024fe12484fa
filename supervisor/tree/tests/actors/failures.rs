//! Roles that end, hang or break the rules: each is dealt with alone.

use chela_supervisor::limits::{FAILURES_MAX, FLOOD_PACKETS, FROM_ROLE_BYTES};
use roles::launch::{Notice, Signal};
use schema::edge::control::{FromRole, Place, ToRole};

use crate::role::Conduct;
use crate::run;
use crate::world::{ALL, BRAIN, CONNECTOR, Did, EXECUTOR, GATE, MEMORY, MODEL, World};

#[test]
fn one_that_is_killed_is_started_again_and_only_it() {
    run(async {
        let mut world = World::ready("").await;
        for at in ALL {
            let mut before = world.running();
            world.ends(at, -1, 9).await;
            world.until(|world| world.roles.contains_key(&at)).await;
            world.quiet(1_000).await;
            assert_eq!(world.did, [Did::Start(at)]);
            world.forget();
            let mut after = world.running();
            assert!(after.remove(&at) > before.remove(&at));
            assert_eq!(after, before);
        }
    });
}

#[test]
fn all_that_are_killed_at_once_come_back() {
    run(async {
        let mut world = World::ready("").await;
        for at in ALL {
            world.ends(at, -1, 9).await;
        }
        world.until(|world| world.roles.len() == ALL.len()).await;
        world.quiet(1_000).await;
        assert_eq!(world.starts().len(), ALL.len());
    });
}

/// The reason that the gate was told for that place.
fn told_unavailable(world: &World, at: Place) -> Option<String> {
    world.told(GATE).into_iter().find_map(|told| match told {
        ToRole::Unavailable { place, reason } if place == at => Some(reason),
        ToRole::Unavailable { .. }
        | ToRole::Ping { .. }
        | ToRole::Drain { .. }
        | ToRole::Reload
        | ToRole::TreeDescribed { .. } => None,
    })
}

#[test]
fn one_that_is_given_up_stops_no_other() {
    run(async {
        let mut world = World::without_supervisor("");
        world.conduct.insert(MODEL, Conduct::Crashes);
        world.start_supervisor();
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(60_000).await;
        let tries = world.starts().into_iter().filter(|at| *at == MODEL).count();
        assert_eq!(tries, FAILURES_MAX as usize);
        assert_eq!(world.roles.len(), ALL.len() - 1, "all others run");
        assert_eq!(world.starts().len(), ALL.len() - 1 + tries, "and were started once");
        let reason = told_unavailable(&world, MODEL).expect("the gate is told");
        assert!(reason.contains("exit status 3") && reason.contains("var/log/model-1.log"), "{reason}");
        let log = world.log.text();
        assert!(log.contains("without what was given up: model-1"), "{log}");
        world.conduct.clear();
        world.says(GATE, &FromRole::Want(MODEL));
        world.until(|world| world.roles.contains_key(&MODEL)).await;
    });
}

#[test]
fn one_whose_file_is_missing_is_given_up_at_once() {
    run(async {
        let mut world = World::without_supervisor("");
        world.conduct.insert(MODEL, Conduct::Missing);
        world.start_supervisor();
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(1_000).await;
        assert_eq!(world.starts().into_iter().filter(|at| *at == MODEL).count(), 1);
        let reason = told_unavailable(&world, MODEL).expect("the gate is told");
        assert!(reason.contains("a file it needs is missing"), "{reason}");
    });
}

#[test]
fn one_that_hangs_is_ended_and_started_again() {
    run(async {
        let mut world = World::ready("heartbeat_ms = 1000\nhung_ms = 3000").await;
        let number = world.number(MEMORY);
        world.behaves(MEMORY, Conduct::Deaf);
        world.until(|world| world.number(MEMORY) > number).await;
        world.quiet(1_000).await;
        assert_eq!(world.did, [Did::Signal(MEMORY, Signal::Term), Did::Start(MEMORY)]);
        assert!(world.log.text().contains("memory-1: hung: no answer for 3000 ms"));
    });
}

#[test]
fn who_breaks_the_rules_of_its_control_line_is_killed_and_only_it() {
    let place = EXECUTOR;
    let encode = |what: &FromRole| schema::codec::encode(what, FROM_ROLE_BYTES).unwrap();
    let cases = [
        ("noise", vec![0xff; 16]),
        ("a byte too many", [encode(&FromRole::Idle), vec![0]].concat()),
        ("too large", vec![0; FROM_ROLE_BYTES + 1]),
        ("the gate's word", encode(&FromRole::Want(place))),
        ("the gate's question", encode(&FromRole::DescribeTree { request: 1 })),
    ];
    for (name, packet) in cases {
        run(async {
            let mut world = World::ready("").await;
            let number = world.number(CONNECTOR);
            world.roles[&CONNECTOR].says_bytes(packet);
            world.until(|world| world.number(CONNECTOR) > number).await;
            world.quiet(1_000).await;
            assert_eq!(world.did, [Did::Signal(CONNECTOR, Signal::Kill), Did::Start(CONNECTOR)], "{name}");
        });
    }
}

#[test]
fn who_floods_its_control_line_is_killed_and_nobody_else_waits_for_it() {
    run(async {
        let mut world = World::ready("").await;
        let number = world.number(EXECUTOR);
        for _ in 0..FLOOD_PACKETS + 10 {
            world.says(EXECUTOR, &FromRole::Idle);
        }
        world.says(GATE, &FromRole::DescribeTree { request: 1 });
        let described = |told: &ToRole| matches!(told, ToRole::TreeDescribed { request: 1, .. });
        world.until(|world| world.told(GATE).iter().any(described)).await;
        world.until(|world| world.number(EXECUTOR) > number).await;
        assert!(world.did.contains(&Did::Signal(EXECUTOR, Signal::Kill)));
        assert!(world.log.text().contains("executor-1: it floods its control line"));
    });
}

#[test]
fn who_says_much_but_no_more_than_it_may_lives() {
    run(async {
        let mut world = World::ready("").await;
        for _ in 0..5 {
            for _ in 0..FLOOD_PACKETS / 2 {
                world.says(EXECUTOR, &FromRole::Idle);
            }
            world.quiet(1_100).await;
        }
        assert!(world.did.is_empty(), "{:?}", world.did);
    });
}

#[test]
fn who_closes_its_line_and_lives_on_is_killed() {
    run(async {
        let mut world = World::ready("").await;
        let number = world.number(MODEL);
        world.roles.get_mut(&MODEL).unwrap().closes_its_line().await;
        world.until(|world| world.number(MODEL) > number).await;
        assert_eq!(world.did, [Did::Signal(MODEL, Signal::Kill), Did::Start(MODEL)]);
    });
}

#[test]
fn spares_that_end_with_the_gate_do_not_wear_out() {
    run(async {
        let mut world = World::ready("").await;
        // Killed by the launcher, or quicker than that.
        let ends = [(-1, 9, true), (-1, 9, false), (0, 0, true), (0, 0, false)];
        for (status, signal, together) in ends.into_iter().cycle().take(4 * FAILURES_MAX as usize) {
            world.forget();
            if together {
                world.end_together(&[(GATE, -1, 9), (BRAIN, status, signal)]).await;
            } else {
                world.ends(GATE, -1, 9).await;
                world.ends(BRAIN, status, signal).await;
            }
            world.until(|world| world.roles.len() == ALL.len()).await;
            // Long enough to be ready, too short to count as steady or for a delay to pass.
            world.quiet(20).await;
            let mut starts = world.starts();
            starts.sort();
            assert_eq!(starts, [BRAIN, GATE]);
        }
    });
}
