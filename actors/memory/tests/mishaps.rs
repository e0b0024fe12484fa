//! What the disk can do to a database: nothing is lost, nothing begins anew in silence, everything goes on by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::*;
use schema::edge::memory::{Answer, Ask};

fn set_aside(home: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let aside = names.filter(|path| path.to_string_lossy().contains("memory.db.damaged-"));
    aside.filter(|path| !path.to_string_lossy().ends_with("-wal")).collect()
}

fn filled(home: &Path) {
    let mut store = journal(home);
    for n in 0..200 {
        let turn = new_turn(&mut store, &format!("m{n}"), &"words ".repeat(50));
        stored(one(&mut store, step(turn, 0, said(&"more words ".repeat(40)))));
        stored(one(&mut store, finish(turn, "ok")));
    }
}

const CHILD: &str = "CHELA_TEST_APPENDS_TO";

/// This test is its own child: told a directory, it appends there and says each turn once it is answered.
#[test]
fn what_was_answered_survives_a_kill() {
    if let Some(home) = std::env::var_os(CHILD) {
        let mut store = journal(Path::new(&home));
        for n in 0.. {
            let turn = new_turn(&mut store, &format!("m{n}"), "hi");
            stored(one(&mut store, step(turn, 0, said("x"))));
            println!("\nanswered {turn}");
        }
    }
    let home = tempfile::tempdir().unwrap();
    let mut highest = 0;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_answered_survives_a_kill", "--nocapture"])
            .env(CHILD, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 20 + round * 7 {
            if let Some(turn) = lines.next().unwrap().unwrap().strip_prefix("answered ") {
                highest = turn.parse().unwrap();
                seen += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts, too.
        for line in lines.map_while(Result::ok) {
            if let Some(turn) = line.strip_prefix("answered ").and_then(|turn| turn.parse().ok()) {
                highest = turn;
            }
        }
        let mut store = journal(home.path());
        let open = open_turns(&mut store);
        assert!(open.starts_with(&(1..=highest).collect::<Vec<u64>>()), "{} of {highest}", open.len());
        for turn in 1..=highest {
            assert_eq!(load(&mut store, turn).unwrap().steps.len(), 1);
        }
    }
}

#[test]
fn a_damaged_database_is_set_aside_and_not_replaced_by_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    filled(home.path());
    let path = home.path().join("memory.db");
    let before = fs::metadata(&path).unwrap().len();
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    for page in 2..10 {
        file.write_all_at(&[0xa5; 200], page * 4096).unwrap();
    }
    let mut store = journal(home.path());
    let reason = failed(one(&mut store, receive("new", "hi")));
    let aside = set_aside(home.path());
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::metadata(&aside[0]).unwrap().len(), before);
    assert!(reason.contains(&*aside[0].to_string_lossy()) && reason.contains("backup"), "{reason}");
    // It stays refused, also by the next instance, and is not set aside twice.
    failed(one(&mut journal(home.path()), receive("new", "hi")));
    failed(one(&mut store, Ask::OpenTurns));
    assert_eq!(set_aside(home.path()).len(), 1);
    assert!(!path.exists());
    // The way out that the message names works without a restart.
    fs::rename(&aside[0], home.path().join("elsewhere")).unwrap();
    assert_eq!(turn(one(&mut store, receive("new", "hi"))), (1, false));
}

#[test]
fn a_backup_in_its_place_is_taken_up_without_a_restart() {
    let home = tempfile::tempdir().unwrap();
    filled(home.path());
    let path = home.path().join("memory.db");
    let backup = fs::read(&path).unwrap();
    fs::write(&path, b"SQLite format 3\0 but nothing else").unwrap();
    let mut store = journal(home.path());
    failed(one(&mut store, Ask::OpenTurns));
    fs::write(&path, backup).unwrap();
    assert_eq!(turn(one(&mut store, receive("m7", "hi"))), (8, true));
}

#[test]
fn damage_that_shows_only_while_it_is_read_is_found() {
    let home = tempfile::tempdir().unwrap();
    filled(home.path());
    let mut store = journal(home.path());
    // More than its cache holds: what was looked at when it was opened is not read again.
    for n in 200..320 {
        let turn = new_turn(&mut store, &format!("m{n}"), &"words ".repeat(5000));
        stored(one(&mut store, finish(turn, "ok")));
    }
    drop(store);
    let mut store = journal(home.path());
    store.ensure_open().unwrap();
    // Every page but the first, behind the back of the open database.
    let mut file = fs::OpenOptions::new().write(true).open(home.path().join("memory.db")).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0xa5; (pages as usize - 1) * 4096]).unwrap();
    let answers: Vec<Answer> = (1..=200).map(|turn| one(&mut store, Ask::LoadTurn { turn })).collect();
    assert!(answers.iter().any(|answer| matches!(answer, Answer::Failed { .. })));
    assert_eq!(set_aside(home.path()).len(), 1);
}

