//! A gate that is malformed towards everybody: each role ends its edge or, flooded, slows it.

use std::thread::sleep;
use std::time::Duration;

use harness::{procs, wait_for};
use malformed::{BEGINS, Conduct, ENDED};
use roles::Role;

use crate::scene::{PATIENCE, Scene};

/// Roles that have an edge to the gate.
const PEERS: [Role; 5] = [Role::Connector, Role::Brain, Role::Executor, Role::Memory, Role::Model];

#[test]
fn every_role_ends_a_malformed_gates_edge() {
    for conduct in [Conduct::Garbage, Conduct::NoHello, Conduct::Half, Conduct::TooLong, Conduct::OutOfTurn] {
        let scene = Scene::start(Role::Gate, conduct);
        for role in PEERS {
            let ended = format!("{ENDED} by {}", role.name());
            wait_for("the end of its edge", PATIENCE, || scene.home.log(Role::Gate, 0).contains(&ended).then_some(()))
                .unwrap_or_else(|why| panic!("{role:?} {conduct:?}: {why}: {}", scene.logs()));
        }
        // The scripted model has no log of its own.
        for role in PEERS.into_iter().filter(|role| *role != Role::Model) {
            says_why(&scene, role, conduct);
        }
        scene.nobody_holds_much();
        scene.stop();
    }
}

/// The role's own log has the reason.
#[track_caller]
fn says_why(scene: &Scene, role: Role, conduct: Conduct) {
    let slots = 0..roles::limits::BRAIN_SLOTS.max(2);
    let said = wait_for("the reason in the role's log", PATIENCE, || {
        let log: String = slots.clone().map(|slot| scene.home.log(role, slot)).collect();
        (log.contains("edge") || log.contains(role.name())).then_some(log)
    });
    said.unwrap_or_else(|why| panic!("{role:?} {conduct:?}: {why}: {}", scene.logs()));
}

#[test]
fn a_gate_that_floods_is_slowed_and_nobody_grows() {
    for conduct in [Conduct::Flood, Conduct::Silent] {
        let scene = Scene::start(Role::Gate, conduct);
        for role in PEERS {
            let begins = format!("{BEGINS}: {conduct:?} at the edge to {}", role.name());
            wait_for("an edge to the role", PATIENCE, || scene.home.log(Role::Gate, 0).contains(&begins).then_some(()))
                .unwrap_or_else(|why| panic!("{role:?} {conduct:?}: {why}: {}", scene.logs()));
        }
        // Bounded is bounded at every moment: looked at while it goes on.
        for _ in 0..20 {
            sleep(Duration::from_millis(100));
            scene.nobody_holds_much();
            assert!(procs::is_alive(scene.chelad.pid()));
        }
        scene.stop();
    }
}
