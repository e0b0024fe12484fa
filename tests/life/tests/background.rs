//! Commands in the background through every real process: they run while other actions commit, and what they changed
//! becomes real when they end, or never.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::process::Stdio;

use harness::{procs, wait_for};
use life::{PATIENCE, Scene};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::{Value, json};

/// What these tests do with a scene.
trait More {
    fn begin(&self, arguments: Value) -> u64;
    fn poll(&self, id: u64) -> Value;
    fn end(&self, id: u64) -> (String, Value);
    fn copies(&self) -> usize;
    fn state(&self, id: u64) -> Value;
}

impl More for Scene {
    fn begin(&self, arguments: Value) -> u64 {
        let report = self.tool("start", arguments);
        assert_eq!(report["note"], "runs in the background", "{report:#}");
        report["action"].as_u64().unwrap()
    }

    fn poll(&self, id: u64) -> Value {
        self.tool("poll", json!({ "id": id, "wait_ms": 20_000 }))
    }

    /// Polls until it is over: all that it wrote, and the last report.
    fn end(&self, id: u64) -> (String, Value) {
        let mut text = String::new();
        wait_for("the end of a command in the background", PATIENCE, || {
            let report = self.poll(id);
            text.push_str(report["stdout"].as_str().unwrap());
            (report["note"] != "runs in the background").then_some(report)
        })
        .map(|report| (text, report))
        .unwrap()
    }

    fn copies(&self) -> usize {
        fs::read_dir(self.home.root().join("var/principals/1/store/frozen")).unwrap().count()
    }

    fn state(&self, id: u64) -> Value {
        self.show(id)["background"]["state"].clone()
    }
}

#[test]
fn a_build_runs_while_another_action_commits_and_is_committed_shown_and_undone() {
    let scene = Scene::start("background");
    scene.done("printf '#include <stdio.h>\\nint main(){puts(\"built\");}\\n' > m.c; echo old > notes");
    let build = "read go; cc -o m m.c && ./m && cat notes";
    let id = scene.begin(json!({ "command": build }));
    scene.done("echo new > notes");
    scene.tool("input", json!({ "id": id, "text": "go\n" }));
    let (text, report) = scene.end(id);
    assert_eq!(text, "built\nold\n", "{report:#}");
    assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
    assert_eq!(report["effects"]["created"][0]["path"], "m", "{report:#}");
    assert_eq!(scene.text("notes").unwrap(), "new\n");
    wait_for("the copy to go", PATIENCE, || (scene.copies() == 0).then_some(())).unwrap();
    let undone = scene.home.chela_json(&["undo", &id.to_string()]).unwrap();
    assert_eq!(undone["committed"], true, "{undone:#}");
    assert!(!scene.path("m").exists() && scene.path("m.c").exists());
    let log = scene.home.chela(&["log", "tail"]).unwrap();
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    let is_it = |line: &str| line.contains(&format!("\"action\":{id},")) && line.contains("\"committed\":true");
    assert!(log.lines().any(is_it), "{log}");
    scene.stop();
}

#[test]
fn what_overlaps_is_a_conflict_and_nothing_is_overwritten() {
    let scene = Scene::start("background-conflict");
    scene.done("echo one > both");
    let id = scene.begin(json!({ "command": "read go; echo mine > both; echo mine > alone" }));
    scene.done("echo theirs > both");
    scene.tool("input", json!({ "id": id, "text": "go\n", "end": true }));
    let (_, report) = scene.end(id);
    assert_eq!(report["committed"], false, "{report:#}");
    assert!(report["note"].as_str().unwrap().contains("both was changed"), "{report:#}");
    assert_eq!((scene.text("both").unwrap().as_str(), scene.text("alone")), ("theirs\n", None));
    scene.stop();
}

