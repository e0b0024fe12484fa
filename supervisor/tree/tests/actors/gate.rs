//! What the gate may ask for, and what it may not.

use chela_supervisor::limits::{REASON_BYTES, STOP_GRACE_MS};
use roles::Role;
use roles::launch::Signal;
use schema::edge::ProbeResult;
use schema::edge::control::{FromRole, Phase, Place, ToRole};

use crate::role::Conduct;
use crate::run;
use crate::world::{ALL, BRAIN, CONNECTOR, Did, EXECUTOR, GATE, HOUSE, MEMORY, MODEL, World, place};

const OTHER: Place = place(Role::Executor, 2);

#[test]
fn what_is_wanted_runs_until_it_is_let_go_of() {
    run(async {
        let mut world = World::ready("").await;
        world.says(GATE, &FromRole::Want(OTHER));
        world.says(GATE, &FromRole::Want(OTHER));
        world.until(|world| world.roles.contains_key(&OTHER)).await;
        world.ends(OTHER, 3, 0).await;
        world.until(|world| world.roles.contains_key(&OTHER)).await;
        world.says(GATE, &FromRole::Unwant(OTHER));
        world.quiet(60_000).await;
        let drain = ToRole::Drain { deadline_ms: STOP_GRACE_MS };
        assert_eq!(world.did, [Did::Start(OTHER), Did::Start(OTHER), Did::Tell(OTHER, drain)]);
        assert!(!world.roles.contains_key(&OTHER));
    });
}

#[test]
fn wanted_again_while_it_stops_it_comes_back() {
    run(async {
        let mut world = World::ready("").await;
        world.conduct.insert(OTHER, Conduct::Stays);
        world.says(GATE, &FromRole::Want(OTHER));
        world.until(|world| world.roles.contains_key(&OTHER)).await;
        world.says(GATE, &FromRole::Unwant(OTHER));
        world.until(|world| !world.told(OTHER).is_empty()).await;
        world.says(GATE, &FromRole::Want(OTHER));
        world.quiet(100).await;
        world.forget();
        world.ends(OTHER, 0, 0).await;
        world.until(|world| world.roles.contains_key(&OTHER)).await;
        world.quiet(60_000).await;
        assert_eq!(world.did, [Did::Start(OTHER)]);
    });
}

#[test]
fn what_always_runs_is_not_let_go_of() {
    run(async {
        let mut world = World::ready("").await;
        for at in [GATE, HOUSE, MEMORY, BRAIN, EXECUTOR, CONNECTOR, MODEL, place(Role::Executor, 9)] {
            world.says(GATE, &FromRole::Unwant(at));
        }
        world.quiet(60_000).await;
        assert!(world.did.is_empty(), "{:?}", world.did);
    });
}

#[test]
fn what_there_is_not_is_said_to_be_unavailable() {
    run(async {
        let cases = [
            (place(Role::Executor, 0), "no such role and slot"),
            (place(Role::Gate, 1), "no such role and slot"),
            (place(Role::Launcher, 0), "no such role and slot"),
            (place(Role::Supervisor, 0), "no such role and slot"),
            (Place { role: 200, slot: 0 }, "no such role and slot"),
            (place(Role::Connector, 2), "not among the links"),
        ];
        for (at, words) in cases {
            let mut world = World::ready("").await;
            world.says(GATE, &FromRole::Want(at));
            world.until(|world| !world.did.is_empty()).await;
            world.quiet(1_000).await;
            let told = world.told(GATE);
            let [ToRole::Unavailable { place, reason }] = &told[..] else { panic!("{at:?}: {told:?}") };
            assert_eq!(*place, at);
            assert!(reason.contains(words) && reason.len() <= REASON_BYTES, "{reason}");
            assert!(world.starts().is_empty());
        }
    });
}

