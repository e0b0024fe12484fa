//! What a person sees of actions: listed, shown, while a turn runs and after everything was started anew.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use harness::{Chelad, Home, procs, sockets, wait_for};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

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

    /// Stops everything and starts it again on the same root.
    fn restart(self) -> Scene {
        let Scene { chelad, home } = self;
        assert!(chelad.stop().unwrap().success());
        Scene { chelad: Chelad::start(&home).unwrap(), home }
    }

    fn workspace(&self) -> PathBuf {
        self.home.root().join("var/principals/1/workspace")
    }

    fn json(&self, args: &[&str]) -> Value {
        self.home.chela_json(args).unwrap()
    }

    /// Its output and exit status.
    fn chela(&self, args: &[&str]) -> (String, String, i32) {
        let Output { status, stdout, stderr } = self.home.chela(args).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(stdout), text(stderr), status.code().unwrap())
    }

    fn command(&self, command: &str) -> Value {
        let arguments = json!({ "command": command }).to_string();
        self.json(&["tool", "run_command", &arguments])
    }

    #[track_caller]
    fn done(&self, command: &str) -> u64 {
        let report = self.command(command);
        assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
        report["action"].as_u64().unwrap()
    }

    fn show(&self, action: u64) -> Value {
        self.json(&["actions", "show", &action.to_string()])
    }

    fn stop(self) {
        assert_eq!(sockets::listening(self.chelad.pid()), Vec::<String>::new());
        let verified = self.home.chela(&["log", "verify"]).unwrap();
        assert!(verified.status.success());
        assert!(self.chelad.stop().unwrap().success());
    }
}

#[test]
fn an_action_is_listed_and_shown_with_all_that_is_known_of_it() {
    let scene = Scene::start("actions");
    assert_eq!(scene.json(&["actions"]), json!([]));
    let asked = "call: run_command {\"command\":\"echo one > file; echo said; echo bad >&2\"}\nsay: done";
    let turn = scene.json(&["ask", asked]);
    let first = turn["actions"][0].as_u64().unwrap();
    let second = scene.done("echo two >> file");
    let shown = scene.show(first);
    assert_eq!(
        (&shown["turn"], &shown["channel"], &shown["fate"]),
        (&turn["turn"], &json!("local"), &json!("committed"))
    );
    assert_eq!(shown["said"], asked);
    assert_eq!(
        (&shown["tool"], &shown["stdout"], &shown["stderr"]),
        (&json!("run_command"), &json!("said\n"), &json!("bad\n"))
    );
    assert!(shown["arguments"]["command"].as_str().unwrap().starts_with("echo one"), "{shown:#}");
    assert_eq!(
        (&shown["decision"], &shown["risk"], &shown["committed"]),
        (&json!("allowed"), &json!("medium"), &json!(true))
    );
    for told in ["reason", "rule", "principal"] {
        assert!(!shown[told].as_str().unwrap().is_empty(), "{told}: {shown:#}");
    }
    assert_eq!(shown["settled_by"]["rule"], "effects.undoable", "{shown:#}");
    assert!(shown["effects"]["created"][0]["diff"].as_str().unwrap().contains("+one"), "{shown:#}");
    let at = |what: &str| shown[what].as_str().unwrap().to_owned();
    assert!(at("asked_at") <= at("ended_at") && at("ended_at") <= at("settled_at"), "{shown:#}");
    assert_eq!(scene.show(second)["channel"], "tool");
    let (text, _, status) = scene.chela(&["actions", "show", &second.to_string()]);
    assert_eq!(status, 0);
    for part in
        ["echo two", "chela tool", "workspace.sandboxed", "effects.undoable", "+two", "~ file", "asked", "settled"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let list = scene.json(&["actions", "list", "--limit", "1"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["action"]), (1, &json!(second)), "{list:#}");

    let undone = scene.json(&["undo", &second.to_string()])["action"].as_u64().unwrap();
    let scene = scene.restart();
    assert_eq!((&scene.show(second)["fate"], &scene.show(second)["undone_by"]), (&json!("undone"), &json!(undone)));
    assert_eq!(scene.show(undone)["undoes"], second);
    let all = scene.json(&["actions"]);
    let numbers: Vec<u64> = all.as_array().unwrap().iter().map(|one| one["action"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [undone, second, first]);
    let (text, _, _) = scene.chela(&["actions"]);
    assert!(text.contains(&format!("undone (~1 -0 +0) by {undone}")), "{text}");
    let (_, complaint, status) = scene.chela(&["actions", "show", "999"]);
    assert_eq!(status, 1);
    assert!(complaint.contains("no action 999") && complaint.contains("chela actions list"), "{complaint}");
    scene.stop();
}

#[test]
fn more_actions_than_one_answer_holds_are_listed_in_order() {
    let scene = Scene::start("many-actions");
    for _ in 0..60 {
        scene.json(&["tool", "list_files", "{}"]);
    }
    let list = scene.json(&["actions", "--limit", "57"]);
    let numbers: Vec<u64> = list.as_array().unwrap().iter().map(|one| one["action"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), 57);
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
    assert_eq!(list[0]["fate"], "no_change");
    scene.stop();
}

#[test]
fn an_action_that_runs_is_shown_as_such() {
    let scene = Scene::start("running-action");
    let arguments = json!({ "command": "echo x > x; sleep 5; true running" }).to_string();
    let mut command = scene.home.chela_command(&["tool", "run_command", &arguments]).unwrap();
    let mut running = command.stdout(Stdio::null()).spawn().unwrap();
    wait_for("the command", PATIENCE, || procs::runs(scene.chelad.pid(), "true running").then_some(())).unwrap();
    let list = scene.json(&["actions"]);
    assert_eq!((&list[0]["fate"], &list[0]["exit_code"]), (&json!("open"), &Value::Null), "{list:#}");
    let shown = scene.show(list[0]["action"].as_u64().unwrap());
    assert_eq!((&shown["fate"], &shown["settled_at"]), (&json!("open"), &Value::Null), "{shown:#}");
    assert!(running.wait().unwrap().success());
    assert_eq!(scene.json(&["actions"])[0]["fate"], "committed");
    assert_eq!(fs::read_to_string(scene.workspace().join("x")).unwrap(), "x\n");
    scene.stop();
}