#[test]
fn a_server_serves_its_own_sandbox_and_a_stop_ends_all_of_it() {
    let scene = Scene::start("background-server");
    let server = "$s=IO::Socket::INET->new(LocalAddr=>q(127.0.0.1:8080),Listen=>5); while($c=$s->accept){print $c qq(page\\n);close $c}";
    let client = "$c=IO::Socket::INET->new(PeerAddr=>q(127.0.0.1:8080)) or exit 1; print <$c>";
    let perl = "perl -MIO::Socket::INET -e";
    let command = format!(
        "echo half > half; {perl} '{server}' & (setsid sleep 12321 &); until {perl} '{client}'; do sleep 0.1; done; sleep 12321"
    );
    let id = scene.begin(json!({ "command": command }));
    let mut text = String::new();
    wait_for("the page", PATIENCE, || {
        text.push_str(scene.poll(id)["stdout"].as_str().unwrap());
        text.contains("page").then_some(())
    })
    .unwrap();
    let report = scene.tool("stop", json!({ "id": id }));
    assert_eq!(report["committed"], false, "{report:#}");
    assert!(report["note"].as_str().unwrap().contains("it was stopped"), "{report:#}");
    assert!(!procs::runs(scene.chelad.pid(), "sleep 12321"));
    assert_eq!(scene.text("half"), None);
    scene.stop();
}

#[test]
fn a_pseudo_terminal_has_its_size_and_takes_input() {
    let scene = Scene::start("background-terminal");
    let command = "tty; stty size; read line; echo got $line; cat > typed";
    let id = scene.begin(json!({ "command": command, "pty": true, "rows": 31, "columns": 97 }));
    scene.tool("input", json!({ "id": id, "text": "hello\n" }));
    let mut text = String::new();
    wait_for("its answer", PATIENCE, || {
        text.push_str(scene.poll(id)["stdout"].as_str().unwrap());
        text.contains("got hello").then_some(())
    })
    .unwrap();
    assert!(text.contains("/dev/pts/0\r\n") && text.contains("31 97\r\n"), "{text:?}");
    scene.tool("input", json!({ "id": id, "text": "typed\n", "end": true }));
    let (_, report) = scene.end(id);
    assert_eq!(report["exit_code"], 0, "{report:#}");
    assert_eq!(scene.text("typed").unwrap(), "typed\n");
    scene.stop();
}

#[test]
fn a_killed_executor_takes_it_along_and_a_killed_gate_does_not() {
    let scene = Scene::start("background-killed");
    scene.done("echo there > there");
    let id = scene.begin(json!({ "command": "echo half > half; read go; echo kept > kept" }));
    let gate = procs::find(scene.chelad.pid(), Role::Gate, 0).unwrap();
    kill(Pid::from_raw(gate as i32), Signal::SIGKILL).unwrap();
    scene.tool("input", json!({ "id": id, "text": "go\n", "end": true }));
    let (_, report) = scene.end(id);
    assert_eq!(report["committed"], true, "{report:#}");
    assert_eq!(scene.text("kept").unwrap(), "kept\n");
    let id = scene.begin(json!({ "command": "echo lost > lost; sleep 23432" }));
    wait_for("the command", PATIENCE, || procs::runs(scene.chelad.pid(), "sleep 23432").then_some(())).unwrap();
    let executor = procs::find(scene.chelad.pid(), Role::Executor, 1).unwrap();
    kill(Pid::from_raw(executor as i32), Signal::SIGKILL).unwrap();
    let report = scene.poll(id);
    let said = report["stderr"].as_str().unwrap();
    assert!(said.contains("nothing of it was kept"), "{report:#}");
    assert!(!procs::runs(scene.chelad.pid(), "sleep 23432"));
    assert_eq!((scene.text("lost"), scene.copies()), (None, 0));
    let id = scene.begin(json!({ "command": "echo again > again" }));
    assert_eq!(scene.end(id).1["committed"], true);
    scene.stop();
}

#[test]
fn output_of_a_foreground_command_streams_and_an_interrupt_kills_all_of_it() {
    let scene = Scene::start("foreground");
    let report = scene.tool("run_command", json!({ "command": "wc -c; echo out; echo err >&2" }));
    assert_eq!((&report["stdout"], &report["stderr"]), (&json!("0\nout\n"), &json!("err\n")), "{report:#}");
    let arguments = json!({ "command": "echo half > half; echo first; (setsid sleep 34543 &); sleep 34543; true" });
    let mut command = scene.home.chela_command(&["tool", "run_command", &arguments.to_string()]).unwrap();
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(running.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "first\n", "before the command has ended");
    kill(Pid::from_raw(running.id() as i32), Signal::SIGINT).unwrap();
    assert!(!running.wait().unwrap().success());
    let gone = || (!procs::runs(scene.chelad.pid(), "sleep 34543")).then_some(());
    wait_for("every process of it to be gone", PATIENCE, gone).unwrap();
    assert_eq!(scene.text("half"), None);
    scene.stop();
}

