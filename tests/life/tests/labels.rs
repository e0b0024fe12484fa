//! Labels of files, through every real process: what a tainted turn wrote taints whoever reads it, in another turn, after
//! a restart and after a crash, whatever name it has by then.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use harness::{Chelad, Home, procs, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const OWN: &str = "owner private";
const TAINTED: &str = "untrusted private";

struct Scene {
    chelad: Chelad,
    home: Home,
}

impl Scene {
    fn start(name: &str) -> Scene {
        let home = Home::new(name).unwrap();
        home.script_model().unwrap();
        let chelad = Chelad::start(&home).unwrap();
        Scene { chelad, home }
    }

    fn workspace(&self) -> PathBuf {
        self.home.root().join("var/principals/1/workspace")
    }

    fn tool(&self, tool: &str, arguments: &Value) -> Value {
        self.home.chela_json(&["tool", tool, &arguments.to_string()]).unwrap()
    }

    /// The same, as from a tainted turn.
    #[track_caller]
    fn tainted(&self, tool: &str, arguments: &Value) -> u64 {
        let report = self.home.chela_json(&["tool", "--label", "untrusted", tool, &arguments.to_string()]).unwrap();
        committed(&report)
    }

    #[track_caller]
    fn own(&self, tool: &str, arguments: &Value) -> u64 {
        committed(&self.tool(tool, arguments))
    }

    #[track_caller]
    fn undo(&self, action: u64) -> u64 {
        committed(&self.home.chela_json(&["undo", &action.to_string()]).unwrap())
    }

    #[track_caller]
    fn read(&self, path: &str) -> String {
        let report = self.tool("read_file", &json!({ "path": path }));
        assert_eq!(report["exit_code"], 0, "{path}: {report:#}");
        labels(&report)
    }

    #[track_caller]
    fn labels(&self, all: &[(&str, &str)]) {
        for (path, label) in all {
            assert_eq!(self.read(path), *label, "{path}");
        }
    }

    fn kill_executor(&self) {
        let pid = procs::find(self.chelad.pid(), Role::Executor, 1).expect("an executor is there");
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
        wait_for("its end", PATIENCE, || (!procs::is_alive(pid)).then_some(())).unwrap();
    }

    fn restart(self) -> Scene {
        let Scene { chelad, home } = self;
        assert!(chelad.stop().unwrap().success());
        let chelad = Chelad::start(&home).unwrap();
        Scene { chelad, home }
    }

    fn stop(self) {
        assert!(self.chelad.stop().unwrap().success());
    }
}

#[track_caller]
fn committed(report: &Value) -> u64 {
    assert_eq!(report["committed"], true, "{report:#}");
    report["action"].as_u64().unwrap()
}

fn labels(report: &Value) -> String {
    let label = &report["labels"];
    format!("{} {}", label["integrity"].as_str().unwrap(), label["confidentiality"].as_str().unwrap())
}

#[test]
fn what_a_tainted_turn_wrote_is_tainted_for_whoever_reads_it_until_it_is_undone() {
    let scene = Scene::start("labels");
    scene.own("write_file", &json!({ "path": "notes", "content": "mine\n" }));
    scene.own("write_file", &json!({ "path": "other", "content": "mine too\n" }));
    let action = scene.tainted("write_file", &json!({ "path": "notes", "content": "theirs\n" }));
    scene.labels(&[("notes", TAINTED), ("other", OWN)]);
    let shown = scene.home.chela_json(&["actions", "show", &action.to_string()]).unwrap();
    assert_eq!(shown["wrote"]["integrity"], "untrusted", "{shown:#}");
    let text = scene.home.chela(&["actions", "show", &action.to_string()]).unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("wrote     untrusted private"));

    scene.kill_executor();
    scene.labels(&[("notes", TAINTED), ("other", OWN)]);
    let scene = scene.restart();
    scene.labels(&[("notes", TAINTED), ("other", OWN)]);

    let undone = scene.undo(action);
    scene.labels(&[("notes", OWN)]);
    scene.undo(undone);
    scene.labels(&[("notes", TAINTED)]);
    assert_eq!(fs::read_to_string(scene.workspace().join("notes")).unwrap(), "theirs\n");
    // An edit keeps what it does not replace; a person's own text in its place is theirs.
    scene.own("edit_file", &json!({ "path": "notes", "old": "theirs", "new": "ours" }));
    scene.labels(&[("notes", TAINTED)]);
    scene.own("write_file", &json!({ "path": "notes", "content": "mine again\n" }));
    scene.labels(&[("notes", OWN)]);
    scene.stop();
}

#[test]
fn a_command_carries_what_it_could_read_and_paths_narrow_it() {
    let scene = Scene::start("narrow");
    scene.own("run_command", &json!({ "command": "mkdir clean dirty; echo 1 > clean/file" }));
    scene.tainted("write_file", &json!({ "path": "dirty/file", "content": "theirs\n" }));
    let run = |arguments: Value| scene.tool("run_command", &arguments);
    assert_eq!(labels(&run(json!({ "command": "cat clean/file" }))), TAINTED, "it could have read the other");
    assert_eq!(labels(&run(json!({ "command": "cat clean/file", "paths": ["clean"] }))), OWN);
    assert_eq!(labels(&run(json!({ "command": "cat dirty/file", "paths": ["clean", "dirty"] }))), TAINTED);
    assert_eq!(labels(&run(json!({ "command": "true", "paths": ["dirty/file"] }))), TAINTED);
    scene.own("run_command", &json!({ "command": "echo 2 > clean/narrow", "paths": ["clean"] }));
    scene.own("run_command", &json!({ "command": "echo 3 > clean/wide" }));
    scene.labels(&[("clean/file", OWN), ("clean/narrow", OWN), ("clean/wide", TAINTED)]);
    let list = |path: &str, recursive: bool| {
        labels(&scene.tool("list_files", &json!({ "path": path, "recursive": recursive })))
    };
    assert_eq!((list(".", false), list(".", true)), (OWN.to_owned(), TAINTED.to_owned()));
    let found = scene.tool("search_files", &json!({ "pattern": "1", "path": "clean/file" }));
    assert_eq!(labels(&found), OWN);
    scene.stop();
}

#[test]
fn thousands_of_tainted_files_are_labelled_by_a_sealed_executor_that_ends_in_order() {
    let scene = Scene::start("many");
    let make = "for d in 1 2 3 4 5 6 7 8; do mkdir $d; for f in $(seq 500); do : > $d/a-name-of-some-length-$f; done; done";
    let action = scene.tainted("run_command", &json!({ "command": make, "timeout_ms": 120_000 }));
    scene.labels(&[("8/a-name-of-some-length-500", TAINTED)]);
    scene.undo(action);
    let listed = scene.tool("list_files", &json!({ "path": ".", "recursive": true }));
    assert_eq!((labels(&listed), &listed["stdout"]), (OWN.to_owned(), &json!("")));
    let store = scene.workspace().with_file_name("store");
    let log = store.join("labels.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    // Its end is in order, too: the table is closed, and no call that it takes is missing from its row.
    assert!(scene.chelad.stop().unwrap().success());
    assert!(!log.exists());
}
