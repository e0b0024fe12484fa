//! Labels of files, through every real process: what a tainted turn wrote taints whoever reads it, in another turn, after
//! a restart and after a crash, whatever name it has by then.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use harness::{procs, wait_for};
use life::labels::{OWN, TAINTED, label};
use life::{PATIENCE, Scene};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::{Value, json};

fn kill_executor(scene: &Scene) {
    let pid = procs::find(scene.chelad.pid(), Role::Executor, 1).expect("an executor is there");
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    wait_for("its end", PATIENCE, || (!procs::is_alive(pid)).then_some(())).unwrap();
}

/// Takes an action back; the number of the action that does.
#[track_caller]
fn undo(scene: &Scene, action: u64) -> u64 {
    let report = scene.json(&["undo", &action.to_string()]);
    assert_eq!(report["committed"], true, "{report:#}");
    report["action"].as_u64().unwrap()
}

#[test]
fn what_a_tainted_turn_wrote_is_tainted_for_whoever_reads_it_until_it_is_undone() {
    let scene = Scene::start("labels");
    scene.changes("write_file", json!({ "path": "notes", "content": "mine\n" }));
    scene.changes("write_file", json!({ "path": "other", "content": "mine too\n" }));
    let action = scene.taint("notes");
    scene.labels(&[("notes", TAINTED), ("other", OWN)]);
    let shown = scene.show(action);
    assert_eq!(shown["wrote"]["integrity"], "untrusted", "{shown:#}");
    let text = scene.home.chela(&["actions", "show", &action.to_string()]).unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("wrote     untrusted private"));

    kill_executor(&scene);
    scene.labels(&[("notes", TAINTED), ("other", OWN)]);
    let scene = scene.restart();
    scene.labels(&[("notes", TAINTED), ("other", OWN)]);

    let undone = undo(&scene, action);
    scene.labels(&[("notes", OWN)]);
    undo(&scene, undone);
    scene.labels(&[("notes", TAINTED)]);
    assert_eq!(fs::read_to_string(scene.workspace().join("notes")).unwrap(), "theirs\n");
    // An edit keeps what it does not replace; a person's own text in its place is theirs.
    scene.changes("edit_file", json!({ "path": "notes", "old": "theirs", "new": "ours" }));
    scene.labels(&[("notes", TAINTED)]);
    scene.changes("write_file", json!({ "path": "notes", "content": "mine again\n" }));
    scene.labels(&[("notes", OWN)]);
    scene.stop();
}

#[test]
fn a_command_carries_what_it_could_read_and_paths_narrow_it() {
    let scene = Scene::start("narrow");
    scene.changes("run_command", json!({ "command": "mkdir clean dirty; echo 1 > clean/file" }));
    scene.taint("dirty/file");
    let run = |arguments: Value| scene.tool("run_command", arguments);
    assert_eq!(label(&run(json!({ "command": "cat clean/file" }))), TAINTED, "it could have read the other");
    assert_eq!(label(&run(json!({ "command": "cat clean/file", "paths": ["clean"] }))), OWN);
    assert_eq!(label(&run(json!({ "command": "cat dirty/file", "paths": ["clean", "dirty"] }))), TAINTED);
    assert_eq!(label(&run(json!({ "command": "true", "paths": ["dirty/file"] }))), TAINTED);
    scene.changes("run_command", json!({ "command": "echo 2 > clean/narrow", "paths": ["clean"] }));
    scene.changes("run_command", json!({ "command": "echo 3 > clean/wide" }));
    scene.labels(&[("clean/file", OWN), ("clean/narrow", OWN), ("clean/wide", TAINTED)]);
    let list =
        |path: &str, recursive: bool| label(&scene.tool("list_files", json!({ "path": path, "recursive": recursive })));
    assert_eq!((list(".", false), list(".", true)), (OWN.to_owned(), TAINTED.to_owned()));
    let found = scene.tool("search_files", json!({ "pattern": "1", "path": "clean/file" }));
    assert_eq!(label(&found), OWN);
    scene.stop();
}

#[test]
fn thousands_of_tainted_files_are_labelled_by_a_sealed_executor_that_ends_in_order() {
    let scene = Scene::start("many");
    // What a tainted turn does beyond what is listed is asked about otherwise.
    fs::remove_file(scene.home.root().join("etc/gate/policy/30-effects.cedar")).unwrap();
    scene.chelad.signal(Signal::SIGHUP).unwrap();
    let fewer = || (scene.json(&["policy", "show"])["files"].as_array()?.len() == 2).then_some(());
    wait_for("the policies", PATIENCE, fewer).unwrap();
    let make =
        "for d in 1 2 3 4 5 6 7 8; do mkdir $d; for f in $(seq 500); do : > $d/a-name-of-some-length-$f; done; done";
    let made = scene.tainted("run_command", json!({ "command": make, "timeout_ms": 120_000 }));
    assert_eq!(made["committed"], true, "{made:#}");
    scene.labels(&[("8/a-name-of-some-length-500", TAINTED)]);
    scene.undo(made["action"].as_u64().unwrap());
    let listed = scene.tool("list_files", json!({ "path": ".", "recursive": true }));
    assert_eq!((label(&listed), &listed["stdout"]), (OWN.to_owned(), &json!("")));
    let store = scene.workspace().with_file_name("store");
    let log = store.join("labels.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    // Its end is in order, too: the table is closed, and no call that it takes is missing from its row.
    assert!(scene.chelad.stop().unwrap().success());
    assert!(!log.exists());
}