/// What a command in the background changed is its own action's, and is taken back by the number that is said.
#[test]
fn a_poll_says_by_which_number_it_is_taken_back() {
    let scene = Scene::start("background-number");
    for index in 0..2 {
        let id = scene.begin(json!({ "command": format!("echo hi >made-{index}") }));
        let name = format!("made-{index}");
        wait_for("the file", PATIENCE, || scene.text(&name)).unwrap();
        let said = if index == 0 {
            let polled = scene.home.chela(&["tool", "poll", &json!({ "id": id }).to_string()]).unwrap();
            String::from_utf8(polled.stdout).unwrap()
        } else {
            scene.poll(id)["note"].as_str().unwrap().to_owned()
        };
        assert!(said.contains(&format!("committed as action {id} (chela undo {id})")), "{said}");
        let listed = String::from_utf8(scene.home.chela(&["actions", "list"]).unwrap().stdout).unwrap();
        assert!(listed.contains(&format!("tells of {id}: committed")), "{listed}");
        let undone = scene.home.chela_json(&["undo", &id.to_string()]).unwrap();
        assert_eq!(undone["committed"], true, "{undone:#}");
        assert_eq!(scene.text(&name), None);
    }
    scene.stop();
}

/// Its action tells the whole story later: that it runs, and what became of it, after everything was started anew as well.
#[test]
fn its_action_shows_how_it_ended() {
    let scene = Scene::start("background-shown");
    let id = scene.begin(json!({ "command": "read go; echo made > made; getent hosts far.example; exit 4" }));
    assert_eq!(scene.state(id), "running");
    let listed = scene.chela(&["actions", "list"]).0;
    assert!(listed.contains("in the background"), "{listed}");
    scene.tool("input", json!({ "id": id, "text": "go\n", "end": true }));
    scene.end(id);
    let half = scene.begin(json!({ "command": "echo half > half; sleep 60" }));
    scene.tool("stop", json!({ "id": half }));
    let lost = scene.begin(json!({ "command": "echo lost > lost; sleep 61" }));
    let scene = scene.restart();
    let shown = scene.show(id);
    assert_eq!(
        (&shown["fate"], &shown["exit_code"], &shown["committed"]),
        (&json!("committed"), &json!(4), &json!(true))
    );
    assert_eq!(shown["background"]["state"], "decided", "{shown:#}");
    assert_eq!(shown["background"]["undo"], format!("chela undo {id}"), "{shown:#}");
    assert_eq!(shown["effects"]["created"][0]["path"], "made", "{shown:#}");
    assert_eq!(shown["effects"]["hosts"], json!(["far.example"]), "{shown:#}");
    let text = scene.chela(&["actions", "show", &id.to_string()]).0;
    assert!(text.contains(&format!("(chela undo {id})")), "{text}");
    // Nobody was there any more to hear of the second.
    for (id, state, note, words) in
        [(half, "discarded", "it was stopped", "nothing of it was kept"), (lost, "unknown", "", "a poll of id")]
    {
        let shown = scene.show(id);
        assert_eq!(shown["background"]["state"], state, "{shown:#}");
        assert!(shown["note"].as_str().unwrap_or_default().contains(note), "{shown:#}");
        assert!(shown["background"]["words"].as_str().unwrap().contains(words), "{shown:#}");
        assert!(shown["background"]["undo"].is_null(), "{shown:#}");
    }
    assert!(scene.poll(lost)["stderr"].as_str().unwrap().contains("nothing of it was kept"));
    let listed = scene.chela(&["actions", "list"]).0;
    assert!(listed.contains("committed (~0 -0 +1)") && listed.contains("discarded"), "{listed}");
    scene.undo(id);
    assert_eq!(scene.show(id)["fate"], "undone");
    // One that could not begin is none.
    let refused = scene.tool("start", json!({ "command": "true", "image": "none" }));
    assert!(refused["stderr"].as_str().unwrap().contains("no image"), "{refused:#}");
    assert!(scene.show(refused["action"].as_u64().unwrap())["background"].is_null());
    scene.stop();
}
