//! No way of getting at tainted text makes it one's own: another name, a copy, an archive, a command in the background, a
//! directory of a person's own, a turn that reads it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use harness::wait_for;
use life::labels::{OWN, TAINTED, label};
use life::{PATIENCE, Scene};
use serde_json::json;

/// Each takes the file `evil/text` and leaves what it says in a file of the name that comes first.
const BY_COMMAND: &[(&str, &str)] = &[
    ("moved", "mv evil/text moved"),
    ("copied", "cp evil/text copied"),
    ("dir-moved/text", "mv evil dir-moved"),
    ("linked", "ln evil/text linked && rm evil/text"),
    ("unpacked/evil/text", "tar cf a.tar evil && rm -r evil && mkdir unpacked && tar xf a.tar -C unpacked"),
    ("evil/text", "t=$(cat evil/text) && rm -r evil && mkdir evil && echo \"$t!\" > evil/text"),
    ("renamed/text", "git init -q . && git add evil && git mv evil renamed && rm -rf .git"),
    ("turned", "tr a-z b-za < evil/text > turned"),
    (
        "by-way-of-a-name/file",
        "mkdir by-way-of-a-name && touch by-way-of-a-name/$(cat evil/text) && \
                               ls by-way-of-a-name > by-way-of-a-name/file",
    ),
    ("link", "ln -s evil/text link"),
    ("evil/text", "chmod 600 evil/text && touch evil/text"),
    ("swapped", "cp evil/text x && echo mine > y && mv y swapped && mv x swapped"),
];

#[test]
fn no_command_makes_tainted_text_its_own() {
    let scene = Scene::start("laundering");
    scene.done("mkdir evil; echo mine > mine");
    scene.taint("evil/text");
    for (path, command) in BY_COMMAND {
        let report = scene.command(command);
        assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{command}: {report:#}");
        assert_eq!(scene.label(path), TAINTED, "{command}");
        scene.undo(report["action"].as_u64().unwrap());
        scene.labels(&[("evil/text", TAINTED), ("mine", OWN)]);
    }
    scene.stop();
}

#[test]
fn no_file_tool_and_no_undo_makes_tainted_text_its_own() {
    let scene = Scene::start("by-tools");
    scene.done("mkdir evil; echo mine > mine");
    scene.taint("evil/text");
    scene.changes("move", json!({ "from": "evil", "to": "good" }));
    scene.changes("move", json!({ "from": "good/text", "to": "better" }));
    scene.changes("edit_file", json!({ "path": "better", "old": "theirs", "new": "theirs, signed: me" }));
    scene.labels(&[("better", TAINTED)]);
    let deleted = scene.changes("delete", json!({ "path": "better" }));
    scene.changes("write_file", json!({ "path": "better", "content": "mine\n" }));
    scene.labels(&[("better", OWN)]);
    scene.changes("delete", json!({ "path": "better" }));
    scene.undo(deleted);
    scene.labels(&[("better", TAINTED)]);
    // What a command writes of it stays so, also where it sees little else, and so does a name.
    scene.changes("run_command", json!({ "command": "cat better > good/copy", "paths": ["better", "good"] }));
    scene.labels(&[("good/copy", TAINTED), ("mine", OWN)]);
    scene.changes(
        "run_command",
        json!({ "command": "mv good/copy \"good/$(cat better)\"", "paths": ["better", "good"] }),
    );
    assert_eq!(label(&scene.tool("list_files", json!({ "path": "good" }))), TAINTED);
    assert_eq!(label(&scene.tool("search_files", json!({ "path": "good", "pattern": "theirs" }))), TAINTED);
    scene.stop();
}

#[test]
fn names_that_a_tainted_turn_does_not_tell_of_are_tainted_with_the_file() {
    let scene = Scene::start("hard-links");
    scene.done("mkdir -p a/b; echo mine > a/b/one; ln a/b/one two");
    let report = scene.tainted("run_command", json!({ "command": "echo theirs >> two", "paths": ["two"] }));
    assert_eq!(report["committed"], true, "{report:#}");
    assert_eq!(scene.text("a/b/one").unwrap(), "mine\ntheirs\n");
    scene.labels(&[("two", TAINTED), ("a/b/one", TAINTED)]);
    scene.undo(report["action"].as_u64().unwrap());
    scene.labels(&[("two", OWN), ("a/b/one", OWN)]);
    scene.stop();
}

#[test]
fn a_command_in_the_background_carries_what_it_read_and_was_told() {
    let scene = Scene::start("told");
    let ended = |id: u64| {
        wait_for("the end of a command in the background", PATIENCE, || {
            let report = scene.tool("poll", json!({ "id": id, "wait_ms": 20_000 }));
            (report["note"] != "runs in the background").then_some(report)
        })
        .unwrap()
    };
    let start = |command: &str| scene.tool("start", json!({ "command": command }))["action"].as_u64().unwrap();
    let id = start("read line; echo \"$line\" > mine");
    scene.tool("input", json!({ "id": id, "text": "mine\n", "end": true }));
    assert_eq!(label(&ended(id)), OWN);
    let id = start("read line; echo \"$line\" > told; echo \"$line\"");
    let told = scene.tainted("input", json!({ "id": id, "text": "theirs\n", "end": true }));
    assert_eq!(told["exit_code"], 0, "{told:#}");
    assert_eq!(label(&ended(id)), TAINTED);
    assert_eq!(scene.text("told").unwrap(), "theirs\n");
    scene.labels(&[("told", TAINTED), ("mine", OWN)]);
    let id = start("cat told > read-in-the-background");
    assert_eq!(label(&ended(id)), TAINTED);
    scene.labels(&[("read-in-the-background", TAINTED)]);
    assert_eq!(scene.show(id)["wrote"]["integrity"], "untrusted");
    scene.stop();
}

#[test]
fn a_directory_of_a_persons_own_has_labels_as_the_workspace_has() {
    let scene = Scene::start("beside");
    let directory = scene.directory("letters");
    scene.add(&directory, &[]);
    scene.settled();
    let letter = "/directories/letters/letter.txt";
    scene.labels(&[(letter, OWN)]);
    scene.taint("/directories/letters/theirs");
    scene.labels(&[("/directories/letters/theirs", TAINTED), (letter, OWN)]);
    assert_eq!(label(&scene.command("cat /directories/letters/letter.txt")), TAINTED);
    scene.changes("move", json!({ "from": "/directories/letters/theirs", "to": "here" }));
    scene.labels(&[("here", TAINTED)]);
    let back = scene.done("mv here /directories/letters/there");
    scene.labels(&[("/directories/letters/there", TAINTED)]);
    scene.undo(back);
    let scene = scene.restart();
    scene.labels(&[("here", TAINTED), (letter, OWN)]);
    scene.stop();
}

#[test]
fn what_a_turn_writes_after_it_has_read_tainted_text_is_tainted() {
    let scene = Scene::start("by-a-turn");
    scene.done("echo mine > mine");
    scene.taint("evil");
    let turn = |reads: &str, writes: &str| {
        let script = format!(
            "call: read_file {{\"path\":\"{reads}\"}}\ncall: write_file {{\"path\":\"{writes}\",\"content\":\"x\"}}\nsay: done"
        );
        let answer = scene.json(&["ask", &script]);
        assert_eq!(answer["reply"], "done", "{answer:#}");
    };
    turn("mine", "before");
    turn("evil", "after");
    scene.labels(&[("before", OWN), ("after", TAINTED)]);
    scene.stop();
}
