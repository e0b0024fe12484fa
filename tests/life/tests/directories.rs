//! Directories of a person's own, through every real process: added by root, seen in sandboxes, their files still theirs.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::{procs, wait_for};
use life::directories::{ANN, BOB};
use life::{PATIENCE, Scene};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::{Value, json};

#[test]
fn a_directory_that_was_added_is_read_and_its_files_are_their_owners() {
    let scene = Scene::start("directories");
    let papers = scene.directory("papers");
    scene.add(&papers, &["--read-only"]);
    assert_eq!(scene.settled()[0]["in_use"], true);
    assert_eq!(scene.said("cat /directories/papers/letter.txt"), "dear bob\n");
    assert_eq!(scene.said("stat -c %u /directories/papers/letter.txt"), "1000\n", "the person's own, inside");
    let report = scene.command("echo x > /directories/papers/new; echo y >> /directories/papers/letter.txt; true");
    assert_eq!(report["effects"]["created"], json!([]), "{report:#}");
    let mut names: Vec<_> = fs::read_dir(&papers).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["letter.txt"]);
    assert_eq!(fs::read_to_string(papers.join("letter.txt")).unwrap(), "dear bob\n");
    assert_eq!(fs::metadata(papers.join("letter.txt")).unwrap().uid(), ANN);
    scene.audited();
    let removed = scene.directories(&["remove", "papers"]);
    assert_eq!(removed["told"], true, "{removed:#}");
    wait_for("its end", PATIENCE, || (scene.command("test ! -e /directories/papers")["exit_code"] == 0).then_some(()))
        .unwrap();
    scene.audited();
    scene.stop();
}

#[test]
fn another_owners_files_in_it_are_as_far_away_as_from_its_owner() {
    let scene = Scene::start("directories-other");
    let papers = scene.directory("papers");
    for (name, mode) in [("bobs-secret", 0o600), ("bobs-open", 0o644)] {
        fs::write(papers.join(name), "bob's\n").unwrap();
        fs::set_permissions(papers.join(name), fs::Permissions::from_mode(mode)).unwrap();
        chown(papers.join(name), Some(BOB), Some(BOB)).unwrap();
    }
    scene.add(&papers, &["--read-only"]);
    scene.settled();
    assert_ne!(scene.command("cat /directories/papers/bobs-secret")["exit_code"], 0);
    assert_eq!(scene.said("cat /directories/papers/bobs-open"), "bob's\n");
    scene.stop();
}

#[test]
fn a_link_in_it_leads_to_nothing_outside() {
    let scene = Scene::start("directories-link");
    let papers = scene.directory("papers");
    fs::write(scene.home.scratch().join("outside"), "outside\n").unwrap();
    symlink(scene.home.scratch().join("outside"), papers.join("out")).unwrap();
    symlink("../outside", papers.join("up")).unwrap();
    symlink("/etc/shadow", papers.join("shadow")).unwrap();
    scene.add(&papers, &["--read-only"]);
    scene.settled();
    for name in ["out", "up", "shadow"] {
        let report = scene.command(&format!("cat /directories/papers/{name}"));
        assert_ne!(report["exit_code"], 0, "{name}: {report:#}");
        assert!(!report["stdout"].as_str().unwrap().contains("outside"), "{report:#}");
    }
    scene.stop();
}

/// The person may put in place of their directory whatever they can move there: none of it is handed over.
#[test]
fn what_takes_the_place_of_a_directory_is_left_out_and_all_else_works() {
    let scene = Scene::start("directories-swap");
    let names = ["linked", "roots", "bobs", "gone", "sound"];
    let all: Vec<PathBuf> = names.iter().map(|name| scene.directory(name)).collect();
    for directory in &all {
        scene.add(directory, &["--read-only"]);
    }
    scene.settled();
    for directory in &all[..4] {
        fs::rename(directory, directory.with_extension("moved")).unwrap();
    }
    symlink("/etc", &all[0]).unwrap();
    lchown(&all[0], Some(ANN), Some(ANN)).unwrap();
    fs::create_dir(&all[1]).unwrap();
    fs::create_dir(&all[2]).unwrap();
    chown(&all[2], Some(BOB), Some(BOB)).unwrap();
    let again = scene.directory("again");
    scene.add(&again, &["--read-only"]);
    wait_for("the executor with it", PATIENCE, || {
        (scene.command("test -e /directories/again")["exit_code"] == 0).then_some(())
    })
    .unwrap();
    assert_eq!(scene.said("ls /directories"), "again\nsound\n");
    let list = scene.settled();
    let troubled = list.iter().filter(|one| !one["trouble"].is_null()).count();
    assert_eq!(troubled, 4, "{list:#?}");
    let log = scene.home.log(Role::Executor, 1);
    for name in &names[..4] {
        assert!(log.contains(&format!("read-only/{name}: ")), "{log}");
    }
    scene.audited();
    scene.stop();
}