#[test]
fn an_emptied_a_missing_and_a_misplaced_database_are_refused() {
    let home = tempfile::tempdir().unwrap();
    filled(home.path());
    fs::write(home.path().join("memory.db"), b"").unwrap();
    failed(one(&mut journal(home.path()), Ask::OpenTurns));
    assert_eq!(set_aside(home.path()).len(), 1);

    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("memory.db-wal"), b"x").unwrap();
    assert!(failed(one(&mut journal(home.path()), Ask::OpenTurns)).contains("memory.db-wal"));

    let home = tempfile::tempdir().unwrap();
    house(home.path()).ensure_open().unwrap();
    failed(one(&mut journal(home.path()), Ask::OpenTurns));
}

#[test]
fn a_half_made_database_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("memory.db.new"), b"half").unwrap();
    fs::write(home.path().join("memory.db.new-journal"), b"half").unwrap();
    assert_eq!(turn(one(&mut journal(home.path()), receive("m1", "hi"))), (1, false));
    assert!(!home.path().join("memory.db.new").exists());
}

#[test]
fn a_newer_releases_database_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    filled(home.path());
    let path = home.path().join("memory.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let reason = failed(one(&mut journal(home.path()), Ask::OpenTurns));
    assert!(reason.contains("version 99"), "{reason}");
    assert!(path.exists() && set_aside(home.path()).is_empty());
}

#[test]
fn a_second_store_on_the_same_directory_is_kept_out() {
    let home = tempfile::tempdir().unwrap();
    let mut first = journal(home.path());
    new_turn(&mut first, "m1", "hi");
    let reason = failed(one(&mut journal(home.path()), receive("m2", "hi")));
    assert!(reason.contains("locked"), "{reason}");
    new_turn(&mut first, "m3", "hi");
}

#[test]
fn what_is_written_is_small_and_the_log_does_not_grow_without_end() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    for n in 0..600 {
        new_turn(&mut store, &format!("m{n}"), &"x".repeat(4000));
    }
    let log = fs::metadata(home.path().join("memory.db-wal")).unwrap().len();
    assert!(log < 4 << 20, "{log}");
}

/// A file system of 1 MiB, taken away at the end.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Tiny {
        let home = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(home.path())
            .status()
            .expect("mount is installed");
        assert!(mounted.success(), "this test mounts a small file system: run it as root (./x test says how)");
        Tiny(home)
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_changes_nothing_and_room_lets_it_go_on() {
    let tiny = Tiny::mount();
    let home = tiny.0.path();
    let mut store = journal(home);
    let mut turns = 0;
    let reason = loop {
        match one(&mut store, receive(&format!("m{turns}"), &"x".repeat(20_000))) {
            Answer::Received { .. } => turns += 1,
            answer => break failed(answer),
        }
        assert!(turns < 1000);
    };
    assert!(reason.contains("full") && reason.contains("memory.db"), "{reason}");
    assert!(turns > 3);
    let open = open_turns(&mut store);
    assert_eq!(open, (1..=turns).collect::<Vec<u64>>(), "reading goes on, and the failed one is not there");
    // In a group, the small one still fits or fails for itself; none is half there.
    store.answer(&[receive("big", &"y".repeat(300_000)), Ask::OpenTurns]);
    assert_eq!(open_turns(&mut store), open);
    let remount = Command::new("mount").args(["-o", "remount,size=4m"]).arg(home).status().unwrap();
    assert!(remount.success());
    assert!(!turn(one(&mut store, receive("after", "hi"))).1);
    drop(store);
    assert_eq!(open_turns(&mut journal(home)).len() as u64, turns + 1);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_no_damage() {
    let tiny = Tiny::mount();
    let home = tiny.0.path();
    let filler = home.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    let written = std::io::copy(&mut std::io::repeat(1).take(2 << 20), &mut file);
    assert!(written.is_err(), "the disk is full");
    let mut store = journal(home);
    let reason = failed(one(&mut store, receive("m1", "hi")));
    assert!(reason.contains("full"), "{reason}");
    // Frees the room now: a process that another test is just starting may hold the file a moment longer.
    file.set_len(0).unwrap();
    drop(file);
    fs::remove_file(filler).unwrap();
    assert_eq!(turn(one(&mut store, receive("m1", "hi"))), (1, false));
}
