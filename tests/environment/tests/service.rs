//! The service where something is wrong.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use harness::{Chelad, Home, procs, programs_dir, sockets, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;

fn chelad(home: &Home) -> Command {
    let mut command = Command::new(programs_dir().unwrap().join("chelad"));
    command.arg("--root").arg(home.root()).arg("--libexec").arg(home.libexec()).stdin(Stdio::null());
    command
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

fn home(name: &str) -> Home {
    let home = Home::new(name).unwrap();
    home.script_model().unwrap();
    home
}

#[track_caller]
fn answers(home: &Home, words: &str) {
    let reply = home.chela_json(&["ask", &format!("say: {words}")]).unwrap();
    assert_eq!(reply["reply"], words, "{reply:#}");
}

#[test]
fn chelad_is_not_started_by_anybody_but_root() {
    let home = home("plain-user");
    let program = home.scratch().join("chelad");
    fs::copy(programs_dir().unwrap().join("chelad"), &program).unwrap();
    let output = Command::new(program)
        .arg("--root")
        .arg(home.root())
        .arg("--libexec")
        .arg(home.libexec())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    refused(&output, &["root"]);
    assert!(!home.root().join("run/chelad.lock").exists());
}

#[test]
fn a_second_chelad_on_the_same_root_names_the_first() {
    let home = home("second");
    let first = Chelad::start(&home).unwrap();
    let output = chelad(&home).output().unwrap();
    refused(&output, &["run/chelad.lock", &first.pid().to_string()]);
    answers(&home, "still here");
    assert!(sockets::listening(first.pid()).is_empty());
    let output = home.chela(&["setup", "--forget", &home.root().to_string_lossy()]).unwrap();
    refused(&output, &["in use", "chelad", &first.pid().to_string()]);
    first.stop().unwrap();
}

#[test]
fn two_roots_run_side_by_side_and_share_no_account() {
    let (one, other) = (home("side"), home("side"));
    let (first, second) = (Chelad::start(&one).unwrap(), Chelad::start(&other).unwrap());
    answers(&one, "one");
    answers(&other, "other");
    let uid = |chelad: &Chelad, role| {
        let pid = procs::find(chelad.pid(), role, 1).unwrap();
        procs::status(pid, "Uid").unwrap()
    };
    for role in [Role::Executor, Role::Memory, Role::Connector] {
        assert_ne!(uid(&first, role), uid(&second, role), "{role:?}");
    }
    first.stop().unwrap();
    answers(&other, "other, alone");
    second.stop().unwrap();
}

#[test]
fn a_missing_model_file_stops_the_model_and_nothing_else() {
    let home = home("no-model");
    fs::remove_file(home.root().join("etc/model.gguf")).unwrap();
    let chelad = Chelad::start(&home).unwrap();
    wait_for("a line that names the file", Duration::from_secs(10), || {
        chelad.stderr().contains("etc/model.gguf").then_some(())
    })
    .unwrap();
    let report = home.chela_json(&["tool", "run_command", r#"{"command":"echo works"}"#]).unwrap();
    assert_eq!(report["stdout"].as_str().map(str::trim), Some("works"), "{report:#}");
    let output = home.chela(&["ask", "say: hi"]).unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    chelad.stop().unwrap();
}

#[test]
fn a_root_that_is_not_set_up_is_told_how_and_left_alone() {
    let home = home("bare");
    let bare = home.scratch().join("bare");
    fs::create_dir(&bare).unwrap();
    let output = Command::new(programs_dir().unwrap().join("chelad"))
        .arg("--root")
        .arg(&bare)
        .arg("--libexec")
        .arg(home.libexec())
        .output()
        .unwrap();
    refused(&output, &["chela setup"]);
    assert!(fs::read_dir(&bare).unwrap().next().is_none());
}

#[test]
fn without_the_service_every_command_says_how_to_start_it() {
    let home = home("stopped");
    for args in [&["status"][..], &["ask", "hi"], &["tool", "list_files", "{}"]] {
        let output = home.chela(args).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("chela.sock") && said.contains("chelad"), "{said}");
    }
    refused(&home.chela(&["audit"]).unwrap(), &["no chelad runs", "chelad.lock"]);
}

/// A user namespace with every id mapped to itself, in which no further one may be made: the setting is each namespace's
/// own, so the host's stays as it is.
fn poor_namespace() -> Child {
    let mut holder = Command::new("unshare").args(["--user", "sleep", "1000"]).stdin(Stdio::null()).spawn().unwrap();
    let own = fs::read_link("/proc/self/ns/user").unwrap();
    let entry = format!("/proc/{}", holder.id());
    let made = wait_for("the namespace", Duration::from_secs(5), || {
        fs::read_link(format!("{entry}/ns/user")).is_ok_and(|theirs| theirs != own).then_some(())
    });
    if made.is_err() {
        holder.kill().unwrap();
    }
    made.unwrap();
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("{entry}/{map}"), "0 0 4294967295").unwrap();
    }
    holder
}

/// chelad in that namespace.
fn chelad_within(holder: &Child, home: &Home) -> Child {
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"";
    let mut command = Command::new("nsenter");
    command.args(["--user", "--target", &holder.id().to_string(), "sh", "-c", script]);
    command.arg(programs_dir().unwrap().join("chelad"));
    command.arg("--root").arg(home.root()).arg("--libexec").arg(home.libexec());
    let log = fs::File::create(home.scratch().join("chelad.stderr")).unwrap();
    command.stdin(Stdio::null()).stderr(log).spawn().unwrap()
}

#[test]
fn without_user_namespaces_no_command_runs_and_the_setting_is_named() {
    let home = home("no-userns");
    let mut holder = poor_namespace();
    let mut chelad = chelad_within(&holder, &home);
    let log = || fs::read_to_string(home.scratch().join("chelad.stderr")).unwrap_or_default();
    let ready = wait_for("every role", Duration::from_secs(20), || {
        home.chela(&["status"]).ok().filter(|output| output.status.success())
    });
    let report = home.chela_json(&["tool", "run_command", r#"{"command":"echo ran"}"#]);
    kill(Pid::from_raw(chelad.id() as i32), Signal::SIGTERM).unwrap();
    chelad.wait().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    ready.unwrap_or_else(|why| panic!("{why}: {}", log()));
    let report = report.unwrap().to_string();
    assert!(report.contains("user namespaces") && report.contains("max_user_namespaces"), "{report}");
    assert!(!report.contains("ran\\n"), "{report}");
}
