//! The real tree, started by the real chelad: `chela audit` finds nothing wrong with it, idle or at work, and finds a
//! program that does not seal itself.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use harness::{Chelad, Home, sockets, wait_for};
use roles::Role;

fn home(name: &str) -> Home {
    let home = Home::new(name).unwrap();
    home.script_model().unwrap();
    home
}

#[track_caller]
fn sound(home: &Home) {
    let report = home.chela_json(&["audit"]).unwrap();
    assert_eq!(report["deviations"].as_array().map(Vec::len), Some(0), "{:#}", report["deviations"]);
}

#[test]
fn the_real_tree_is_what_the_table_says_idle_and_at_work() {
    let home = home("audit-sound");
    let chelad = Chelad::start(&home).unwrap();
    sound(&home);
    let report = home.chela_json(&["audit"]).unwrap();
    let names: Vec<&str> =
        report["processes"].as_array().unwrap().iter().filter_map(|p| p["process"].as_str()).collect();
    for role in Role::ALL {
        assert!(names.iter().any(|name| name.split(' ').next() == Some(role.name())), "{}: {names:?}", role.name());
    }
    let mut command = home.chela_command(&["tool", "run_command", r#"{"command":"sleep 4"}"#]).unwrap();
    let mut running = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let seen = wait_for("a sandbox in the table", Duration::from_secs(3), || {
        let report = home.chela_json(&["audit", "--no-probe"]).ok()?;
        let there = report["processes"].as_array()?.iter().any(|p| p["process"] == "sandbox of executor 1");
        there.then_some(report)
    });
    let report = seen.unwrap();
    assert_eq!(report["deviations"].as_array().map(Vec::len), Some(0), "{:#}", report["deviations"]);
    running.wait().unwrap();
    sound(&home);
    assert!(sockets::listening(chelad.pid()).is_empty());
    chelad.stop().unwrap();
}

#[test]
fn a_program_that_does_not_seal_itself_is_found() {
    let home = home("audit-unsealed");
    home.place(Role::Connector.row().binary, env!("CARGO_BIN_EXE_sleeper").as_ref()).unwrap();
    let chelad = Chelad::spawn(&home).unwrap();
    let found = wait_for("the connector's deviations", Duration::from_secs(10), || {
        let report = home.chela_json(&["audit", "--no-probe"]).ok()?;
        let lines: Vec<String> = report["deviations"].as_array()?.iter().map(|line| line["what"].to_string()).collect();
        lines.iter().any(|line| line.contains("seccomp mode 0")).then_some(lines)
    });
    let lines = found.unwrap();
    assert!(lines.iter().any(|line| line.contains("0 seccomp filters")), "{lines:?}");
    assert_eq!(home.chela(&["audit", "--no-probe"]).unwrap().status.code(), Some(1));
    chelad.stop().unwrap();
}
