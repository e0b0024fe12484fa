//! Policies in force, through every real process: they are shown and explained, a file that is added decides the next call,
//! and a broken one keeps what is in force and says so.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use harness::wait_for;
use life::{PATIENCE, Scene};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn explained(scene: &Scene, tool: &str, arguments: Value) -> (Value, Value) {
    let report = scene.json(&["policy", "explain", tool, &arguments.to_string()]);
    assert!(!report["reason"].as_str().unwrap().is_empty(), "{report:#}");
    (report["decision"].clone(), report["rule"].clone())
}

/// A large tree is unpacked, and taken back, without a question: most of what it does is not listed, and is no deletion. To
/// delete as much is asked about.
#[test]
fn a_large_tree_is_made_and_taken_back_unasked_and_not_deleted() {
    let scene = Scene::start("large");
    let made = scene.changes("run_command", json!({ "command": "mkdir t; cd t; seq 5500 | xargs touch" }));
    let deleted = scene.command("rm -r t");
    assert_eq!((&deleted["committed"], &deleted["exit_code"]), (&json!(false), &json!(0)), "{deleted:#}");
    assert!(deleted["note"].as_str().unwrap().contains("5000"), "{}", deleted["note"]);
    assert!(scene.path("t/5500").exists());
    let (_, said, status) = scene.chela(&["undo", &made.to_string()]);
    assert_eq!(status, 0, "{said}");
    assert!(!scene.path("t").exists());
    scene.stop();
}

/// Writes a policy as setup does, and waits until it is in force or said to be broken.
fn reloaded(scene: &Scene, text: &str) -> Value {
    let policies = scene.home.root().join("etc/gate/policy");
    let before = scene.json(&["policy", "show"]);
    let file = policies.join("50-own.cedar");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let group = std::os::unix::fs::MetadataExt::gid(&fs::metadata(&policies).unwrap());
    chown(&file, None, Some(group)).unwrap();
    scene.chelad.signal(Signal::SIGHUP).unwrap();
    let changed = || Some(scene.json(&["policy", "show"])).filter(|state| *state != before);
    wait_for("the policies", PATIENCE, changed).unwrap()
}

#[test]
fn a_policy_decides_the_next_call_and_a_broken_file_keeps_what_is_in_force() {
    let scene = Scene::start("policy");
    let state = scene.json(&["policy", "show"]);
    assert_eq!((&state["problem"], state["files"].as_array().unwrap().len()), (&json!(null), 3), "{state:#}");
    let write = json!({ "path": "a.txt", "content": "x" });
    assert_eq!(explained(&scene, "write_file", write.clone()), (json!("allowed"), json!("roles.owner")));
    let wipe = json!({ "command": "rm -rf /" });
    assert_eq!(explained(&scene, "run_command", wipe), (json!("refused"), json!("hard.wipe")));
    assert!(!scene.path("a.txt").exists(), "explaining changes nothing");
    let deny = "@id(\"own.no-writing\") @reason(\"nothing is written today\") @remedy(\"Wait.\")\nforbid (principal, action == \
                Action::\"write_file\", resource);\n";
    let in_force = reloaded(&scene, deny);
    assert_eq!(in_force["problem"], json!(null), "{in_force:#}");
    let report = scene.tool("write_file", write.clone());
    assert_eq!((&report["decision"], &report["rule"]), (&json!("refused"), &json!("own.no-writing")), "{report:#}");
    let broken = reloaded(&scene, "permit (");
    assert!(broken["problem"].as_str().unwrap().contains("50-own.cedar"), "{broken:#}");
    assert_eq!(broken["sha256"], in_force["sha256"]);
    assert_eq!(explained(&scene, "write_file", write.clone()), (json!("refused"), json!("own.no-writing")));
    let ask = deny.replace("resource);", "resource) unless { context.approved };").replace("no-writing", "asks");
    reloaded(&scene, &ask);
    assert_eq!(explained(&scene, "write_file", write.clone()), (json!("asked"), json!("own.asks")));
    let (_, said, status) = scene.chela(&["tool", "write_file", &write.to_string()]);
    assert_eq!(status, 3, "{said}");
    let everything = "@id(\"own.everything\") permit (principal, action, resource);";
    reloaded(&scene, everything);
    let wipe = scene.command("rm -rf /");
    assert_eq!(wipe["rule"], "hard.wipe", "no policy loosens a hard rule: {wipe:#}");
    scene.changes("write_file", write);
    let hook = json!({ "command": "mkdir -p .git/hooks && echo x > .git/hooks/pre-commit" }).to_string();
    let report = scene.json(&["tool", "--label", "untrusted", "run_command", &hook]);
    assert_eq!(report["committed"], false, "{report:#}");
    assert!(!scene.path(".git").exists());
    let log = scene.chela(&["log", "tail"]).0;
    assert!(log.contains("policy.in_force") && log.contains("effects.startup"), "{log}");
    // Nor by a turn of the owner's own words that could read what untrusted text has left.
    scene.json(&["tool", "--label", "untrusted", "write_file", &json!({ "path": "note", "content": "x" }).to_string()]);
    let copied = scene.command("cp note Makefile");
    assert_eq!(copied["committed"], false, "{copied:#}");
    let moved = scene.tool("move", json!({ "from": "note", "to": "Makefile" }));
    assert_eq!(moved["committed"], false, "{moved:#}");
    // One that names what it is to see, and that is the owner's own, may.
    scene.changes("write_file", json!({ "path": "Makefile", "content": "all:\n" }));
    scene.changes("run_command", json!({ "command": "echo '# seen' >> Makefile", "paths": ["Makefile"] }));
    scene.stop();
}
