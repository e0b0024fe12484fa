//! A command as a transaction, through every real process: what it did is shown, becomes real wholly, and is taken back.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::{Chelad, Home, procs, sockets, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    chelad: Chelad,
    home: Home,
}

/// A node: mode, time, names, content or target.
type Node = (u32, i64, i64, u64, Vec<u8>);

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

    fn command(&self, command: &str) -> Value {
        let arguments = json!({ "command": command }).to_string();
        self.home.chela_json(&["tool", "run_command", &arguments]).unwrap()
    }

    #[track_caller]
    fn done(&self, command: &str) -> u64 {
        let report = self.command(command);
        assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
        report["action"].as_u64().unwrap()
    }

    fn undo(&self, action: u64) -> Value {
        self.home.chela_json(&["undo", &action.to_string()]).unwrap()
    }

    /// All of the workspace.
    fn tree(&self) -> BTreeMap<PathBuf, Node> {
        fn look(at: &Path, top: &Path, all: &mut BTreeMap<PathBuf, Node>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                let info = path.symlink_metadata().unwrap();
                let (content, is_dir) = match () {
                    () if info.is_symlink() => {
                        (fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(), false)
                    }
                    () if info.is_dir() => (Vec::new(), true),
                    () => (fs::read(&path).unwrap(), false),
                };
                let name = path.strip_prefix(top).unwrap().to_path_buf();
                let links = if is_dir { 0 } else { info.nlink() };
                all.insert(name, (info.mode(), info.mtime(), info.mtime_nsec(), links, content));
                if is_dir {
                    look(&path, top, all);
                }
            }
        }
        let mut all = BTreeMap::new();
        look(&self.workspace(), &self.workspace(), &mut all);
        all
    }

    fn stop(self) {
        assert_eq!(sockets::listening(self.chelad.pid()), Vec::<String>::new());
        let verified = self.home.chela(&["log", "verify"]).unwrap();
        assert!(verified.status.success());
        assert!(self.chelad.stop().unwrap().success());
    }
}

const MAKE: &str = "mkdir -p d/deep; for i in 1 2 3; do echo foo $i > $i.txt; done; echo x > old.log; echo y > d/deep/file; \
                    chmod 640 2.txt; ln 1.txt hard; ln -s d/deep/file soft; touch -d '2020-01-02 03:04:05.678' 3.txt; mkdir empty";

