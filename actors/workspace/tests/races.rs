//! Whoever may write to the workspace swaps a directory for a link that leads out, and a file for a link to another,
//! while transactions are staged, committed and undone: nothing outside is read, written or removed, in any round. What is
//! outside is compared with its times of change, which nobody can set: so also what was moved away and put back is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::Home;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use workspace::{Area, Change, State};

/// What only files outside say.
const SECRET: &str = "theirs";

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
        if renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_err() {
            continue;
        }
        let swapped = swaps.fetch_add(1, Ordering::Relaxed) + 1;
        if swapped.is_multiple_of(20) {
            // What belongs there is there, an even number of times: now and then a commit gets through, on a busy machine too.
            std::thread::sleep(Duration::from_millis(5));
        } else if swapped.is_multiple_of(5) {
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

/// How often an undo is tried while what it is to change is swapped.
const UNDONE_WITHIN: usize = 100;

/// What came of the rounds.
#[derive(Default, Debug)]
struct Came {
    committed: u64,
    refused: u64,
    undone: u64,
    last: String,
}

fn one_round(area: &mut Area, next: &mut u64, changes: &[Change], came: &mut Came) {
    let action = number(next);
    match area.stage_changes(action, changes) {
        Ok(effects) => {
            let told = |diff: &String| diff.contains(SECRET);
            assert!(!effects.list.iter().any(|effect| effect.diff.as_ref().is_some_and(told)), "{effects:?}");
        }
        Err(error) => {
            came.refused += 1;
            came.last = format!("stage: {error}");
            return;
        }
    }
    match area.commit(action, b"") {
        Ok(_) => came.committed += 1,
        Err(error) => {
            came.refused += 1;
            came.last = format!("commit: {error}");
            if area.state(action) == State::Staged {
                area.discard(action).unwrap();
            }
            return;
        }
    }
    // Until it is there again, so that the next round has something to change.
    for _ in 0..UNDONE_WITHIN {
        let undo = number(next);
        let staged = area.stage_undo(action, undo).is_ok_and(|undo| undo.conflicts.is_empty());
        if staged && area.commit(undo, b"").is_ok() {
            came.undone += 1;
            return;
        }
        if area.state(undo) == State::Staged {
            area.discard(undo).unwrap();
        }
    }
}

fn number(next: &mut u64) -> u64 {
    *next += 1;
    *next
}

/// Everything of what is outside that changes with it.
fn state(outside: &Path) -> BTreeMap<PathBuf, (u64, u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![outside.to_owned()];
    while let Some(path) = left.pop() {
        let data = fs::symlink_metadata(&path).unwrap();
        if data.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.insert(path, (data.ino(), data.nlink(), data.ctime(), data.ctime_nsec()));
    }
    found
}

/// A workspace that has in `d` what there is outside, under the same names.
fn prepared() -> (Home, PathBuf) {
    let home = home();
    let outside = home.dir.path().join("outside");
    for (dir, text) in [(&outside, SECRET), (&home.path("d"), "ours")] {
        fs::create_dir_all(dir.join("e/inner")).unwrap();
        for name in ["f", "e/f", "gone", "e/inner/gone", "several"] {
            fs::write(dir.join(name), format!("{text}\n")).unwrap();
        }
        fs::hard_link(dir.join("several"), dir.join("several-too")).unwrap();
    }
    (home, outside)
}

/// What is swapped for a link to the same of what is outside.
const SWAPPED: &[&str] = &["d", "d/e", "d/f", "d/gone", "d/several"];

/// Rounds in one workspace. A commit that was torn by a link may leave the next nothing to change, until it is opened anew.
const ROUNDS_IN_ONE: u64 = 50;

/// `swapped` is swapped for a link out while `changes` are committed and taken back, round by round.
fn race(swapped: &str, changes: impl Fn(u64) -> Vec<Change>) {
    let (mut came, mut swaps, mut round) = (Came::default(), 0, 0);
    // Where the machine is busy there may be many until a commit gets through.
    while round < rounds() || (came.committed == 0 && round < 20 * rounds()) {
        swaps += race_in_one(swapped, round, &changes, &mut came);
        round += ROUNDS_IN_ONE;
    }
    println!("{swaps} swaps in {round} rounds: {came:?}");
    assert!(came.committed > 0 && swaps > 0, "no race was run: {came:?}");
}

/// The same in one workspace; how often it was swapped.
fn race_in_one(swapped: &str, first: u64, changes: impl Fn(u64) -> Vec<Change>, came: &mut Came) -> u64 {
    let (home, outside) = prepared();
    symlink(outside.join(swapped.strip_prefix("d").unwrap().trim_start_matches('/')), home.path("swap")).unwrap();
    let before = state(&outside);
    let mut area = home.open();
    let (stop, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let (one, other) = (home.path(swapped), home.path("swap"));
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&one, &other, &stop, &swaps));
        let _stopping = Stopping(&stop);
        let mut next = 0;
        for round in first..first + ROUNDS_IN_ONE {
            one_round(&mut area, &mut next, &changes(round), came);
        }
    });
    assert_eq!(state(&outside), before, "{came:?}");
    // It can be opened again: nothing is left half done.
    drop(area);
    let (_, recovered) = home.reopen();
    assert!(recovered.finished.is_empty() && recovered.rolled_back.is_empty(), "{recovered:?}");
    assert_eq!(state(&outside), before);
    swaps.into_inner()
}

fn write(path: &str, round: u64) -> Change {
    Change::Write { path: path.into(), bytes: format!("round {round}\n").into_bytes(), mode: None }
}