#[test]
fn what_others_than_root_could_change_is_no_registry() {
    let scene = Scene::start("directories-registry");
    let papers = scene.directory("papers");
    scene.add(&papers, &["--read-only"]);
    scene.settled();
    let registry = scene.home.root().join("etc/directories/1/read-only");
    // Ann's own link, to Bob's directory, in a registry that she can write to.
    let bobs = scene.directory("bobs");
    chown(&bobs, Some(BOB), Some(BOB)).unwrap();
    symlink(&bobs, registry.join("mine")).unwrap();
    lchown(registry.join("mine"), Some(ANN), Some(ANN)).unwrap();
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o777)).unwrap();
    scene.chelad.signal(nix::sys::signal::Signal::SIGHUP).unwrap();
    let none = || scene.command("test ! -e /directories")["exit_code"] == 0;
    wait_for("an executor without any", PATIENCE, || none().then_some(())).unwrap();
    assert!(scene.home.log(Role::Executor, 1).contains("others than root can change it"));
    // Root's alone again: the link belongs to another than the directory does.
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o755)).unwrap();
    scene.chelad.signal(nix::sys::signal::Signal::SIGHUP).unwrap();
    let back = || scene.command("test -e /directories/papers")["exit_code"] == 0;
    wait_for("the directory", PATIENCE, || back().then_some(())).unwrap();
    assert_eq!(scene.said("ls /directories"), "papers\n");
    scene.stop();
}

#[test]
fn what_is_not_a_persons_own_is_refused_with_a_reason() {
    let scene = Scene::start("directories-refused");
    let papers = scene.directory("papers");
    scene.add(&papers, &["--read-only"]);
    let inner = papers.join("inner");
    fs::create_dir(&inner).unwrap();
    chown(&inner, Some(ANN), Some(ANN)).unwrap();
    let roots = scene.home.scratch().join("roots");
    fs::create_dir(&roots).unwrap();
    let file = papers.join("letter.txt");
    let state = scene.home.root().join("var/principals");
    for (directory, words) in [
        (Path::new("/"), "host's own"),
        (Path::new("/etc"), "host's own"),
        (&state, "Chela keeps"),
        (&inner, "added already"),
        (&roots, "belongs to root"),
        (&file, "not a directory"),
        (Path::new("/no/such"), "find"),
    ] {
        let answer = scene.directories(&["add", directory.to_str().unwrap(), "--read-only"]);
        let why = answer["error"].as_str().unwrap_or_default();
        assert!(why.contains(words), "{}: {answer:#}", directory.display());
    }
    let other = scene.directory("other");
    let answer = scene.directories(&["add", other.to_str().unwrap(), "--read-only", "--name", "papers"]);
    assert!(answer["error"].as_str().unwrap().contains("another directory has it"), "{answer:#}");
    let answer = scene.directories(&["add", other.to_str().unwrap(), "--read-only", "--as", "nobody-there"]);
    assert!(answer["error"].as_str().unwrap().contains("no principal"), "{answer:#}");
    scene.stop();
}

/// Everything of a tree that a person would notice, the staging directory aside.
fn look(directory: &Path) -> BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with(".chela-staging") {
            continue;
        }
        let info = path.symlink_metadata().unwrap();
        let content = if info.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if info.is_dir() {
            let inner = look(&path).into_iter();
            all.extend(inner.map(|(inner, node)| (PathBuf::from(path.file_name().unwrap()).join(inner), node)));
        }
        all.insert(path.file_name().unwrap().into(), (info.uid(), info.gid(), info.mode(), content));
    }
    all
}

fn times(directory: &Path) -> (i64, i64, i64, i64) {
    let (own, file) = (fs::metadata(directory).unwrap(), fs::metadata(directory.join("letter.txt")).unwrap());
    (own.mtime(), own.mtime_nsec(), file.mtime(), file.mtime_nsec())
}

const EDITS: &str = "echo more >> letter.txt && mkdir -p sub && echo new > sub/new && chmod 640 sub/new && rm old && \
                     ln -s letter.txt link && sed -i s/dear/hello/ letter.txt";

