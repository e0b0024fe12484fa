//! A rehearsal that something was committed since is out of date, also where nothing that it changes was changed: who ran it
//! may have read what was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use common::{Home, assert_same};
use workspace::{Area, Change, CommitError, State};

fn write(path: &str, text: &str) -> Change {
    Change::Write { path: path.into(), bytes: text.as_bytes().to_vec(), mode: None }
}

fn outdated(area: &mut Area, action: u64) -> u64 {
    match area.commit(action, b"") {
        Err(CommitError::Outdated { action: told, commits }) if told == action => commits,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_commit_and_each_undo_counts() {
    let home = Home::new();
    let mut area = home.open();
    assert_eq!(area.counter(), 0);
    area.stage_changes(1, &[write("a", "1")]).unwrap();
    area.stage_changes(2, &[write("b", "2")]).unwrap();
    area.discard(2).unwrap();
    assert_eq!(area.counter(), 0);
    area.commit(1, b"").unwrap();
    assert_eq!(area.counter(), 1);
    assert_eq!(area.stage_undo(1, 3).unwrap().conflicts, []);
    area.commit(3, b"").unwrap();
    assert_eq!(area.counter(), 2);
    drop(area);
    assert_eq!(home.open().counter(), 2);
}

#[test]
fn what_was_committed_meanwhile_makes_a_rehearsal_outdated() {
    let home = Home::new();
    home.write("read", "old");
    let mut area = home.open();
    area.begin_rehearsal(1);
    let layer = home.rehearse("cat read > copy");
    area.stage_changes(2, &[write("read", "new")]).unwrap();
    area.commit(2, b"").unwrap();
    // Staged afterwards, but it has seen what was before.
    area.stage(1, &mut &layer[..]).unwrap();
    let before = home.look();
    assert_eq!(outdated(&mut area, 1), 1);
    assert_same(&home.look(), &before, "an outdated action changed something");
    assert_eq!(area.state(1), State::Staged);
    // Rehearsed again, it is what it would have been.
    area.unstage(1).unwrap();
    assert_eq!(area.state(1), State::Unknown);
    area.begin_rehearsal(1);
    home.stage(&mut area, 1, "cat read > copy").unwrap();
    area.commit(1, b"").unwrap();
    assert_eq!(std::fs::read_to_string(home.path("copy")).unwrap(), "new");
}

#[test]
fn what_is_staged_is_outdated_after_a_restart_too() {
    let home = Home::new();
    let mut area = home.open();
    for action in 1..4 {
        area.stage_changes(action, &[write(&format!("file{action}"), "text")]).unwrap();
    }
    area.commit(1, b"").unwrap();
    drop(area);
    let mut area = home.open();
    assert_eq!(outdated(&mut area, 2), 1);
    area.unstage(2).unwrap();
    area.stage_changes(2, &[write("file2", "text")]).unwrap();
    area.commit(2, b"").unwrap();
    drop(area);
    let mut area = home.open();
    assert_eq!((outdated(&mut area, 3), area.counter()), (2, 2));
    assert!(!home.path("file3").exists());
}
