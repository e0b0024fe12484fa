//! A role that can't start is tried again ever later, then given up with a reason; the others go on; put right and
//! reloaded, it starts.

use std::fs;

use faults::{PATIENCE, Scene};
use harness::{Chelad, Home, procs, programs_dir, wait_for};
use nix::sys::signal::Signal;
use roles::Role;

fn start(role: Role) -> Scene {
    let home = Home::new("given-up").unwrap();
    home.script_model().unwrap();
    // A copy, not the link that the harness makes: it is overwritten later.
    let program = home.libexec().join(role.row().binary);
    fs::remove_file(&program).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_exits-at-start"), &program).unwrap();
    let chelad = Chelad::spawn(&home).unwrap();
    Scene { home, chelad }
}

#[track_caller]
fn is_given_up(scene: &Scene, role: Role, slot: u32) {
    let reason = wait_for("the reason in the supervisor's log", PATIENCE, || {
        let log = scene.home.log(Role::Supervisor, 0);
        let name = format!("{}-{slot}: given up after", role.name());
        log.lines().find(|line| line.contains(&name)).map(str::to_owned)
    });
    let reason = reason.unwrap_or_else(|why| panic!("{role:?} {slot}: {why}: {}", scene.logs()));
    for word in ["exit status 3", &format!("var/log/{}-{slot}.log", role.name()), "reload"] {
        assert!(reason.contains(word), "{word:?} is not in: {reason}");
    }
    assert!(scene.home.log(role, slot).contains("this program always ends at its start"));
}

#[track_caller]
fn status_says_so(scene: &Scene, role: Role, slot: u32) {
    let output = scene.home.chela(&["status", "--json"]).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = status["instances"].as_array().unwrap();
    let one = all.iter().find(|one| one["role"] == role.name() && one["slot"] == slot).unwrap();
    assert_eq!(one["phase"], "given_up", "{one}");
    assert_eq!(one["last_exit"], "exit status 3", "{one}");
}

/// The right program in the same file: chelad has opened each program once, at its start.
fn put_right(scene: &Scene, role: Role) {
    let program = match role {
        Role::Model => "scripted-model",
        _ => role.row().binary,
    };
    let (from, to) = (programs_dir().unwrap().join(program), scene.home.libexec().join(role.row().binary));
    // It can't be written while it runs.
    wait_for("the program to be written", PATIENCE, || fs::copy(&from, &to).ok()).unwrap();
}

/// Put right, then reloaded: everything is ready.
#[track_caller]
fn comes_back(scene: &mut Scene, role: Role) {
    put_right(scene, role);
    scene.chelad.signal(Signal::SIGHUP).unwrap();
    scene.wait_whole().unwrap_or_else(|why| panic!("{role:?}: {why}: {}", scene.logs()));
    let (answer, _) = scene.ask("call: list_files {\"path\":\".\"}\nsay: back").unwrap().answer().unwrap();
    assert_eq!(answer["reply"], "back", "{role:?}: {answer:#}");
}

fn asks(scene: &Scene) {
    let (answer, _) = scene.ask("say: the others go on").unwrap().answer().unwrap();
    assert_eq!(answer["reply"], "the others go on", "{answer:#}");
}

fn runs_a_command(scene: &Scene) {
    let report = scene.home.chela_json(&["tool", "run_command", r#"{"command":"echo on"}"#]).unwrap();
    assert_eq!(report["stdout"], "on\n", "{report:#}");
}

#[track_caller]
fn fails_in_words(scene: &Scene, args: &[&str], word: &str) {
    let output = scene.home.chela(args).unwrap();
    // A turn's failure is its reply.
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(word), "{word:?} is not in: {said}");
}

#[test]
fn a_connector_that_cannot_start() {
    let mut scene = start(Role::Connector);
    is_given_up(&scene, Role::Connector, 1);
    status_says_so(&scene, Role::Connector, 1);
    asks(&scene);
    runs_a_command(&scene);
    comes_back(&mut scene, Role::Connector);
    scene.stop().unwrap();
}

#[test]
fn an_executor_that_cannot_start() {
    let mut scene = start(Role::Executor);
    is_given_up(&scene, Role::Executor, 1);
    status_says_so(&scene, Role::Executor, 1);
    asks(&scene);
    fails_in_words(&scene, &["tool", "run_command", r#"{"command":"echo on"}"#], "executor");
    comes_back(&mut scene, Role::Executor);
    scene.stop().unwrap();
}

#[test]
fn a_model_that_cannot_start() {
    let mut scene = start(Role::Model);
    is_given_up(&scene, Role::Model, 1);
    status_says_so(&scene, Role::Model, 1);
    runs_a_command(&scene);
    fails_in_words(&scene, &["ask", "hi"], "model");
    comes_back(&mut scene, Role::Model);
    scene.stop().unwrap();
}

#[test]
fn a_brain_that_cannot_start() {
    let mut scene = start(Role::Brain);
    is_given_up(&scene, Role::Brain, 0);
    status_says_so(&scene, Role::Brain, 0);
    runs_a_command(&scene);
    comes_back(&mut scene, Role::Brain);
    scene.stop().unwrap();
}

#[test]
fn a_memory_that_cannot_start() {
    let mut scene = start(Role::Memory);
    is_given_up(&scene, Role::Memory, 0);
    is_given_up(&scene, Role::Memory, 1);
    status_says_so(&scene, Role::Memory, 1);
    fails_in_words(&scene, &["ask", "hi"], "memory");
    comes_back(&mut scene, Role::Memory);
    scene.stop().unwrap();
}

#[test]
fn a_gate_that_cannot_start() {
    let mut scene = start(Role::Gate);
    is_given_up(&scene, Role::Gate, 0);
    // Nobody can be asked, but the others are there and wait for it.
    for role in [Role::Supervisor, Role::Connector, Role::Executor, Role::Memory, Role::Model] {
        assert!(procs::roles_of(scene.chelad.pid()).iter().any(|p| p.role == role), "{role:?}: {}", scene.logs());
    }
    comes_back(&mut scene, Role::Gate);
    scene.stop().unwrap();
}

#[test]
fn a_supervisor_that_cannot_start() {
    let scene = start(Role::Supervisor);
    wait_for("chelad to say so, and to try again", PATIENCE, || {
        let said = scene.chelad.stderr();
        (said.matches("supervisor").count() >= 3).then_some(())
    })
    .unwrap();
    put_right(&scene, Role::Supervisor);
    scene.wait_whole().unwrap_or_else(|why| panic!("{why}: {}", scene.logs()));
    asks(&scene);
    scene.stop().unwrap();
}