#[test]
fn the_tree_is_described_as_it_is() {
    run(async {
        let mut world = World::without_supervisor("");
        world.conduct.insert(MODEL, Conduct::Missing);
        world.conduct.insert(CONNECTOR, Conduct::Slow);
        world.start_supervisor();
        world.until(|world| world.roles.len() == ALL.len() - 1).await;
        world.quiet(2_500).await;
        world.ends(MEMORY, 3, 0).await;
        world.quiet(1_500).await;
        world.says(GATE, &FromRole::DescribeTree { request: 77 });
        let described = |told: &ToRole| matches!(told, ToRole::TreeDescribed { .. });
        world.until(|world| world.told(GATE).iter().any(described)).await;
        let told = world.told(GATE).into_iter().find(described);
        let Some(ToRole::TreeDescribed { request, instances, probe }) = told else { panic!("{told:?}") };
        assert_eq!((request, probe), (77, ProbeResult::Denied { errno: 13 }));
        let mut places: Vec<Place> = instances.iter().map(|instance| instance.place).collect();
        places.sort();
        let mut all = ALL.to_vec();
        all.sort();
        assert_eq!(places, all);
        for instance in instances {
            let at = instance.place;
            let number = world.number(at);
            let (phase, restarts, uptime_ms, last_exit) = match at {
                MODEL => (Phase::GivenUp, 0, 0, "a file it needs is missing, see chelad's log"),
                CONNECTOR => (Phase::Starting, 0, 4_000, ""),
                MEMORY => (Phase::Ready, 1, 1_500, "exit status 3"),
                _ => (Phase::Ready, 0, 4_000, ""),
            };
            assert_eq!((instance.phase, instance.number, instance.restarts), (phase, number, restarts), "{at:?}");
            assert_eq!(instance.last_exit, last_exit);
            assert!((uptime_ms..=uptime_ms + 10).contains(&instance.uptime_ms), "{at:?}: {} ms", instance.uptime_ms);
            assert_eq!(instance.pid, if number == 0 { 0 } else { 1000 + number as u32 });
        }
    });
}

#[test]
fn who_broke_its_edges_rules_is_killed_and_its_successor_is_not() {
    run(async {
        let mut world = World::ready("").await;
        let number = world.number(EXECUTOR);
        world.says(GATE, &FromRole::Misbehaved { place: EXECUTOR, number });
        world.until(|world| world.number(EXECUTOR) > number).await;
        world.quiet(100).await;
        assert_eq!(world.did, [Did::Signal(EXECUTOR, Signal::Kill), Did::Start(EXECUTOR)]);
        world.forget();
        world.says(GATE, &FromRole::Misbehaved { place: EXECUTOR, number });
        world.says(GATE, &FromRole::Misbehaved { place: OTHER, number: 1 });
        world.says(GATE, &FromRole::Misbehaved { place: Place { role: 99, slot: 1 }, number: 1 });
        world.quiet(60_000).await;
        assert!(world.did.is_empty(), "{:?}", world.did);
        assert!(world.log.text().contains("the gate says that it broke the rules of its edge"));
    });
}

#[test]
fn a_spare_that_gets_a_turn_has_a_successor_at_once_and_is_not_started_again() {
    run(async {
        let mut world = World::ready("").await;
        let mut slots = Vec::new();
        for turn in 0..2 * roles::limits::BRAIN_SLOTS {
            world.forget();
            let spare = world.running().into_keys().find(|at| at.role() == Some(Role::Brain)).unwrap();
            slots.push(spare.slot);
            world.says(spare, &FromRole::Busy);
            world.until(|world| world.starts().len() == 1).await;
            assert_ne!(world.starts(), [spare], "turn {turn}");
            world.quiet(100).await;
            world.ends(spare, 0, 0).await;
            world.quiet(1_000).await;
            assert_eq!(world.did.len(), 1, "turn {turn}: {:?}", world.did);
        }
        let once: std::collections::BTreeSet<u32> = slots.iter().copied().collect();
        assert_eq!(once.len(), roles::limits::BRAIN_SLOTS as usize, "every slot had its turn: {slots:?}");
    });
}

#[test]
fn spares_that_were_given_up_are_tried_again_when_a_turn_waits() {
    run(async {
        let mut world = World::without_supervisor("");
        world.conduct.insert(BRAIN, Conduct::Crashes);
        world.start_supervisor();
        world.until(|world| world.log.text().contains("brain-0: given up")).await;
        world.quiet(60_000).await;
        assert_eq!(world.roles.len(), ALL.len() - 1, "no other slot fails the same way");
        world.conduct.clear();
        world.says(GATE, &FromRole::Want(BRAIN));
        world.until(|world| world.roles.contains_key(&BRAIN)).await;
    });
}
