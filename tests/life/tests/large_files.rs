//! Files that are larger than one call's arguments, in and out of the workspace through every real process: each is one
//! action, which is undone as one, and the journal does not grow by what is in them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use life::Scene;
use serde_json::{Value, json};

/// So many bytes that no part of them is like another.
fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn journal_bytes(scene: &Scene) -> u64 {
    let memory = scene.home.root().join("var/memory/1");
    fs::read_dir(memory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn put(scene: &Scene, source: &Path, path: &str) -> Value {
    scene.json(&["files", "put", source.to_str().unwrap(), path])
}

fn saved(scene: &Scene, name: &str, content: &[u8]) -> PathBuf {
    let path = scene.home.scratch().join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_large_file_is_put_got_and_undone_as_one_action() {
    let scene = Scene::start("large-files");
    scene.done("mkdir d; echo old >d/photo; chmod 640 d/photo");
    let before = journal_bytes(&scene);
    // Just above what one call takes, a whole number of parts, and one more byte.
    for (number, bytes) in [(512 << 10) + 1, 1 << 20, (5 << 20) + 1].into_iter().enumerate() {
        let whole = content(bytes, number as u64);
        let source = saved(&scene, &format!("photo{number}"), &whole);
        let report = put(&scene, &source, "d/photo");
        assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
        assert_eq!(report["effects"]["changed"][0]["size"], json!(bytes), "{report:#}");
        assert!(fs::read(scene.path("d/photo")).unwrap() == whole, "the same, byte for byte");
        let copy = scene.home.scratch().join(format!("copy{number}"));
        scene.json(&["files", "get", "d/photo", copy.to_str().unwrap()]);
        assert!(fs::read(copy).unwrap() == whole, "and out again");
        scene.undo(report["action"].as_u64().unwrap());
        assert_eq!(scene.said("cat d/photo; stat -c %a d/photo"), "old\n640\n");
    }
    let grown = journal_bytes(&scene) - before;
    assert!(grown < 3 << 20, "7 MB went in and out, and the journal grew by {grown} bytes");
    // From standard input, to where there is nothing yet.
    let whole = content(900_000, 9);
    let mut command = scene.home.chela_command(&["files", "put", "-", "new/dir/file"]).unwrap();
    let mut putting = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    putting.stdin.take().unwrap().write_all(&whole).unwrap();
    assert!(putting.wait().unwrap().success());
    assert!(fs::read(scene.path("new/dir/file")).unwrap() == whole);
    scene.stop();
}

#[test]
fn what_is_too_large_or_not_what_was_said_is_refused_and_changes_nothing() {
    let scene = Scene::start("large-files-refused");
    let most = 64 << 20;
    let source = saved(&scene, "more", &vec![7; most + 1]);
    let (_, said, code) = scene.chela(&["files", "put", source.to_str().unwrap(), "more"]);
    assert!(code != 0 && said.contains("more than 67108864 bytes"), "{said}");
    let digest = "0".repeat(64);
    scene.fails("put_file", json!({ "path": "x", "upload": 1, "bytes": 3, "sha256": digest }), "put it again");
    scene.done("mkdir d; ln -s d l");
    let source = saved(&scene, "some", &vec![7; 600_000]);
    for (path, why) in [("d", "is a directory"), ("l", "symbolic link"), ("l/x", "symbolic link")] {
        let report = put(&scene, &source, path);
        assert!(report["stderr"].as_str().unwrap().contains(why), "{path}: {report:#}");
    }
    for (path, bytes, sha256) in [("../x", 3, digest.as_str()), ("x", most + 1, &digest), ("x", 3, "abc")] {
        let report = scene.tool("put_file", json!({ "path": path, "upload": 1, "bytes": bytes, "sha256": sha256 }));
        assert_eq!(report["decision"], "refused", "{report:#}");
    }
    assert_eq!(scene.said("ls"), "d\nl\n");
    scene.stop();
}