#[test]
fn what_a_command_changes_is_as_its_owner_would_have_left_it_and_undo_brings_it_back() {
    let scene = Scene::start("directories-write");
    let (papers, direct) = (scene.directory("papers"), scene.directory("direct"));
    for directory in [&papers, &direct] {
        fs::write(directory.join("old"), "old\n").unwrap();
        chown(directory.join("old"), Some(ANN), Some(ANN)).unwrap();
    }
    scene.add(&papers, &[]);
    scene.settled();
    assert_eq!(scene.said("ls -A /directories/papers"), "letter.txt\nold\n", "nothing of ours is in sight");
    let (before, times_before) = (look(&papers), times(&papers));
    let report = scene.command(&format!("cp /directories/papers/letter.txt here; cd /directories/papers && {EDITS}"));
    assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
    let all = report["effects"].to_string();
    for path in ["here", "/directories/papers/letter.txt", "/directories/papers/sub/new", "/directories/papers/old"] {
        assert!(all.contains(&format!("\"{path}\"")), "{path}: {all}");
    }
    assert!(!all.contains("chela-staging"), "{all}");
    let (ann, words) = (ANN.to_string(), format!("umask 022; {EDITS}"));
    let status = Command::new("setpriv")
        .args(["--reuid", &ann, "--regid", &ann, "--clear-groups", "sh", "-c", &words])
        .current_dir(&direct)
        .status();
    assert!(status.unwrap().success());
    assert_eq!(look(&papers), look(&direct), "as Ann would have left it");
    let action = report["action"].as_u64().unwrap().to_string();
    let undone = scene.home.chela_json(&["undo", &action]).unwrap();
    assert_eq!(undone["committed"], true, "{undone:#}");
    assert_eq!((look(&papers), times(&papers)), (before, times_before));
    assert!(!scene.home.root().join("var/principals/1/workspace/here").exists());
    let tool = |name: &str, arguments: Value| scene.home.chela_json(&["tool", name, &arguments.to_string()]).unwrap();
    let path = "/directories/papers/sub/deep/note";
    let wrote = tool("write_file", json!({ "path": path, "content": "by a tool\n" }));
    assert_eq!(wrote["committed"], true, "{wrote:#}");
    assert_eq!(tool("read_file", json!({ "path": path }))["stdout"], "by a tool\n");
    let listed = tool("list_files", json!({ "path": "/directories/papers" }));
    assert_eq!(listed["exit_code"], 0, "{listed:#}");
    assert!(!listed["stdout"].as_str().unwrap().contains("chela-staging"), "{listed:#}");
    let note = fs::metadata(papers.join("sub/deep/note")).unwrap();
    assert_eq!((note.uid(), note.gid()), (ANN, ANN));
    let away = tool("read_file", json!({ "path": "/directories/papers/.chela-staging/x" }));
    assert_ne!(away["exit_code"], 0, "{away:#}");
    let mine = scene.command("mkdir /directories/papers/.chela-staging");
    assert_eq!(mine["committed"], false, "{mine:#}");
    scene.audited();
    scene.stop();
}

#[test]
fn what_a_commit_may_not_change_is_left_and_so_is_all_else() {
    let scene = Scene::start("directories-deny");
    let papers = scene.directory("papers");
    let outside = scene.home.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(papers.join("bobs"), "bob's\n").unwrap();
    fs::set_permissions(papers.join("bobs"), fs::Permissions::from_mode(0o644)).unwrap();
    chown(papers.join("bobs"), Some(BOB), Some(BOB)).unwrap();
    symlink(&outside, papers.join("out")).unwrap();
    scene.add(&papers, &[]);
    scene.settled();
    let before = look(&papers);
    for command in [
        "echo x >> /directories/papers/bobs; chmod 777 /directories/papers/bobs",
        "echo x > /directories/papers/out/file",
        "rm -f /directories/papers/bobs",
    ] {
        let report = scene.command(command);
        let failed = report["exit_code"] != 0 || report["committed"] == false;
        assert!(failed, "{command}: {report:#}");
        assert_eq!(look(&papers), before, "{command}: {report:#}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    scene.stop();
}

#[test]
fn a_kill_in_the_middle_leaves_the_old_or_the_new_in_both() {
    let scene = Scene::start("directories-kill");
    let papers = scene.directory("papers");
    scene.add(&papers, &[]);
    scene.settled();
    let write = |round: u64| {
        format!("for i in $(seq 40); do for d in . /directories/papers; do echo {round} > $d/f$i; done; done")
    };
    let workspace = scene.home.root().join("var/principals/1/workspace");
    assert_eq!(scene.command(&write(0))["committed"], true);
    for round in 1..=12 {
        let arguments = json!({ "command": write(round) }).to_string();
        let mut command = scene.home.chela_command(&["tool", "run_command", &arguments, "--json"]).unwrap();
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(25 * round));
        if let Some(executor) = procs::find(scene.chelad.pid(), Role::Executor, 1) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(executor as i32), Signal::SIGKILL);
        }
        running.wait().unwrap();
        // Whatever was begun is finished or taken back before this runs.
        scene.said("true");
        let contents: BTreeSet<String> = (1..=40)
            .flat_map(|i| [workspace.join(format!("f{i}")), papers.join(format!("f{i}"))])
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        assert_eq!(contents.len(), 1, "round {round}: {contents:?}\n{}", scene.home.log(Role::Executor, 1));
    }
    let names = |at: PathBuf| fs::read_dir(at).unwrap().map(|e| e.unwrap().file_name()).collect::<BTreeSet<_>>();
    let staged = names(scene.home.root().join("var/principals/1/store/staging"));
    assert!(names(papers.join(".chela-staging")).is_subset(&staged), "nothing is left but what waits for a decision");
    scene.stop();
}