#[test]
fn a_command_shows_what_it_did_and_undo_brings_it_back_byte_for_byte() {
    let scene = Scene::start("transactions");
    scene.done(MAKE);
    let before = scene.tree();
    assert_eq!(before.len(), 10, "{before:#?}");
    let report = scene.command("sed -i s/foo/bar/ 2.txt 3.txt && echo more >> hard && rm old.log && rm -r d && rmdir empty && ln -sf 2.txt soft && chmod 600 3.txt && mkdir new && echo new > new/file");
    let paths = |change: &str| {
        let all = report["effects"][change].as_array().unwrap().iter();
        all.map(|one| one["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths("created"), ["new", "new/file"], "{report:#}");
    assert_eq!(paths("deleted"), ["d", "d/deep", "d/deep/file", "empty", "old.log"], "{report:#}");
    let changed = paths("changed");
    for path in ["2.txt", "3.txt", "soft"] {
        assert!(changed.iter().any(|one| one == path), "{path}: {changed:?}");
    }
    let diffs = report["effects"]["changed"].to_string();
    assert!(diffs.contains("-foo 2") && diffs.contains("+bar 2"), "{diffs}");
    assert_eq!(report["committed"], true);
    assert_eq!(fs::read_to_string(scene.workspace().join("1.txt")).unwrap(), "foo 1\nmore\n", "both names show it");
    let after = scene.tree();
    let action = report["action"].as_u64().unwrap();
    let undone = scene.undo(action);
    assert_eq!(undone["committed"], true, "{undone:#}");
    assert_eq!(scene.tree(), before);
    let again = scene.undo(undone["action"].as_u64().unwrap());
    assert_eq!(again["committed"], true, "{again:#}");
    assert_eq!(scene.tree(), after, "an undo is undone");
    scene.stop();
}

#[test]
fn what_changed_since_is_a_conflict_and_stays() {
    let scene = Scene::start("conflict");
    let first = scene.done("echo one > file");
    // By hand, outside Chela.
    let status = Command::new("sh").arg("-c").arg("echo by hand >> file").current_dir(scene.workspace()).status();
    assert!(status.unwrap().success());
    let report = scene.undo(first);
    assert_eq!(report["committed"], false, "{report:#}");
    assert!(report["stderr"].as_str().unwrap().contains("file"), "{report:#}");
    assert_eq!(fs::read_to_string(scene.workspace().join("file")).unwrap(), "one\nby hand\n");
    let unknown = scene.undo(999);
    assert_eq!(unknown["committed"], false, "{unknown:#}");
    scene.stop();
}

#[test]
fn what_changes_nothing_is_no_effect_and_what_cannot_be_kept_is_refused_by_name() {
    let scene = Scene::start("no-effect");
    scene.done("echo same > same; mkdir dir");
    let report = scene.command("cp same copy && mv copy same; touch dir; ls");
    assert_eq!(report["effects"]["changed"], json!([]), "{report:#}");
    let before = scene.tree();
    let report = scene.command("echo other > same; mkfifo pipe");
    assert_eq!(report["committed"], false, "{report:#}");
    assert!(report["stderr"].as_str().unwrap().contains("pipe"), "{report:#}");
    assert_eq!(scene.tree(), before, "all or nothing");
    let out = scene.command("ln -s /etc/passwd out; echo x > out");
    assert_eq!(out["exit_code"], 2, "no link leads a command out: {out:#}");
    scene.stop();
}

#[test]
fn a_timed_out_or_killed_command_has_done_nothing() {
    let scene = Scene::start("nothing");
    let arguments = json!({ "command": "echo half > half; sleep 60", "timeout_ms": 500 }).to_string();
    let report = scene.home.chela_json(&["tool", "run_command", &arguments]).unwrap();
    assert_eq!(report["committed"], false, "{report:#}");
    assert!(report["note"].as_str().unwrap().contains("time limit"), "{report:#}");
    let arguments = json!({ "command": "echo half > half; sleep 3; true" }).to_string();
    let mut command = scene.home.chela_command(&["tool", "run_command", &arguments]).unwrap();
    let mut running = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_for("the command", PATIENCE, || procs::runs(scene.chelad.pid(), "sleep 3; true").then_some(())).unwrap();
    let executor = procs::find(scene.chelad.pid(), Role::Executor, 1).unwrap();
    kill(Pid::from_raw(executor as i32), Signal::SIGKILL).unwrap();
    assert_eq!(scene.tree(), BTreeMap::new());
    assert!(running.wait().unwrap().success(), "it is rehearsed again");
    assert_eq!(fs::read_to_string(scene.workspace().join("half")).unwrap(), "half\n", "and real once");
    scene.done("echo whole > whole");
    scene.stop();
}

#[test]
fn real_work_is_as_it_is_without_a_sandbox() {
    let scene = Scene::start("real-work");
    let work = "set -e; mkdir p && cd p && printf '#include <stdio.h>\\nint main(){puts(\"built\");}\\n' > m.c && \
                printf 'm: m.c\\n\\tcc -o m m.c\\n' > Makefile && make -s && ./m && tar cf ../p.tar . && mkdir ../q && \
                tar xf ../p.tar -C ../q && cmp m ../q/m && mv ../q ../r && ../r/m";
    let report = scene.command(work);
    if report["stderr"].as_str().unwrap().contains("not found") {
        panic!("make and cc are needed on the host: {report:#}");
    }
    assert_eq!(report["stdout"], "built\nbuilt\n", "{report:#}");
    assert_eq!(report["committed"], true, "{report:#}");
    let ran = Command::new(scene.workspace().join("r/m")).output().unwrap();
    assert_eq!(ran.stdout, b"built\n");
    scene.stop();
}
