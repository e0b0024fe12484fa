//! Whoever may write to the workspace swaps a directory for a link that leads out, and a file for a link to another,
//! while transactions are staged, committed and undone: nothing outside is read, written or removed, in any round.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{Home, look};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use workspace::{Area, Change, State};

/// Rounds of each race: the ten thousand in a long run.
fn rounds() -> u64 {
    if std::env::var_os("CHELA_LONG").is_some() { 10_000 } else { 400 }
}

/// A memory file system where there is one: the race is for the paths, not for the disk.
fn home() -> Home {
    match tempfile::Builder::new().prefix("chela-races").tempdir_in("/dev/shm") {
        Ok(dir) => Home::at(dir),
        Err(_) => Home::new(),
    }
}

/// Swaps two paths until told to stop; how often.
fn swap(one: &Path, other: &Path, stop: &AtomicBool, swaps: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        if renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
            && swaps.fetch_add(1, Ordering::Relaxed).is_multiple_of(5)
        {
            // Now and then a commit gets through.
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

/// Stops the swapping, also when a round fails.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What came of the rounds.
#[derive(Default, Debug)]
struct Came {
    committed: u64,
    refused: u64,
    undone: u64,
}

fn one_round(area: &mut Area, action: u64, changes: &[Change], came: &mut Came) {
    if area.stage_changes(action, changes).is_err() {
        came.refused += 1;
        return;
    }
    match area.commit(action, b"") {
        Ok(_) => came.committed += 1,
        Err(_) => {
            came.refused += 1;
            if area.state(action) == State::Staged {
                area.discard(action).unwrap();
            }
            return;
        }
    }
    let undo = action + 1;
    if area.stage_undo(action, undo).is_ok_and(|undo| undo.conflicts.is_empty()) && area.commit(undo, b"").is_ok() {
        came.undone += 1;
    }
    if area.state(undo) == State::Staged {
        area.discard(undo).unwrap();
    }
}

/// `prepare` says what is swapped with what; `changes` what is committed meanwhile.
fn race(prepare: impl Fn(&Home, &Path), swapped: (&str, &str), changes: impl Fn(u64) -> Vec<Change>) {
    let home = home();
    let outside = home.dir.path().join("outside");
    fs::create_dir_all(outside.join("e")).unwrap();
    for name in ["f", "e/f", "gone"] {
        fs::write(outside.join(name), "theirs\n").unwrap();
    }
    prepare(&home, &outside);
    let before = look(&outside);
    let mut area = home.open();
    let (stop, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut came = Came::default();
    let (one, other) = (home.path(swapped.0), home.path(swapped.1));
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&one, &other, &stop, &swaps));
        let _stopping = Stopping(&stop);
        for round in 0..rounds() {
            one_round(&mut area, 2 * round + 1, &changes(round), &mut came);
        }
    });
    println!("{} swaps in {} rounds: {came:?}", swaps.load(Ordering::Relaxed), rounds());
    assert_eq!(look(&outside), before, "{came:?}");
    assert!(came.committed > 0 && swaps.load(Ordering::Relaxed) > 0, "no race was run: {came:?}");
    // It can be opened again: nothing is left half done.
    drop(area);
    let (_, recovered) = home.reopen();
    assert!(recovered.finished.is_empty() && recovered.rolled_back.is_empty(), "{recovered:?}");
    assert_eq!(look(&outside), before);
}

fn write(path: &str, round: u64) -> Change {
    Change::Write { path: path.into(), bytes: format!("round {round}\n").into_bytes(), mode: None }
}

#[test]
fn a_directory_that_becomes_a_link_out_leads_no_write_out() {
    race(
        |home, outside| {
            fs::create_dir_all(home.path("d/e")).unwrap();
            symlink(outside, home.path("swap")).unwrap();
        },
        ("d", "swap"),
        |round| vec![write("d/f", round), write("d/e/f", round)],
    );
}

#[test]
fn a_directory_that_becomes_a_link_out_leads_no_removal_out() {
    race(
        |home, outside| {
            fs::create_dir(home.path("d")).unwrap();
            home.write("d/gone", "theirs\n");
            symlink(outside, home.path("swap")).unwrap();
        },
        ("d", "swap"),
        |_| vec![Change::Delete { path: b"d/gone".to_vec() }],
    );
}

#[test]
fn a_file_that_becomes_a_link_is_not_written_through() {
    race(
        |home, outside| {
            home.write("f", "ours\n");
            symlink(outside.join("f"), home.path("swap")).unwrap();
        },
        ("f", "swap"),
        |round| vec![write("f", round)],
    );
}
