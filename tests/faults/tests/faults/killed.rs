//! SIGKILL of each role while nothing happens, during a completion, during a tool call.

use faults::{PATIENCE, Scene, signal};
use harness::wait_for;
use nix::sys::signal::Signal;
use roles::Role;

/// When a role is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Nothing happens.
    Idle,
    /// The model is at work.
    Completing,
    /// A command runs.
    Running,
}

const THINKING: &str = "sleep_ms: 700\nsay: done";
const WORKING: &str = "call: run_command {\"command\":\"echo ran >> ran; sleep 0.7; echo end\"}\nsay: done";

/// Every process of `role`: of brains and memories there are several, and the turn's is among them. Spare brains first:
/// a turn that has lost its brain takes one at once.
fn kill_all(scene: &Scene, role: Role) -> Vec<u32> {
    let pids: Vec<u32> = scene.all(role).into_iter().rev().collect();
    assert!(!pids.is_empty(), "no {role:?} runs");
    for pid in &pids {
        signal(*pid, Signal::SIGKILL).unwrap();
    }
    pids
}

fn killed(role: Role, stage: Stage) {
    let scene = Scene::start("killed", "").unwrap();
    let before = scene.pids();
    let asked = match stage {
        Stage::Idle => None,
        Stage::Completing => {
            let asked = scene.ask(THINKING).unwrap();
            scene.wait_turn().unwrap();
            Some(asked)
        }
        Stage::Running => {
            let asked = scene.ask(WORKING).unwrap();
            scene.wait_running(">> ran; sleep").unwrap();
            Some(asked)
        }
    };
    let dead = kill_all(&scene, role);
    if let Some(asked) = asked {
        let (answer, well) = asked.answer().unwrap();
        assert!(well && answer["reply"] == "done", "{role:?} {stage:?}: {answer:#}\n{}", scene.logs());
        answered_once(&scene, answer["turn"].as_u64().unwrap());
    }
    if stage == Stage::Running {
        // What a killed executor was rehearsing was never real; its successor rehearses it again, and it is real once.
        assert_eq!(scene.written("ran"), "ran\n", "{role:?}");
    }
    scene.wait_whole().unwrap();
    only_these_are_new(&scene, role, &before, &dead);
    works(&scene);
    scene.stop().unwrap();
}

/// One end in the records, and only one.
#[track_caller]
fn answered_once(scene: &Scene, turn: u64) {
    let ends = || scene.audited("turn.ended").into_iter().filter(|body| body["turn"] == turn).collect::<Vec<_>>();
    wait_for("the record of the turn's end", PATIENCE, || (!ends().is_empty()).then_some(())).unwrap();
    let ends = ends();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0]["end"], "answered");
}

/// Who was not killed runs on.
#[track_caller]
fn only_these_are_new(scene: &Scene, role: Role, before: &std::collections::BTreeMap<(Role, u32), u32>, dead: &[u32]) {
    let now = scene.pids();
    for (place, pid) in before {
        let is_new = now.get(place) != Some(pid);
        assert_eq!(is_new, dead.contains(pid), "{role:?} was killed: {place:?} was {pid}, is {:?}", now.get(place));
    }
}

/// All edges are there again.
#[track_caller]
fn works(scene: &Scene) {
    let script = "call: write_file {\"path\":\"after\",\"content\":\"all is well\"}\n\
                  call: run_command {\"command\":\"cat after\"}\nsay: works";
    let (answer, well) = scene.ask(script).unwrap().answer().unwrap();
    assert!(well && answer["reply"] == "works", "{answer:#}\n{}", scene.logs());
    assert_eq!(scene.written("after"), "all is well");
}

fn at_every_stage(role: Role) {
    for stage in [Stage::Idle, Stage::Completing, Stage::Running] {
        killed(role, stage);
    }
}

#[test]
fn supervisor_killed_and_no_turn_notices() {
    at_every_stage(Role::Supervisor);
}

#[test]
fn connector_killed() {
    at_every_stage(Role::Connector);
}

#[test]
fn brain_killed_and_its_turn_goes_on_in_another() {
    at_every_stage(Role::Brain);
}

#[test]
fn gate_killed_and_everybody_is_rewired() {
    at_every_stage(Role::Gate);
}

#[test]
fn executor_killed_and_nothing_is_done_twice() {
    at_every_stage(Role::Executor);
}

#[test]
fn memory_killed_and_nothing_is_forgotten() {
    at_every_stage(Role::Memory);
}

#[test]
fn model_killed_and_the_completion_is_made_again() {
    at_every_stage(Role::Model);
}

#[test]
fn every_brain_dies_with_the_gate_and_the_turn_keeps_its_label() {
    let label = |kill: bool| {
        let scene = Scene::start("label", "").unwrap();
        let script = "call: run_command {\"command\":\"echo ran >> ran; sleep 0.5; echo end\"}\nsay: done";
        let asked = scene.ask(script).unwrap();
        scene.wait_running(">> ran; sleep").unwrap();
        let brains = scene.all(Role::Brain);
        if kill {
            kill_all(&scene, Role::Gate);
            wait_for("the end of every brain", PATIENCE, || {
                brains.iter().all(|pid| !harness::procs::is_alive(*pid)).then_some(())
            })
            .unwrap();
        }
        let (answer, _) = asked.answer().unwrap();
        assert_eq!(answer["reply"], "done", "{answer:#}");
        let began = scene.audited("turn.began");
        assert_eq!(began.iter().any(|body| body["resumed"] == true), kill, "{began:?}");
        wait_for("the record of the end", PATIENCE, || scene.audited("turn.ended").first().cloned()).unwrap();
        let ended = scene.audited("turn.ended").remove(0);
        scene.stop().unwrap();
        ended["label"].clone()
    };
    let (resumed, whole) = (label(true), label(false));
    assert_eq!(resumed, whole);
    assert_eq!(whole["integrity"], "owner", "{whole}");
}
