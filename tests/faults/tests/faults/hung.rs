//! SIGSTOP: a role that is there and does nothing is found out by its heartbeat, and started anew.

use std::thread::sleep;
use std::time::Duration;

use faults::{PATIENCE, Scene, signal};
use harness::{procs, wait_for};
use nix::sys::signal::Signal;
use roles::Role;

/// Heartbeats often enough for a test.
const QUICK: &str = "heartbeat_ms = 100\nhung_ms = 600\n";

#[test]
fn a_hung_role_is_started_anew_and_nobody_else() {
    let scene = Scene::start("hung", QUICK).unwrap();
    for (role, slot) in [
        (Role::Connector, 1),
        (Role::Brain, 0),
        (Role::Executor, 1),
        (Role::Memory, 0),
        (Role::Memory, 1),
        (Role::Model, 1),
        (Role::Gate, 0),
    ] {
        // With the spare that takes the last turn's place.
        scene.wait_whole().unwrap();
        let before = scene.pids();
        // A brain's slot changes with each turn.
        let pid = if role == Role::Brain { scene.all(role)[0] } else { scene.find(role, slot).unwrap() };
        signal(pid, Signal::SIGSTOP).unwrap();
        wait_for("the end of the hung process", PATIENCE, || (!procs::is_alive(pid)).then_some(()))
            .unwrap_or_else(|why| panic!("{role:?} {slot}: {why}: {}", scene.logs()));
        scene.wait_whole().unwrap_or_else(|why| panic!("{role:?} {slot}: {why}: {}", scene.logs()));
        for (place, was) in &before {
            let now = scene.find(place.0, place.1);
            assert_eq!(now == Some(*was), *was != pid, "{role:?} {slot} was hung: {place:?} was {was}, is {now:?}");
        }
        let (answer, _) = scene.ask("say: on it goes").unwrap().answer().unwrap();
        assert_eq!(answer["reply"], "on it goes", "{role:?}: {}", scene.logs());
    }
    scene.stop().unwrap();
}

#[test]
fn what_hangs_during_a_turn_costs_time_and_no_answer() {
    for role in [Role::Brain, Role::Model, Role::Memory, Role::Executor, Role::Gate] {
        let scene = Scene::start("hung-turn", QUICK).unwrap();
        let script = "call: run_command {\"command\":\"echo ran >> ran; sleep 0.3\"}\nsay: done";
        let asked = scene.ask(script).unwrap();
        scene.wait_running(">> ran; sleep").unwrap();
        // The first brain is the turn's; a hung spare would be given to the turn as its second.
        let one_of_them = if role == Role::Brain { 1 } else { usize::MAX };
        for pid in scene.all(role).into_iter().take(one_of_them) {
            signal(pid, Signal::SIGSTOP).unwrap();
        }
        let (answer, well) = asked.answer().unwrap();
        assert!(well && answer["reply"] == "done", "{role:?}: {answer:#}\n{}", scene.logs());
        assert_eq!(scene.written("ran"), "ran\n", "{role:?}");
        scene.wait_whole().unwrap();
        scene.stop().unwrap();
    }
}

#[test]
fn a_hung_supervisor_gives_no_sign_of_life_and_no_turn_notices() {
    let mut scene = Scene::start("hung-supervisor", "").unwrap();
    let supervisor = scene.find(Role::Supervisor, 0).unwrap();
    scene.chelad.wait_notice("WATCHDOG=1").unwrap();
    signal(supervisor, Signal::SIGSTOP).unwrap();
    let (answer, _) = scene.ask("say: nobody noticed").unwrap().answer().unwrap();
    assert_eq!(answer["reply"], "nobody noticed");
    scene.chelad.drain_notices();
    // Two intervals of the signs of life: the service manager has run out of patience by then.
    sleep(Duration::from_secs(11));
    assert_eq!(scene.chelad.drain_notices(), Vec::<String>::new());
    signal(supervisor, Signal::SIGCONT).unwrap();
    scene.chelad.wait_notice("WATCHDOG=1").unwrap();
    scene.wait_whole().unwrap();
    scene.stop().unwrap();
}
