//! What a person sees of actions: listed, shown, while a turn runs and after everything was started anew.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Read;
use std::process::Stdio;

use harness::{Chelad, procs, wait_for};
use life::{PATIENCE, Scene};
use serde_json::{Value, json};

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
    for part in ["echo two", "chela tool", "roles.owner", "effects.undoable", "+two", "~ file", "asked", "settled"] {
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

#[test]
fn an_undo_is_previewed_with_its_effects_or_its_conflicts_and_nothing_is_changed() {
    let scene = Scene::start("dry-run");
    let dry = |action: u64| {
        let args = ["undo", &action.to_string(), "--dry-run", "--json"];
        let (out, _, status) = scene.chela(&args);
        (serde_json::from_str::<Value>(&out).unwrap(), status)
    };
    let first = scene.done("echo one > file; echo other > other; ln -s file link");
    let (preview, status) = dry(first);
    assert_eq!((status, &preview["possible"]), (0, &json!(true)), "{preview:#}");
    let deleted = preview["effects"]["deleted"].as_array().unwrap();
    let named: Vec<&str> = deleted.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(named, ["file", "link", "other"], "{preview:#}");
    assert!(deleted[0]["diff"].as_str().unwrap().contains("-one"), "{preview:#}");
    assert_eq!(deleted[1]["summary"], "symlink to file", "{preview:#}");
    assert_eq!(fs::read_to_string(scene.workspace().join("file")).unwrap(), "one\n");

    let second = scene.done("echo two >> file");
    fs::write(scene.workspace().join("other"), "by hand\n").unwrap();
    fs::remove_file(scene.workspace().join("link")).unwrap();
    let (preview, status) = dry(first);
    assert_eq!((status, &preview["possible"]), (1, &json!(false)), "{preview:#}");
    let why = |path: &str| {
        let conflicts = preview["conflicts"].as_array().unwrap();
        let one = conflicts.iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("{path}: {preview:#}"));
        (one["why"].as_str().unwrap().to_owned(), one["by"].as_u64())
    };
    assert_eq!(why("file"), ("changed".to_owned(), Some(second)));
    assert_eq!(why("other"), ("changed".to_owned(), None));
    assert_eq!(why("link"), ("vanished".to_owned(), None));
    let (text, _, _) = scene.chela(&["undo", &first.to_string(), "--dry-run"]);
    assert!(text.contains(&format!("file was changed since, by action {second}")), "{text}");
    let refused = scene.json(&["undo", &first.to_string()]);
    assert_eq!(refused["committed"], false);
    assert!(refused["stderr"].as_str().unwrap().contains(&format!("by action {second}")), "{refused:#}");

    // It was only looked at: the list has the two actions and the undo that failed, and that undo is possible as it was.
    assert_eq!(scene.json(&["actions"]).as_array().unwrap().len(), 3);
    assert_eq!(dry(second).1, 0);
    let scene = scene.restart();
    assert_eq!(scene.json(&["undo", &second.to_string()])["committed"], true);
    scene.stop();
}

#[test]
fn what_cannot_be_undone_is_said_with_the_reason() {
    let scene = Scene::start("no-undo");
    let action = scene.done("echo one > file");
    let by = scene.json(&["undo", &action.to_string()])["action"].as_u64().unwrap();
    let nothing = scene.command("ls")["action"].as_u64().unwrap();
    let read = scene.json(&["tool", "list_files", "{}"])["action"].as_u64().unwrap();
    let refused = scene.command("echo x > y; mkfifo pipe")["action"].as_u64().unwrap();
    let cases = [
        (action, format!("taken back already, by action {by}; `chela undo {by}` brings it back")),
        (nothing, "changed nothing".to_owned()),
        (read, "changed nothing".to_owned()),
        (refused, "changed nothing".to_owned()),
        (9999, "no action 9999: `chela actions list`".to_owned()),
    ];
    for (action, why) in cases {
        let number = action.to_string();
        let (text, _, status) = scene.chela(&["undo", &number, "--dry-run"]);
        assert!(status == 1 && text.contains(&why), "{action}: {why}: {text}");
        let report = scene.json(&["undo", &number]);
        assert_eq!((&report["decision"], &report["rule"]), (&json!("refused"), &json!("undo.possible")), "{report:#}");
        assert!(report["reason"].as_str().unwrap().contains(&why), "{why}: {report:#}");
    }
    scene.stop();
}

#[test]
fn what_is_no_longer_in_the_undo_store_is_said_to_be_so() {
    let scene = Scene::start("undo-gone");
    let action = scene.done("echo one > file");
    let Scene { chelad, home } = scene;
    assert!(chelad.stop().unwrap().success());
    // As age and size limits do it.
    fs::remove_dir_all(home.root().join(format!("var/principals/1/store/undo/{action}"))).unwrap();
    let scene = Scene { chelad: Chelad::start(&home).unwrap(), home };
    let (text, _, status) = scene.chela(&["undo", &action.to_string(), "--dry-run"]);
    assert!(status == 1 && text.contains("no longer in the undo store"), "{text}");
    let report = scene.json(&["undo", &action.to_string()]);
    assert!(report["stderr"].as_str().unwrap().contains("no longer in the undo store"), "{report:#}");
    assert_eq!(scene.show(action)["fate"], "committed", "what it did stays known");
    scene.stop();
}

