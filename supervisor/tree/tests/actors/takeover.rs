//! A supervisor that comes after another takes over what runs; one whose launcher is gone, or lies, ends.

use chela_supervisor::serve::ServeError;
use kit::LineError;
use roles::Role;
use roles::launch::{Instance, Notice, Report, Signal};
use schema::edge::control::{FromRole, ToRole};

use crate::launcher::LauncherEnd;
use crate::role::{Conduct, pair};
use crate::run;
use crate::world::{BRAIN, CONNECTOR, Did, EXECUTOR, GATE, MODEL, World, pid, place};

/// The first spare's successor, when the first is at work.
const NEXT: schema::edge::control::Place = place(Role::Brain, 1);

async fn killed() -> World {
    let mut world = World::ready("").await;
    world.kill_supervisor().await;
    world
}

#[test]
fn everything_that_runs_is_taken_over_and_nothing_is_started_twice() {
    run(async {
        let mut world = killed().await;
        let before = world.running();
        world.start_supervisor();
        world.report_adopted(true);
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(60_000).await;
        let mut after = world.running();
        // The old brain is taken to be at work, so it has a successor.
        assert!(after.remove(&NEXT).is_some());
        assert_eq!(after, before);
        let told = |did: &&Did| matches!(did, Did::Tell(..) | Did::Signal(..));
        assert_eq!(world.did.iter().find(told), None, "and each is left alone");
        assert_eq!(world.starts().iter().filter(|at| **at == EXECUTOR).count(), 1, "asked for once, in vain");
        world.forget();
        world.ends(EXECUTOR, 3, 0).await;
        world.ends(BRAIN, 0, 0).await;
        world.quiet(1_000).await;
        assert_eq!(world.starts(), [EXECUTOR], "and each is restarted as ever");
    });
}

#[test]
fn the_unsealed_get_ready_under_the_new_supervisor() {
    run(async {
        let mut world = killed().await;
        world.start_supervisor();
        world.report_adopted(false);
        world.quiet(5_000).await;
        assert!(!world.has_notified(Notice::Ready));
        assert_eq!(world.pings, 0, "before its seal a role has no ear");
        for (at, number) in world.running() {
            world.report(Report::Sealed { who: Instance { role: at.role().unwrap(), slot: at.slot, number } }, None);
            world.says(at, &FromRole::Ready);
        }
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(5_000).await;
        assert!(world.pings > 0);
        assert!(!world.roles.contains_key(&NEXT), "a brain that was not even sealed is a spare");
    });
}

#[test]
fn what_ended_in_between_is_started_and_only_that() {
    run(async {
        let mut world = killed().await;
        for at in [CONNECTOR, BRAIN] {
            world.roles.remove(&at).unwrap().closes_its_line().await;
        }
        let kept = world.running();
        world.start_supervisor();
        world.report_adopted(true);
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(1_000).await;
        let mut after = world.running();
        assert!(after.remove(&CONNECTOR).is_some() && after.remove(&BRAIN).is_some());
        assert_eq!(after, kept);
    });
}

#[test]
fn what_the_predecessor_was_stopping_stays_stopped() {
    run(async {
        let on_demand = place(Role::Executor, 2);
        let mut world = killed().await;
        world.spawn(Role::Executor, 2, Conduct::Good);
        world.start_supervisor();
        world.report_adopted(true);
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.forget();
        world.ends(on_demand, 0, 0).await;
        world.quiet(60_000).await;
        assert!(world.starts().is_empty());
        world.says(GATE, &FromRole::Want(on_demand));
        world.until(|world| world.roles.contains_key(&on_demand)).await;
    });
}

#[test]
fn what_is_no_longer_configured_is_stopped() {
    run(async {
        let mut world = killed().await;
        world.configure("links = [2]");
        world.start_supervisor();
        world.report_adopted(true);
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(1_000).await;
        assert!(!world.roles.contains_key(&CONNECTOR));
        assert!(world.roles.contains_key(&place(Role::Connector, 2)));
    });
}

