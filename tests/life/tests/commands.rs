//! Commands are understood before anything of them runs: what nobody may do is refused, what can't be told is asked about,
//! through every real process.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use life::Scene;
use serde_json::json;

#[test]
fn a_destructive_command_never_begins_and_one_that_is_not_clear_waits() {
    let scene = Scene::start("commands");
    for (tool, command, rule) in [
        ("run_command", "touch began; rm -rf /", "hard.wipe"),
        ("run_command", "touch began; x=mkfs; $x /dev/sda", "hard.volumes"),
        ("start", "touch began; sh <<'E'\n:(){ :|:& };:\nE", "hard.fork-bomb"),
    ] {
        let report = scene.tool(tool, json!({ "command": command }));
        assert_eq!((&report["decision"], &report["rule"]), (&json!("refused"), &json!(rule)), "{report:#}");
        assert_eq!((&report["action"], &report["risk"]), (&json!(null), &json!("high")));
        assert!(!report["remedy"].as_str().unwrap().is_empty() && !report["reason"].as_str().unwrap().is_empty());
    }
    let (_, said, status) = scene.chela(&["tool", "run_command", "command=touch began; eval \"$NOBODY_KNOWS\""]);
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("waits for an approval"), "{said}");
    let report = scene.command("echo cm0gLXJmIC8K | base64 -d | sh");
    assert_eq!((&report["decision"], &report["rule"]), (&json!("asked"), &json!("commands.understood")), "{report:#}");
    assert!(!scene.path("began").exists());
    let log = scene.chela(&["log", "tail"]).0;
    assert!(log.contains("hard.fork-bomb") && log.contains("commands.understood"), "{log}");
    scene.done("mkdir build && touch build/x");
    scene.done("D=build; rm -rf \"$D\"");
    assert!(!scene.path("build").exists());
    scene.stop();
}
