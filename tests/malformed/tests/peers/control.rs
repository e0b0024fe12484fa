//! Each role as a malformed peer of the supervisor, on its control line.

use harness::{procs, wait_for};
use malformed::Conduct;
use roles::Role;

use crate::scene::{PATIENCE, Scene};

fn is_ended_by_the_supervisor(role: Role, conduct: Conduct, words: &str) {
    let scene = Scene::start(role, conduct);
    let supervisor = wait_for("the supervisor", PATIENCE, || procs::find(scene.chelad.pid(), Role::Supervisor, 0));
    let supervisor = supervisor.unwrap();
    wait_for("the supervisor's word on it", PATIENCE, || {
        let log = scene.home.log(Role::Supervisor, 0);
        log.lines().any(|line| line.contains(role.name()) && line.contains(words)).then_some(())
    })
    .unwrap_or_else(|why| panic!("{role:?} {conduct:?}: {why}: {}", scene.logs()));
    if role == Role::Gate {
        scene.nobody_holds_much();
    } else {
        scene.the_rest_goes_on();
    }
    assert_eq!(procs::find(scene.chelad.pid(), Role::Supervisor, 0), Some(supervisor));
    scene.stop();
}

const ROLES: [Role; 6] = [Role::Connector, Role::Brain, Role::Gate, Role::Executor, Role::Memory, Role::Model];

#[test]
fn garbage_on_a_control_line_ends_the_role() {
    for role in ROLES {
        is_ended_by_the_supervisor(role, Conduct::ControlGarbage, "control line");
    }
}

#[test]
fn a_flood_on_a_control_line_ends_the_role() {
    for role in ROLES {
        is_ended_by_the_supervisor(role, Conduct::ControlFlood, "floods its control line");
    }
}
