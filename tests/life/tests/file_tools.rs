//! The file tools through every real process: each is shown, becomes real wholly, and is taken back; what leads out of the
//! workspace is refused with its rule and a way out.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use life::Scene;
use serde_json::json;

#[test]
fn each_tool_that_changes_files_is_shown_committed_and_taken_back() {
    let scene = Scene::start("file-tools");
    scene.changes("write_file", json!({ "path": "d/text", "content": "one\ntwo\nthree\n" }));
    let report = scene.tool("edit_file", json!({ "path": "d/text", "old": "two", "new": "zwei" }));
    assert!(report["effects"]["changed"].to_string().contains("+zwei"), "{report:#}");
    assert_eq!(scene.text("d/text").unwrap(), "one\nzwei\nthree\n");
    scene.fails("edit_file", json!({ "path": "d/text", "old": "e", "new": "E" }), "4 times");
    scene.undo(report["action"].as_u64().unwrap());
    assert_eq!(scene.text("d/text").unwrap(), "one\ntwo\nthree\n");
    let diff = "--- a/d/text\n+++ b/d/text\n@@ -1,2 +1,3 @@\n one\n+and a half\n two\n";
    let patched = scene.changes("edit_file", json!({ "path": "d/text", "diff": diff }));
    assert_eq!(scene.text("d/text").unwrap(), "one\nand a half\ntwo\nthree\n");
    scene.fails("edit_file", json!({ "path": "d/text", "diff": "@@ -9 +9 @@\n-nine\n+9\n" }), "hunk 1 of 1");
    scene.undo(patched);
    let moved = scene.changes("move", json!({ "from": "d", "to": "e/f" }));
    assert_eq!((scene.text("e/f/text").unwrap().as_str(), scene.path("d").exists()), ("one\ntwo\nthree\n", false));
    scene.undo(moved);
    assert!(!scene.path("e").exists() && scene.path("d/text").exists());
    scene.fails("delete", json!({ "path": "d" }), "set recursive");
    let deleted = scene.changes("delete", json!({ "path": "d", "recursive": true }));
    assert!(!scene.path("d").exists());
    scene.undo(deleted);
    assert_eq!(scene.text("d/text").unwrap(), "one\ntwo\nthree\n");
    let made = scene.changes("make_directory", json!({ "path": "x/y/z" }));
    assert!(scene.path("x/y/z").is_dir());
    scene.undo(made);
    assert!(!scene.path("x").exists());
    scene.stop();
}

#[test]
fn what_leads_out_of_the_workspace_is_refused_with_its_rule_and_a_way_out() {
    let scene = Scene::start("hostile-paths");
    let outside = scene.path("../store.key");
    let before = fs::read(&outside).ok();
    scene.tool("run_command", json!({ "command": "ln -s .. up; ln -s / root; echo x > file" }));
    let huge = "x".repeat(5_000);
    for path in ["../store.key", "/etc/passwd", "a/../../b", "a\u{0}b", huge.as_str(), "", ".."] {
        for (tool, arguments) in [
            ("read_file", json!({ "path": path })),
            ("write_file", json!({ "path": path, "content": "x" })),
            ("edit_file", json!({ "path": path, "old": "a", "new": "b" })),
            ("move", json!({ "from": path, "to": "here" })),
            ("move", json!({ "from": "file", "to": path })),
            ("delete", json!({ "path": path, "recursive": true })),
            ("make_directory", json!({ "path": path })),
            ("list_files", json!({ "path": path })),
        ] {
            let report = scene.tool(tool, arguments);
            assert_eq!(report["decision"], "refused", "{tool} {path:?}: {report:#}");
            let rule = if path == huge { "arguments.limit" } else { "arguments.path" };
            assert_eq!(report["rule"], rule, "{report:#}");
            assert!(!report["remedy"].as_str().unwrap().is_empty(), "{report:#}");
        }
    }
    for path in ["up/store.key", "root/etc/hostname"] {
        scene.fails("read_file", json!({ "path": path }), "could not open");
        scene.fails("write_file", json!({ "path": path, "content": "x" }), "symbolic link");
        scene.fails("edit_file", json!({ "path": path, "old": "a", "new": "b" }), "symbolic link");
        scene.fails("move", json!({ "from": path, "to": "here" }), "symbolic link");
        scene.fails("move", json!({ "from": "file", "to": path }), "symbolic link");
        scene.fails("delete", json!({ "path": path }), "symbolic link");
        scene.fails("make_directory", json!({ "path": format!("{path}/new") }), "symbolic link");
    }
    assert_eq!((fs::read(&outside).ok(), scene.text("file").as_deref()), (before, Some("x\n")));
    scene.stop();
}