fn delete(path: &str) -> Change {
    Change::Delete { path: path.into() }
}

/// Everything that an action can do to names: each kind of change, by itself.
type Kind = (&'static str, fn(u64) -> Vec<Change>);

const KINDS: &[Kind] = &[
    ("a file is made", |round| vec![write("d/new", round), write("d/e/new", round)]),
    ("a file is replaced", |round| vec![write("d/f", round), write("d/e/f", round)]),
    ("a file is removed", |_| vec![delete("d/gone"), delete("d/e/inner/gone")]),
    ("a directory is made", |round| vec![Change::MakeDirectory { path: b"d/dir".to_vec() }, write("d/dir/f", round)]),
    ("a directory is removed", |_| vec![delete("d/e")]),
    ("a directory is replaced by a file", |round| vec![delete("d/e"), write("d/e", round)]),
    ("a file of several names is written in place", |round| vec![write("d/several", round)]),
    ("permissions are changed", |round| {
        let mode = Some(0o600 + (round % 8) as u32);
        vec![Change::Write { path: b"d/f".to_vec(), bytes: b"ours\n".to_vec(), mode }]
    }),
    ("a tree is renamed", |_| vec![Change::Rename { from: b"d/e".to_vec(), to: b"d/moved".to_vec() }]),
];

/// Not a race: the swap comes at each point of a commit and of its undo, one after the other.
#[test]
fn a_link_out_at_any_point_of_a_commit_leads_no_change_out() {
    let mut led_out = Vec::new();
    for (kind, changes) in KINDS {
        for swapped in SWAPPED {
            for number in 0.. {
                let (home, outside) = prepared();
                let inner = swapped.strip_prefix("d").unwrap().trim_start_matches('/');
                symlink(outside.join(inner), home.path("swap")).unwrap();
                let before = state(&outside);
                let mut area = home.open();
                let count = Rc::new(Cell::new(0));
                let (passed, one, other) = (count.clone(), home.path(swapped), home.path("swap"));
                area.on_point(Box::new(move |_| {
                    if passed.get() == number {
                        // A file that the action has just removed can't be swapped.
                        let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
                    }
                    passed.set(passed.get() + 1);
                }));
                one_round(&mut area, &mut 0, &changes(number), &mut Came::default());
                drop(area);
                drop(home.reopen());
                if state(&outside) != before {
                    led_out.push(format!("{kind}, {swapped} swapped at point {number}"));
                }
                if count.get() <= number {
                    break;
                }
            }
        }
    }
    assert!(led_out.is_empty(), "{led_out:#?}");
}

/// Files of the workspace that hold what was in it at first, under whatever name.
fn ours(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let count = |entry: fs::DirEntry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => ours(&entry.path()),
        kind if kind.is_file() => usize::from(fs::read(entry.path()).unwrap() == b"ours\n"),
        _ => 0,
    };
    entries.map(count).sum()
}

/// A commit that is refused because somebody moved a directory away in the middle of it loses nothing: what it had taken out
/// of there already is put back, or beside it.
#[test]
fn a_refused_commit_loses_nothing_of_a_directory_that_was_moved_away() {
    let (mut lost, mut refused) = (Vec::new(), 0);
    for (kind, changes) in KINDS {
        for swapped in ["d", "d/e"] {
            for number in 0.. {
                let (home, outside) = prepared();
                symlink(outside.join(swapped.strip_prefix("d").unwrap().trim_start_matches('/')), home.path("swap"))
                    .unwrap();
                let before = ours(&home.path(""));
                let mut area = home.open();
                area.stage_changes(1, &changes(number)).unwrap();
                let count = Rc::new(Cell::new(0));
                let (passed, one, other) = (count.clone(), home.path(swapped), home.path("swap"));
                area.on_point(Box::new(move |_| {
                    if passed.get() == number {
                        let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
                    }
                    passed.set(passed.get() + 1);
                }));
                if area.commit(1, b"").is_err() && area.state(1) == State::Staged && area.discard(1).is_ok() {
                    refused += 1;
                    let now = ours(&home.path(""));
                    if now < before {
                        lost.push(format!(
                            "{kind}, {swapped} moved away at point {number}: {now} of {before} are left"
                        ));
                    }
                }
                if count.get() <= number {
                    break;
                }
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(refused > 10, "{refused}");
}

#[test]
fn a_directory_that_becomes_a_link_out_leads_no_write_out() {
    race("d", |round| vec![write("d/f", round), write("d/e/f", round), write("d/new", round)]);
}

#[test]
fn a_directory_that_becomes_a_link_out_leads_no_removal_out() {
    race("d", |_| vec![delete("d/gone"), delete("d/e/inner/gone")]);
}

#[test]
fn a_directory_that_becomes_a_link_out_leads_no_directory_out() {
    race("d", |round| vec![Change::MakeDirectory { path: b"d/dir".to_vec() }, write("d/dir/f", round), delete("d/e")]);
}

#[test]
fn a_directory_below_that_becomes_a_link_out_leads_no_replacement_out() {
    race("d/e", |round| vec![write("d/e/f", round), delete("d/e/inner")]);
}

#[test]
fn a_file_that_becomes_a_link_is_not_written_through() {
    race("d/f", |round| vec![write("d/f", round)]);
}

#[test]
fn a_file_that_becomes_a_link_is_removed_and_not_what_it_leads_to() {
    race("d/gone", |_| vec![delete("d/gone")]);
}
