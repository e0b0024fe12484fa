//! File tools in directories of a person's own, through every real process: what they change there is shown, committed and
//! taken back, moves between them and the workspace included, and the files stay their owner's.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

use harness::{procs, wait_for};
use life::directories::ANN;
use life::{PATIENCE, Scene};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::json;

#[test]
fn each_tool_changes_a_directory_and_is_taken_back() {
    let scene = Scene::start("directory-tools");
    let papers = scene.directory("papers");
    scene.add(&papers, &[]);
    scene.settled();
    let inside = |name: &str| format!("/directories/papers/{name}");
    let made = scene.changes("make_directory", json!({ "path": inside("a/b") }));
    let written = scene.changes("write_file", json!({ "path": inside("a/b/note"), "content": "one\n" }));
    let edited = scene.changes("edit_file", json!({ "path": inside("a/b/note"), "old": "one", "new": "two" }));
    let moved = scene.changes("move", json!({ "from": inside("a"), "to": inside("c/d") }));
    assert_eq!(fs::read_to_string(papers.join("c/d/b/note")).unwrap(), "two\n");
    for path in ["c", "c/d", "c/d/b", "c/d/b/note"] {
        assert_eq!(fs::metadata(papers.join(path)).unwrap().uid(), ANN, "{path} is its owner's");
    }
    scene.fails("delete", json!({ "path": inside("c") }), "set recursive");
    let report = scene.tool("delete", json!({ "path": inside("c"), "recursive": true }));
    assert!(report["effects"]["deleted"].to_string().contains("/directories/papers/c/d/b/note"), "{report:#}");
    assert!(!papers.join("c").exists());
    for action in [report["action"].as_u64().unwrap(), moved, edited, written, made] {
        scene.undo(action);
    }
    assert_eq!(scene.said("ls -A /directories/papers"), "letter.txt\n");
    scene.fails("move", json!({ "from": inside("none"), "to": inside("x") }), "there is no");
    scene.fails(
        "move",
        json!({ "from": inside("letter.txt"), "to": "/directories/other/x" }),
        "no directory of this name",
    );
    scene.fails("make_directory", json!({ "path": inside(".chela-staging/x") }), "for itself");
    scene.stop();
}

#[test]
fn what_moves_between_workspace_and_directory_is_its_owners_on_either_side() {
    let scene = Scene::start("directory-moves");
    let papers = scene.directory("papers");
    let kept = scene.directory("kept");
    scene.add(&papers, &[]);
    scene.add(&kept, &["--read-only"]);
    scene.settled();
    scene.done("mkdir -p tree/deep; echo mine >tree/deep/file; ln tree/deep/file tree/again; chmod 640 tree/deep/file");
    let there = scene.changes("move", json!({ "from": "tree", "to": "/directories/papers/tree" }));
    assert!(!scene.path("tree").exists());
    let info = fs::metadata(papers.join("tree/deep/file")).unwrap();
    assert_eq!((info.uid(), info.mode() & 0o777, info.nlink()), (ANN, 0o640, 2));
    let back = scene.changes("move", json!({ "from": "/directories/papers/letter.txt", "to": "letters/bob.txt" }));
    assert_eq!(scene.text("letters/bob.txt").unwrap(), "dear bob\n");
    assert_ne!(fs::metadata(scene.path("letters/bob.txt")).unwrap().uid(), ANN);
    assert!(!papers.join("letter.txt").exists());
    scene.undo(back);
    scene.undo(there);
    assert_eq!(scene.text("tree/deep/file").unwrap(), "mine\n");
    let letter = fs::metadata(papers.join("letter.txt")).unwrap();
    assert_eq!((letter.uid(), letter.mode() & 0o777), (ANN, 0o600));
    assert!(!papers.join("tree").exists() && !scene.path("letters").exists());
    for (from, to) in [("/directories/kept/letter.txt", "x"), ("tree", "/directories/kept/tree")] {
        scene.fails("move", json!({ "from": from, "to": to }), "may be changed");
    }
    scene.audited();
    scene.stop();
}

#[test]
fn a_directory_that_is_taken_away_has_nothing_of_ours_left_in_it() {
    let scene = Scene::start("directory-left");
    let papers = scene.directory("papers");
    scene.add(&papers, &[]);
    scene.settled();
    scene.changes("write_file", json!({ "path": "/directories/papers/note", "content": "one\n" }));
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&papers).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names().len(), 3, "{:?}", names());
    scene.directories(&["remove", "papers"]);
    wait_for("the executor to leave it", PATIENCE, || (names() == ["letter.txt", "note"]).then_some(())).unwrap();
    // Added again, it works; and removed while nothing runs, it is left as it was, too.
    scene.add(&papers, &[]);
    scene.settled();
    scene.changes("write_file", json!({ "path": "/directories/papers/note", "content": "two\n" }));
    let executor = procs::find(scene.chelad.pid(), Role::Executor, 1).unwrap();
    kill(Pid::from_raw(executor as i32), Signal::SIGKILL).unwrap();
    let Scene { chelad, home } = scene;
    assert!(chelad.stop().unwrap().success());
    home.chela_json(&["workspace", "remove", "papers"]).unwrap();
    assert_eq!(names(), ["letter.txt", "note"]);
}

#[test]
fn a_file_system_that_can_not_map_ids_is_named_at_once_and_by_the_doctor() {
    let scene = Scene::start("directory-unmapped");
    let papers = scene.directory("papers");
    scene.add(&papers, &[]);
    // Of its kind it is the simplest; a kernel that maps it, too, has nothing to refuse here.
    let at = scene.directory("memory");
    let mounted = Command::new("mount").args(["-t", "ramfs", "none"]).arg(&at).status().unwrap();
    assert!(mounted.success());
    chown(&at, Some(ANN), Some(ANN)).unwrap();
    let (_, refused, code) = scene.chela(&["workspace", "add", at.to_str().unwrap()]);
    assert!(Command::new("umount").arg(&at).status().unwrap().success());
    assert!(code == 1 && refused.contains("no id-mapped mounts") && refused.contains("another"), "{refused}");
    // One whose file system became such a one later.
    let mounted = Command::new("mount").args(["-t", "ramfs", "none"]).arg(&papers).status().unwrap();
    assert!(mounted.success());
    chown(&papers, Some(ANN), Some(ANN)).unwrap();
    let said = scene.chela(&["doctor"]).0;
    let listed = scene.directories(&["list"]);
    assert!(Command::new("umount").arg(&papers).status().unwrap().success());
    assert!(said.contains("papers: left out") && said.contains("id-mapped"), "{said}");
    assert!(listed[0]["trouble"].as_str().unwrap().contains("id-mapped"), "{listed:#}");
    scene.stop();
}