#[test]
fn looking_is_bounded_and_a_command_sees_what_it_names() {
    let scene = Scene::start("file-looks");
    let made = "mkdir -p src keep; seq 1 50000 >src/long; echo 'fn main() {}' >src/m.rs; echo hidden >keep/key; printf 'a\\0b' >bin";
    scene.changes("run_command", json!({ "command": made }));
    let found = scene.tool("search_files", json!({ "pattern": "fn \\w+", "glob": "*.rs" }));
    assert_eq!(found["stdout"], "src/m.rs:1:fn main() {}\n", "{found:#}");
    scene.fails("search_files", json!({ "pattern": "(" }), "can't be used");
    let part = scene.tool("read_file", json!({ "path": "src/long", "offset": 49_999 }));
    assert_eq!(part["stdout"], "49999\n50000\n", "{part:#}");
    let first = scene.tool("read_file", json!({ "path": "src/long" }));
    assert!(first["stderr"].as_str().unwrap().contains("read on with offset"), "{first:#}");
    let binary = scene.tool("read_file", json!({ "path": "bin" }));
    assert!(binary["stdout"].as_str().unwrap().contains("is binary, 3 bytes, sha256 "), "{binary:#}");
    let names = scene.tool("list_files", json!({ "path": ".", "recursive": true }));
    assert_eq!(names["stdout"], "bin\nkeep/\nkeep/key\nsrc/\nsrc/long\nsrc/m.rs\n", "{names:#}");
    let seen = scene.tool("run_command", json!({ "command": "find . -type f; cat keep/key", "paths": ["src/m.rs"] }));
    assert_eq!(seen["stdout"], "./src/m.rs\n", "{seen:#}");
    // A tree that is made anew has nothing of the old one, however deep.
    scene.changes("run_command", json!({ "command": "mkdir -p t/a/b; echo old >t/a/b/old" }));
    scene.changes("run_command", json!({ "command": "rm -r t; mkdir -p t/a/b; echo new >t/a/b/new" }));
    assert_eq!((scene.text("t/a/b/old"), scene.text("t/a/b/new").as_deref()), (None, Some("new\n")));
    scene.fails("run_command", json!({ "command": "true", "paths": ["gone"] }), "there is no \"gone\"");
    let edited = json!({ "command": "echo '// more' >>src/m.rs", "paths": ["src/m.rs"] });
    let action = scene.changes("run_command", edited);
    assert_eq!(scene.text("src/m.rs").unwrap(), "fn main() {}\n// more\n");
    scene.undo(action);
    assert_eq!(scene.text("src/m.rs").unwrap(), "fn main() {}\n");
    scene.stop();
}

#[test]
fn files_are_copied_in_and_out_byte_for_byte() {
    let scene = Scene::start("files-copy");
    let bytes: Vec<u8> = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (source, dest) = (scene.home.root().join("source"), scene.home.root().join("dest"));
    fs::write(&source, &bytes).unwrap();
    let (from, to) = (source.to_str().unwrap(), dest.to_str().unwrap());
    let put = scene.home.chela_json(&["files", "put", from, "in/photo"]).unwrap();
    assert_eq!(put["committed"], true, "{put:#}");
    assert!(fs::read(scene.path("in/photo")).unwrap() == bytes, "as it was put");
    assert!(scene.home.chela(&["files", "get", "in/photo", to]).unwrap().status.success());
    assert!(fs::read(&dest).unwrap() == bytes, "as it was got");
    let piped = scene.home.chela(&["files", "get", "in/photo", "-"]).unwrap();
    assert!(piped.stdout == bytes, "{}", String::from_utf8_lossy(&piped.stderr));
    // What is there is not replaced, and what leads out is refused.
    assert!(!scene.home.chela(&["files", "get", "in/photo", to]).unwrap().status.success());
    for path in ["../store.key", "/etc/passwd", "in", "missing"] {
        assert!(!scene.home.chela(&["files", "get", path, "-"]).unwrap().status.success(), "{path}");
    }
    assert!(!scene.home.chela(&["files", "put", from, "../out"]).unwrap().status.success());
    scene.undo(put["action"].as_u64().unwrap());
    assert!(!scene.path("in").exists());
    scene.stop();
}
