//! `chela setup` and `chela doctor` where something is wrong: a message that names the object and the way out, the exit
//! status, and nothing left behind.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use harness::{Home, programs_dir, require_root};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// A directory of a test's own, unmounted and removed at its end.
struct Scratch {
    dir: PathBuf,
    mounted: bool,
}

impl Scratch {
    fn new(name: &str) -> Scratch {
        require_root().unwrap();
        let dir = std::env::temp_dir().join(format!("chela-environment-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Scratch { dir, mounted: false }
    }

    fn tmpfs(name: &str, options: &str, flags: MsFlags) -> Scratch {
        let mut scratch = Scratch::new(name);
        mount(Some("tmpfs"), &scratch.dir, Some("tmpfs"), flags, Some(options)).unwrap();
        scratch.mounted = true;
        scratch
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.dir).unwrap().next().is_none()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.mounted {
            umount2(&self.dir, MntFlags::MNT_DETACH).unwrap_or_default();
        }
        drop(fs::remove_dir_all(&self.dir));
    }
}

fn chela(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(programs_dir().unwrap().join("chela"));
    command.arg("--root").arg(root).args(args);
    command
}

fn setup(root: &Path, args: &[&str]) -> Output {
    chela(root, &[&["setup", "--owner-uid", "0", "--yes"], args].concat()).output().unwrap()
}

/// Exit status 1, and every one of the words on standard error.
#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// The registry has no line for anything below `dir`.
#[track_caller]
fn unregistered(dir: &Path) {
    let registry = fs::read_to_string("/etc/chela/roots").unwrap_or_default();
    assert!(!registry.contains(&*dir.to_string_lossy()), "{registry}");
}

#[test]
fn not_root_is_told_so_and_how() {
    let scratch = Scratch::new("not-root");
    let program = scratch.dir.join("chela");
    fs::copy(programs_dir().unwrap().join("chela"), &program).unwrap();
    let mut command = Command::new(&program);
    command.arg("--root").arg(scratch.dir.join("root")).args(["setup", "--yes"]).uid(65_534).gid(65_534);
    let output = loop {
        match command.output() {
            // Another test's process, forked while the program was written, has it open until it has become its own.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => sleep(Duration::from_millis(10)),
            output => break output.unwrap(),
        }
    };
    refused(&output, &["needs root", "sudo"]);
    assert!(!scratch.dir.join("root").exists());
    unregistered(&scratch.dir);
}

#[test]
fn no_space_leaves_nothing_behind() {
    let scratch = Scratch::tmpfs("no-space", "size=1m", MsFlags::empty());
    refused(&setup(&scratch.dir.join("root"), &[]), &["MiB free", "make room", "--root"]);
    assert!(scratch.is_empty());
    unregistered(&scratch.dir);
}

#[test]
fn a_disk_that_fills_up_midway_leaves_nothing_behind() {
    // Room by bytes, none by files: it fails after the first directories.
    let scratch = Scratch::tmpfs("no-inodes", "size=64m,nr_inodes=5", MsFlags::empty());
    refused(&setup(&scratch.dir.join("root"), &[]), &["No space left", "ake room"]);
    assert!(scratch.is_empty(), "{:?}", fs::read_dir(&scratch.dir).unwrap().collect::<Vec<_>>());
    unregistered(&scratch.dir);
}

#[test]
fn a_read_only_place_is_named() {
    let scratch = Scratch::tmpfs("read-only", "size=64m", MsFlags::MS_RDONLY);
    refused(&setup(&scratch.dir.join("root"), &[]), &["read-only", &scratch.dir.to_string_lossy(), "--root"]);
    assert!(scratch.is_empty());
    unregistered(&scratch.dir);
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let scratch = Scratch::new("loose");
    nix::unistd::chown(&scratch.dir, Some(65_534.into()), None).unwrap();
    refused(&setup(&scratch.dir, &[]), &["belongs to user id 65534", "chown root"]);
    assert!(scratch.is_empty());
    unregistered(&scratch.dir);
}

#[test]
fn a_model_file_that_is_missing_or_wrong_is_refused() {
    let scratch = Scratch::new("model");
    let root = scratch.dir.join("root");
    let missing = scratch.dir.join("none.gguf");
    refused(&setup(&root, &["--model", &missing.to_string_lossy()]), &["none.gguf", "No such file"]);
    let wrong = scratch.dir.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    fs::write(&wrong, b"GGUF, but not that one").unwrap();
    refused(&setup(&root, &["--model", &wrong.to_string_lossy()]), &["SHA-256", "./x setup"]);
    let other = scratch.dir.join("other.gguf");
    fs::write(&other, b"not a model").unwrap();
    refused(&setup(&root, &["--model", &other.to_string_lossy()]), &["GGUF"]);
    assert!(!root.exists(), "what a failed setup made is taken back");
    unregistered(&scratch.dir);
}

#[test]
fn setup_twice_changes_nothing_and_forget_takes_it_back() {
    let home = Home::new("twice").unwrap();
    let before = fs::read_to_string(home.root().join("etc/uids")).unwrap();
    let report = home.chela_json(&["setup", "--owner-uid", "0", "--yes"]).unwrap();
    assert_eq!(report["changed"].as_array().map(Vec::len), Some(0), "{report}");
    assert_eq!(fs::read_to_string(home.root().join("etc/uids")).unwrap(), before);
    let output = home.chela(&["setup", "--owner-uid", "12345", "--yes"]).unwrap();
    refused(&output, &["gate.toml", "user id 0", "12345"]);
    let root = home.root();
    assert!(chela(&root, &["setup", "--forget"]).arg(&root).status().unwrap().success());
    unregistered(&root);
    assert!(!root.join("etc/uids").exists());
}

#[test]
fn a_copy_of_a_root_does_not_get_its_ids() {
    let home = Home::new("copy").unwrap();
    let copy = home.scratch().join("copy");
    assert!(Command::new("cp").arg("-a").arg(home.root()).arg(&copy).status().unwrap().success());
    refused(&setup(&copy, &[]), &["two roots must not share ids", "etc/uids"]);
}

#[test]
fn doctor_says_what_a_root_lacks() {
    let home = Home::new("doctor").unwrap();
    let healthy = home.chela_json(&["doctor"]).unwrap();
    let model_is_there = home.root().join("etc/model.gguf").exists();
    assert_eq!(healthy["ok"], model_is_there, "{healthy:#}");
    let link = home.root().join("etc/model.gguf");
    drop(fs::remove_file(&link));
    symlink("/nonexistent/model.gguf", &link).unwrap();
    fs::remove_file(home.root().join("etc/gate/gate.toml")).unwrap();
    let output = home.chela(&["doctor"]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["model.gguf", "gate.toml", "fix:", "./x setup"] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let sick = home.chela_json(&["doctor"]).unwrap();
    assert_eq!(sick["ok"], false, "{sick:#}");
}
