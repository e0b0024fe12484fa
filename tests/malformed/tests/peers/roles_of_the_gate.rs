//! Each role as a malformed peer of the gate.

use std::process::Stdio;

use harness::wait_for;
use malformed::Conduct;
use roles::Role;

use crate::scene::{PATIENCE, Scene};

/// What ends a peer without anybody having asked it for anything.
const UNASKED: [Conduct; 6] =
    [Conduct::Garbage, Conduct::NoHello, Conduct::Half, Conduct::TooLong, Conduct::OutOfTurn, Conduct::Flood];

fn each_is_ended(role: Role) {
    for conduct in UNASKED {
        let scene = Scene::start(role, conduct);
        scene.is_ended_by_the_gate();
        scene.the_rest_goes_on();
        scene.stop();
    }
}

#[test]
fn a_malformed_connector_is_ended() {
    each_is_ended(Role::Connector);
}

#[test]
fn a_malformed_brain_is_ended() {
    each_is_ended(Role::Brain);
}

#[test]
fn a_malformed_executor_is_ended() {
    each_is_ended(Role::Executor);
}

#[test]
fn a_malformed_memory_is_ended() {
    each_is_ended(Role::Memory);
}

#[test]
fn a_malformed_model_is_ended() {
    each_is_ended(Role::Model);
}

/// Whoever asks is told that it failed.
#[track_caller]
fn fails_in_words(scene: &Scene, args: &[&str]) {
    let report = scene.home.chela_json(args).unwrap();
    let words = ["error", "note", "reply"].map(|field| report[field].as_str().unwrap_or_default()).concat();
    assert!(
        words.contains("unknown") || words.contains("crashed") || words.contains("set aside"),
        "{args:?}: {report:#}"
    );
}

#[test]
fn one_that_answers_without_end_is_ended_and_whoever_asked_is_told() {
    for role in [Role::Executor, Role::Model, Role::Brain] {
        let scene = Scene::start(role, Conduct::FloodInTurn);
        match role {
            Role::Executor => fails_in_words(&scene, &["tool", "run_command", r#"{"command":"echo flood"}"#]),
            _ => fails_in_words(&scene, &["ask", "say: hi"]),
        }
        scene.is_ended_by_the_gate();
        scene.the_rest_goes_on();
        scene.stop();
    }
}

#[test]
fn a_memory_that_answers_without_end_is_ended() {
    let scene = Scene::start(Role::Memory, Conduct::FloodInTurn);
    scene.is_ended_by_the_gate();
    scene.the_rest_goes_on();
    scene.stop();
}

#[test]
fn one_that_reads_nothing_holds_up_nobody_else() {
    for role in [Role::Connector, Role::Brain, Role::Executor, Role::Model] {
        let scene = Scene::start(role, Conduct::Silent);
        // More than the socket's own buffer takes waits for it.
        let long = "x".repeat(100 << 10);
        let args = match role {
            Role::Executor => ["tool".to_owned(), "write_file".to_owned(), content(&long)].to_vec(),
            _ => ["ask".to_owned(), format!("say: {long}")].to_vec(),
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut asking: Vec<_> = (0..8)
            .map(|_| {
                let mut command = scene.home.chela_command(&args).unwrap();
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        wait_for("the requests to be open", PATIENCE, || {
            let status = scene.home.chela_json(&["status"]).ok()?;
            let open = status["turns_open"].as_u64()?;
            (open >= 8 || role == Role::Connector).then_some(())
        })
        .unwrap_or_else(|why| panic!("{role:?}: {why}: {}", scene.logs()));
        scene.the_rest_goes_on();
        for child in &mut asking {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        scene.stop();
    }
}

fn content(text: &str) -> String {
    serde_json::json!({ "path": "a", "content": text }).to_string()
}

#[test]
fn a_memory_that_reads_nothing_is_ended_when_it_is_late() {
    let scene = Scene::start(Role::Memory, Conduct::Silent);
    scene.is_ended_by_the_gate();
    scene.the_rest_goes_on();
    scene.stop();
}