#[test]
fn one_that_hangs_is_found_by_the_new_supervisor_too() {
    run(async {
        let mut world = killed().await;
        world.behaves(MODEL, Conduct::Deaf);
        world.start_supervisor();
        world.report_adopted(true);
        world.until(|world| world.did.contains(&Did::Signal(MODEL, Signal::Term))).await;
        world.until(|world| world.roles.contains_key(&MODEL)).await;
    });
}

#[test]
fn without_its_launcher_it_ends() {
    run(async {
        let mut world = World::ready("").await;
        world.launcher = LauncherEnd::new(pair().0);
        assert!(matches!(world.ended().await, Err(ServeError::Line(LineError::Closed))));
        // And before anything was answered.
        let mut world = World::new("");
        world.launcher = LauncherEnd::new(pair().0);
        assert!(matches!(world.ended().await, Err(ServeError::Line(LineError::Closed))));
    });
}

#[test]
fn a_report_that_is_none_ends_it() {
    let who = Instance { role: Role::Executor, slot: 7, number: 99 };
    let started = Report::Started { who, pid: pid(who) }.to_bytes();
    let reload = Report::Reload.to_bytes();
    let cases: [(&str, Vec<u8>, bool); 4] = [
        ("noise", vec![0xff; 40], false),
        ("too short", reload[..39].to_vec(), false),
        ("a start without a line", started.to_vec(), false),
        ("a descriptor nobody asked for", reload.to_vec(), true),
    ];
    for (name, bytes, with_fd) in cases {
        run(async {
            let mut world = World::ready("").await;
            let fd = pair().0;
            world.launcher.packet(&bytes, with_fd.then_some(&fd)).unwrap();
            let ended = world.ended().await;
            assert!(matches!(ended, Err(ServeError::Line(LineError::Malformed))), "{name}: {ended:?}");
        });
    }
}

#[test]
fn a_control_line_that_is_no_socket_ends_it_with_every_actor() {
    run(async {
        let mut world = killed().await;
        assert!(world.log.text().contains("has failed"), "{}", world.log.text());
        assert_eq!(world.told_within(600_000).await, None, "no heartbeat of the one that is gone");
    });
}

#[test]
fn a_start_that_is_not_new_does_not_take_the_line_of_the_one_that_runs() {
    run(async {
        let mut world = World::ready("heartbeat_ms = 1000\nhung_ms = 3000").await;
        world.ends(EXECUTOR, -1, 9).await;
        world.until(|world| world.roles.contains_key(&EXECUTOR)).await;
        let old = Instance { role: Role::Executor, slot: 1, number: 1 };
        let (own, other) = pair();
        world.report(Report::Started { who: old, pid: pid(old) }, Some(&other));
        world.forget();
        world.quiet(60_000).await;
        assert!(world.did.is_empty(), "it hears its pings and answers them: {:?}", world.did);
        drop(own);
    });
}

#[test]
fn takeover_after_takeover_loses_nothing() {
    run(async {
        let mut world = World::ready("").await;
        let before = world.running();
        for _ in 0..5 {
            world.kill_supervisor().await;
            world.start_supervisor();
            world.report_adopted(true);
            world.until(|world| world.has_notified(Notice::Ready)).await;
            // Turns end meanwhile: a brain that is thought to be at work makes room.
            let brains: Vec<_> = world.running().into_keys().filter(|at| at.role() == Some(Role::Brain)).collect();
            assert_eq!(brains.len(), 2, "the one that was taken over, and its successor");
            let old = brains.into_iter().min_by_key(|at| world.number(*at)).unwrap();
            world.ends(old, 0, 0).await;
            world.quiet(1_000).await;
        }
        let not_brains = |at: &schema::edge::control::Place| at.role() != Some(Role::Brain);
        let after: Vec<_> = world.running().into_iter().filter(|(at, _)| not_brains(at)).collect();
        assert_eq!(after, before.into_iter().filter(|(at, _)| not_brains(at)).collect::<Vec<_>>());
        assert!(!world.did.iter().any(|did| matches!(did, Did::Tell(_, ToRole::Drain { .. }))));
    });
}