#[test]
fn effects_say_what_a_diff_cannot() {
    let scene = Scene::start("summaries");
    let report = scene.command("head -c 12400 /dev/zero > bin; ln -s bin link; mkdir dir; echo text > text");
    let of = |report: &Value, change: &str, path: &str| {
        let all = report["effects"][change].as_array().unwrap().clone();
        all.into_iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("{path}: {report:#}"))
    };
    assert_eq!(of(&report, "created", "bin")["summary"], "binary, 12 kB");
    assert_eq!(of(&report, "created", "link")["summary"], "symlink to bin");
    let dir = of(&report, "created", "dir");
    assert_eq!((&dir["kind"], &dir["before"], &dir["after"]), (&json!("directory"), &Value::Null, &Value::Null));
    let text = of(&report, "created", "text");
    assert_eq!((&text["size"], &text["before"], &text["mode_before"]), (&json!(5), &Value::Null, &Value::Null));
    assert_eq!(text["after"].as_str().unwrap().len(), 64, "{text:#}");
    let report = scene.command("head -c 14000 /dev/zero > bin; chmod 600 text");
    assert_eq!(of(&report, "changed", "bin")["summary"], "binary, 12 kB to 14 kB");
    let text = of(&report, "changed", "text");
    assert_eq!((&text["summary"], &text["before"]), (&json!("mode 0644 to 0600"), &text["after"]));
    let keys =
        ["action", "decision", "reason", "rule", "risk", "effects", "committed", "exit_code", "stdout", "stderr", "ms"];
    for key in keys {
        assert!(report.get(key).is_some(), "{key}: {report:#}");
    }
    assert_eq!(report["effects"]["hosts"], json!([]));
    scene.stop();
}

#[test]
fn a_key_used_again_does_nothing_again() {
    let scene = Scene::start("key");
    let call = |words: &str| {
        let arguments = json!({ "command": words }).to_string();
        scene.json(&["tool", "--key", "once", "run_command", &arguments])
    };
    let first = call("echo x >> file; echo said");
    assert_eq!(call("echo x >> file; echo said"), first);
    let other = call("echo y >> file");
    assert!(other["error"].as_str().unwrap().contains("used before"), "{other:#}");
    assert_eq!(fs::read_to_string(scene.workspace().join("file")).unwrap(), "x\n");
    let first = &first["action"];
    let scene = scene.restart();
    let arguments = json!({ "command": "echo x >> file; echo said" }).to_string();
    assert_eq!(&scene.json(&["tool", "--key", "once", "run_command", &arguments])["action"], first);
    assert_eq!(fs::read_to_string(scene.workspace().join("file")).unwrap(), "x\n");
    scene.stop();
}

/// What `chela` writes to a terminal.
fn on_a_terminal(scene: &Scene, args: &[&str]) -> String {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = scene.home.chela_command(args).unwrap();
    let (out, err) = (pty.slave.try_clone().unwrap(), pty.slave);
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
    // Its ends of the terminal stay open here as long as it does.
    drop(command);
    let mut shown = Vec::new();
    // The kernel says EIO once nobody has the other end.
    let _ = fs::File::from(pty.master).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn nothing_in_a_name_a_diff_or_an_output_steers_the_terminal() {
    let scene = Scene::start("escapes");
    let command = "printf 'a\\033]0;owned\\007b\\n' > \"$(printf 'n\\033]0;owned\\007\\033[2Jm')\"; \
                   printf 'out\\033[2J\\033]0;owned\\007\\n'; printf 'err\\033[31m\\n' >&2; printf 'c1\\302\\233 2J\\n'";
    let arguments = json!({ "command": command }).to_string();
    let shown = on_a_terminal(&scene, &["tool", "run_command", &arguments]);
    let harmful = |text: &str| {
        // Chela's own colours are the only sequences: dim, bold, yellow, and their end.
        let own = ["\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[0m"];
        let rest = own.iter().fold(text.to_owned(), |rest, sequence| rest.replace(sequence, ""));
        rest.contains(['\x1b', '\x07', '\u{9b}'])
    };
    assert!(!harmful(&shown), "{shown:?}");
    for part in [
        "out\\x1b[2J\\x1b]0;owned\\x07",
        "err\\x1b[31m",
        "c1\\u{9b}",
        "n\\x1b]0;owned\\x07\\x1b[2Jm",
        "+a\\x1b]0;owned",
    ] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
    let action = scene.json(&["actions"])[0]["action"].as_u64().unwrap().to_string();
    for args in [&["actions", "show", &action][..], &["actions"], &["undo", &action, "--dry-run"], &["undo", &action]] {
        let shown = on_a_terminal(&scene, args);
        assert!(!harmful(&shown) && shown.contains("owned"), "{args:?}: {shown:?}");
        // Not even where a pipe is read: what is shown of an action is a description, no program's output.
        let (text, _, _) = scene.chela(args);
        assert!(!harmful(&text), "{args:?}: {text:?}");
    }
    // A call that is refused is shown, too.
    let shown = on_a_terminal(&scene, &["tool", "no\u{1b}]0;owned\u{7}", "{}"]);
    assert!(!harmful(&shown) && shown.contains("refused"), "{shown:?}");
    scene.stop();
}
