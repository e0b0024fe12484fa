use proptest::prelude::*;
use schema::label::Confidentiality;

use super::*;

fn decided(name: &str, arguments: &str) -> Decided {
    labelled(name, arguments, Integrity::Owner)
}

fn labelled(name: &str, arguments: &str, integrity: Integrity) -> Decided {
    let principal = Principal { number: 1, name: "ada".to_owned() };
    let call = ToolCall { name: name.to_owned(), arguments: arguments.to_owned() };
    let label = Label { integrity, confidentiality: Confidentiality::Private };
    decide(&principal, &call, label)
}

#[test]
fn what_is_listed_and_well_formed_is_admitted() {
    let run = decided("run_command", r#"{"command": "ls"}"#);
    assert_eq!(run.decision.verdict, Verdict::Allowed);
    assert_eq!(run.admitted, Some(Admitted::RunCommand { command: "ls".to_owned(), timeout_ms: COMMAND_TIMEOUT_MS }));
    for (arguments, path) in
        [(r#"{"path": "a/./b//c"}"#, "a/b/c"), (r#"{"path": "..."}"#, "..."), (r#"{"path": "ä ö"}"#, "ä ö")]
    {
        assert_eq!(decided("read_file", arguments).admitted, Some(Admitted::ReadFile { path: path.to_owned() }));
    }
    for arguments in ["{}", r#"{"path": "./"}"#] {
        assert_eq!(decided("list_files", arguments).admitted, Some(Admitted::ListFiles { path: ".".to_owned() }));
    }
}

#[test]
fn all_else_is_refused_by_a_named_rule_with_a_way_out() {
    let long = format!(r#"{{"command": "{}"}}"#, "x".repeat(COMMAND_BYTES_MAX + 1));
    let path = format!(r#"{{"path": "{}"}}"#, "x".repeat(PATH_BYTES_MAX + 1));
    for (tool, arguments, rule) in [
        ("reboot", "{}", "tools.listed"),
        ("", "{}", "tools.listed"),
        ("run_command", "ls", "arguments.form"),
        ("run_command", "[]", "arguments.form"),
        ("run_command", r#"{"command": "ls", "root": true}"#, "arguments.form"),
        ("run_command", r#"{"command": "ls", "command": "rm"}"#, "arguments.form"),
        ("run_command", r#"{"command": "  "}"#, "arguments.value"),
        ("run_command", r#"{"command": "a\u0000b"}"#, "arguments.value"),
        ("run_command", r#"{"command": "a", "timeout_ms": 0}"#, "arguments.value"),
        ("run_command", r#"{"command": "a", "timeout_ms": 600001}"#, "arguments.value"),
        ("run_command", long.as_str(), "arguments.limit"),
        ("read_file", r#"{"path": "/etc/passwd"}"#, "arguments.path"),
        ("read_file", r#"{"path": "a/../../b"}"#, "arguments.path"),
        ("read_file", r#"{"path": ".."}"#, "arguments.path"),
        ("read_file", r#"{"path": ""}"#, "arguments.path"),
        ("read_file", r#"{"path": "."}"#, "arguments.path"),
        ("read_file", r#"{"path": "a/"}"#, "arguments.path"),
        ("read_file", r#"{"path": "a\u0000"}"#, "arguments.path"),
        ("read_file", path.as_str(), "arguments.limit"),
        ("write_file", r#"{"path": "a"}"#, "arguments.form"),
        ("list_files", r#"{"path": "/"}"#, "arguments.path"),
    ] {
        let Decided { decision, admitted } = decided(tool, arguments);
        assert_eq!(decision.verdict, Verdict::Refused, "{tool} {arguments}");
        assert_eq!(decision.rule, rule, "{tool} {arguments}");
        assert!(admitted.is_none());
        assert!(!decision.reason.is_empty() && !decision.remedy.is_empty());
    }
}

#[test]
fn an_untrusted_turn_is_told_apart() {
    let it = labelled("list_files", "{}", Integrity::Untrusted);
    assert_eq!(it.decision.verdict, Verdict::Allowed);
    assert!(it.decision.reason.contains("untrusted"));
}

proptest! {
    /// No text at all makes a path that leaves the workspace.
    #[test]
    fn no_admitted_path_leaves_the_workspace(asked in "[a./\\\\\u{0}\n]{0,12}") {
        let arguments = serde_json::json!({ "path": asked, "content": "" }).to_string();
        let admitted = decided("write_file", &arguments).admitted;
        if let Some(Admitted::WriteFile { path, .. }) = admitted {
            prop_assert!(!path.starts_with('/') && !path.contains('\0') && !path.is_empty());
            prop_assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
        }
    }

    /// Any bytes at all are decided, without a panic.
    #[test]
    fn anything_is_decided(name in ".{0,20}", arguments in ".{0,60}") {
        let it = decided(&name, &arguments);
        prop_assert_eq!(it.admitted.is_some(), it.decision.verdict == Verdict::Allowed);
    }
}
