//! A message's life through every real process: the default model, with its engine, in its cage.
//!
//! It is a demonstration of 135 million parameters, so what it says is not asserted, only that it says something; what a
//! model makes of tools is tested with a scripted one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::{Chelad, Home, procs, sockets, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

fn start(name: &str) -> (Home, Chelad) {
    let home = Home::new(name).unwrap();
    home.real_model().unwrap();
    let chelad = Chelad::start(&home).unwrap();
    (home, chelad)
}

/// Why the model ended, should it have: its own log has nothing when the kernel ended it.
fn supervisor(home: &Home) -> String {
    home.log(Role::Supervisor, 0)
}

#[test]
fn a_question_is_answered_journaled_and_remembered() {
    let (home, chelad) = start("life");
    let first = home.chela_json(&["ask", "My name is Ada. Say hello."]).unwrap();
    assert!(!first["reply"].as_str().unwrap().trim().is_empty(), "{first:#}{}", supervisor(&home));
    for field in ["tokens", "model_ms", "turn"] {
        assert!(first[field].as_u64().unwrap() > 0, "{field}: {first:#}");
    }
    assert!(first["overhead_ms"].as_f64().unwrap() > 0.0, "{first:#}");
    assert_eq!(first["actions"], Value::Array(Vec::new()));
    let second = home.chela_json(&["ask", "What is my name?"]).unwrap();
    assert_eq!(second["turn"], 2, "{second:#}{}", supervisor(&home));
    assert_eq!(supervisor(&home).matches("ended: signal").count(), 0, "{}", supervisor(&home));
    let report = home.chela_json(&["audit"]).unwrap();
    assert_eq!(report["deviations"], Value::Array(Vec::new()), "{:#}", report["deviations"]);
    assert_eq!(sockets::listening(chelad.pid()), Vec::<String>::new());
    chelad.stop().unwrap();
    // What was said is on the disk, in the principal's own database, before it was answered.
    let journal = std::fs::read(home.root().join("var/memory/1/memory.db")).unwrap();
    let wal = std::fs::read(home.root().join("var/memory/1/memory.db-wal")).unwrap_or_default();
    let both = String::from_utf8_lossy(&[journal, wal].concat()).into_owned();
    assert!(both.contains("My name is Ada.") && both.contains("What is my name?"));
}

#[test]
fn ctrl_c_stops_the_model() {
    let (home, chelad) = start("life-cancel");
    let mut command = home.chela_command(&["ask", "Tell a very long story about the sea.", "--json"]).unwrap();
    let asked = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the turn", PATIENCE, || {
        (home.chela_json(&["status"]).ok()?["turns_open"].as_u64() == Some(1)).then_some(())
    })
    .unwrap();
    kill(Pid::from_raw(asked.id() as i32), Signal::SIGINT).unwrap();
    let output = asked.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Cancelled"), "{said}");
    // It is free again.
    let next = home.chela_json(&["ask", "Say hello."]).unwrap();
    assert!(!next["reply"].as_str().unwrap().trim().is_empty(), "{next:#}");
    chelad.stop().unwrap();
}

#[test]
fn the_model_killed_while_it_writes_is_asked_again() {
    let (home, chelad) = start("life-killed");
    let mut command = home.chela_command(&["ask", "Tell a story about the sea.", "--json"]).unwrap();
    let asked = command.stdout(Stdio::piped()).spawn().unwrap();
    wait_for("the turn", PATIENCE, || {
        (home.chela_json(&["status"]).ok()?["turns_open"].as_u64() == Some(1)).then_some(())
    })
    .unwrap();
    let pid = procs::find(chelad.pid(), Role::Model, 1).unwrap();
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    let output = asked.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{answer:#}{}", supervisor(&home));
    assert!(!answer["reply"].as_str().unwrap().trim().is_empty(), "{answer:#}");
    assert_ne!(procs::find(chelad.pid(), Role::Model, 1), Some(pid));
    chelad.stop().unwrap();
}

#[test]
fn chat_streams_what_the_model_writes() {
    let (home, chelad) = start("life-chat");
    let mut command = home.chela_command(&["chat"]).unwrap();
    let mut chat = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = chat.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"Say hello.\n").unwrap();
    drop(input);
    let from = Instant::now();
    let output = chat.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.trim().is_empty() && from.elapsed() < PATIENCE, "{said}");
    chelad.stop().unwrap();
}
