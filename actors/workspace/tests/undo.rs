//! Undo: what was committed is taken back, byte for byte, in any order; what somebody has changed since is theirs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;

use common::{Home, assert_same, lines, timeless};
use workspace::{Area, Change, Conflict, ConflictKind, Limits, State, UndoError};

fn home(make: &str) -> Home {
    let home = Home::new();
    home.run(make);
    home
}

fn commit(home: &Home, area: &mut Area, action: u64, script: &str) {
    home.stage(area, action, script).unwrap();
    area.commit(action, b"").unwrap();
}

fn undo(area: &mut Area, action: u64, as_action: u64) {
    let undo = area.stage_undo(action, as_action).unwrap();
    assert_eq!(undo.conflicts, []);
    area.commit(as_action, b"").unwrap();
    assert_eq!(area.state(action), State::Undone { by: as_action });
    assert_eq!(area.state(as_action), State::Committed { undoable: true });
}

/// Commits the script, takes it back, takes that back, and that: each time all is as it was, times included.
#[track_caller]
fn there_and_back(make: &str, script: &str) {
    let home = home(make);
    let before = home.look();
    let mut area = home.open();
    commit(&home, &mut area, 1, script);
    let after = home.look();
    undo(&mut area, 1, 2);
    assert_same(&home.look(), &before, &format!("undo of {script}"));
    undo(&mut area, 2, 3);
    assert_eq!(area.state(1), State::Committed { undoable: true });
    assert_same(&home.look(), &after, &format!("undo of the undo of {script}"));
    // As well in a process that was started since.
    drop(area);
    let mut area = home.open();
    assert_eq!(area.state(1), State::Committed { undoable: true });
    assert_eq!(area.state(2), State::Undone { by: 3 });
    undo(&mut area, 3, 4);
    assert_eq!(area.state(3), State::Undone { by: 4 });
    assert_eq!(area.state(1), State::Undone { by: 2 });
    assert_same(&home.look(), &before, &format!("third undo of {script}"));
}

const TREE: &str = "echo a > a; ln a a2; ln a a3; mkdir -p d/e; echo 1 > d/1; echo 2 > d/e/2; ln -s a l; echo x > x; \
                    seq 100000 > long; truncate -s 20M sparse; echo y | dd of=sparse bs=1 seek=9000000 conv=notrunc \
                    2>/dev/null; touch -d @5.5 x d/1; touch -h -d @7 l; python3 -c 'import os; os.setxattr(\"x\", \
                    \"user.k\", b\"v\")'; chmod 640 x; chmod 555 d/e; touch -d @9.25 d/e d";

#[test]
fn every_kind_of_change_is_taken_back() {
    there_and_back(TREE, "echo more >> x; echo n > n; mkdir -p m/m; echo o > m/m/o");
    there_and_back(TREE, "rm x long l; rm sparse");
    there_and_back(TREE, "chmod 755 d/e; rm -r d");
    there_and_back(TREE, "chmod 600 x; chmod 700 d; python3 -c 'import os; os.removexattr(\"x\", \"user.k\")'");
    there_and_back(TREE, "rm l; mkdir l; chmod 755 d/e; rm -r d; echo d > d; rm x; ln -s y x");
    there_and_back(TREE, "truncate -s 1M sparse; seq 5 > long");
    there_and_back(TREE, "mv d/1 moved; mv x d/x");
}

#[test]
fn links_are_taken_back() {
    there_and_back(TREE, "echo more >> a");
    there_and_back(TREE, "rm a2");
    there_and_back(TREE, "rm a a2 a3");
    there_and_back(TREE, "echo new > n; mv n a");
    there_and_back(TREE, "mv a b; ln a2 c");
    there_and_back(TREE, "ln x d/x; chmod 600 a3");
    there_and_back(TREE, "echo more >> a; rm a2");
    there_and_back(TREE, "echo more >> a3; rm a a2");
    there_and_back(TREE, "chmod 600 a2; rm a; echo new > a3.new; mv a3.new a3");
    there_and_back(TREE, "ln a d/a; echo more >> d/a");
    there_and_back("echo b > b", "setfattr -n user.k -v v b; ln b c");
}

#[test]
fn a_name_of_a_file_that_was_changed_since_comes_back_as_it_was() {
    let home = home("echo a > a; ln a b");
    let mut area = home.open();
    commit(&home, &mut area, 1, "rm a");
    fs::write(home.path("b"), "changed\n").unwrap();
    undo(&mut area, 1, 2);
    assert_eq!(fs::read_to_string(home.path("a")).unwrap(), "a\n");
    assert_eq!(fs::read_to_string(home.path("b")).unwrap(), "changed\n");
}

#[test]
fn the_store_does_not_keep_the_last_name_of_a_file() {
    let home = home("echo a > a; ln a b");
    let mut area = home.open();
    commit(&home, &mut area, 1, "rm a");
    let link = home.store().join("undo/1/link-0");
    assert_eq!(fs::metadata(&link).unwrap().nlink(), 2);
    let before = home.look();
    commit(&home, &mut area, 2, "rm b");
    assert!(!link.exists(), "a content is left in plain");
    undo(&mut area, 2, 3);
    assert_same(&home.look(), &before, "the undo of the last");
    undo(&mut area, 1, 4);
    assert_eq!(fs::read_to_string(home.path("a")).unwrap(), "a\n");
}

#[test]
fn actions_are_taken_back_in_any_order() {
    let make = "mkdir a b c; for d in a b c; do echo $d > $d/f; echo $d > $d/g; done";
    let scripts = ["echo 1 >> a/f; rm a/g; mkdir a/n", "mv b/f b/h; echo 2 > b/n", "rm -r c; echo c > c"];
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let home = home(make);
        let before = home.look();
        let mut area = home.open();
        for (action, script) in (1..).zip(scripts) {
            commit(&home, &mut area, action, script);
        }
        for action in order {
            undo(&mut area, action, action + 10);
        }
        assert_same(&timeless(&home.look()), &timeless(&before), &format!("in the order {order:?}"));
    }
}

#[test]
fn what_was_changed_since_is_a_conflict_and_nothing_is_staged() {
    let home = home("mkdir d; echo 1 > d/1; echo a > a; echo b > b; mkdir gone; echo c > c");
    let mut area = home.open();
    commit(&home, &mut area, 1, "echo x >> a; rm b; mkdir n; echo n > n/n; rm -r gone d; chmod 600 c");
    home.write("a", "by hand\n");
    home.write("b", "by hand\n");
    home.write("n/more", "by hand\n");
    home.run("mkdir d; chmod 666 c; rm n/n");
    let before = home.look();
    let undo = area.stage_undo(1, 2).unwrap();
    let conflict = |path: &str, kind| Conflict { path: path.as_bytes().to_vec(), kind };
    let expected = [
        conflict("a", ConflictKind::Changed),
        conflict("b", ConflictKind::Appeared),
        conflict("c", ConflictKind::Changed),
        conflict("d", ConflictKind::Appeared),
        conflict("n/more", ConflictKind::Appeared),
        conflict("n/n", ConflictKind::Vanished),
    ];
    assert_eq!(undo.conflicts, expected);
    assert_eq!(area.state(2), State::Unknown);
    assert_eq!(area.state(1), State::Committed { undoable: true });
    assert_same(&home.look(), &before, "the conflict");
    home.run("printf 'a\\nx\\n' > a; rm b n/more; rmdir d; chmod 600 c; echo n > n/n");
    let undone = area.stage_undo(1, 2).unwrap();
    assert_eq!(undone.conflicts, []);
    assert_eq!(
        lines(&undone.effects),
        [
            "~ file a",
            "+ file b",
            "~ file c",
            "+ directory d",
            "+ file d/1",
            "+ directory gone",
            "- directory n",
            "- file n/n"
        ]
    );
}

#[test]
fn only_what_stands_can_be_undone() {
    let home = home("echo a > a");
    let mut area = home.open();
    let refused = |area: &mut Area, action| match area.stage_undo(action, 90) {
        Err(UndoError::NotUndoable { state, .. }) => state,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&mut area, 1), State::Unknown);
    home.stage(&mut area, 1, "echo b > a").unwrap();
    assert_eq!(refused(&mut area, 1), State::Staged);
    area.discard(1).unwrap();
    assert_eq!(refused(&mut area, 1), State::Discarded);
    commit(&home, &mut area, 2, "echo b > a");
    undo(&mut area, 2, 3);
    assert_eq!(refused(&mut area, 2), State::Undone { by: 3 });
    assert!(area.stage_undo(3, 2).is_err(), "an action's number is used again");
}

#[test]
fn the_undo_store_has_a_quota_and_says_so_before() {
    let limits = || Limits { undo_bytes_max: 300_000, ..Limits::default() };
    // What does not compress.
    let home = home("for n in 1 2 3 4; do head -c 100000 /dev/urandom > f$n; done; head -c 400000 /dev/urandom > big");
    let (mut area, _) = home.open_with(limits());
    let effects = home.stage(&mut area, 1, "rm big").unwrap();
    assert!(!effects.undoable);
    assert!(!area.commit(1, b"").unwrap().undoable);
    assert_eq!(area.state(1), State::Committed { undoable: false });
    for action in 2..6 {
        let script = format!("rm f{}", action - 1);
        assert!(home.stage(&mut area, action, &script).unwrap().undoable);
        let committed = area.commit(action, b"").unwrap();
        assert!(committed.undoable);
        assert_eq!(committed.forgotten, if action < 4 { vec![] } else { vec![action - 2] });
    }
    assert_eq!(area.state(2), State::Committed { undoable: false });
    assert_eq!(area.state(5), State::Committed { undoable: true });
    drop(area);
    let (mut area, _) = home.open_with(Limits { undo_bytes_max: 0, ..Limits::default() });
    assert_eq!(area.state(5), State::Committed { undoable: false }, "a smaller quota");
    assert_eq!(fs::read_dir(home.store().join("undo/contents")).unwrap().count(), 0);
    assert_eq!(area.note(5).unwrap().unwrap(), b"");
    assert!(matches!(area.stage_undo(5, 9), Err(UndoError::NotUndoable { .. })));
}

#[test]
fn what_is_too_old_or_one_record_too_many_is_forgotten() {
    let home = home("echo a > a");
    let mut area = home.open();
    for action in 1..6 {
        commit(&home, &mut area, action, &format!("echo {action} > a"));
    }
    drop(area);
    let (area, _) = home.open_with(Limits { actions_max: 3, ..Limits::default() });
    assert_eq!(area.actions(9).unwrap(), [5, 4, 3]);
    assert_eq!(area.actions(2).unwrap(), [5, 4]);
    assert_eq!(area.state(2), State::Unknown);
    drop(area);
    let records = fs::File::options().write(true).open(home.store().join("actions/3")).unwrap();
    records.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(1000)).unwrap();
    let (area, _) = home.open_with(Limits { undo_age_max_s: 900, ..Limits::default() });
    assert_eq!(area.state(3), State::Committed { undoable: false });
    assert_eq!(area.state(4), State::Committed { undoable: true });
}

#[test]
fn old_content_is_kept_once_and_not_in_plain() {
    let secret = "a secret that nobody reads\n".repeat(1000);
    let home = Home::new();
    for name in ["a", "b", "c"] {
        home.write(name, &secret);
    }
    let mut area = home.open();
    commit(&home, &mut area, 1, "rm a b");
    commit(&home, &mut area, 2, "echo short > c");
    let contents: Vec<_> =
        fs::read_dir(home.store().join("undo/contents")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(contents.len(), 1);
    assert_eq!(fs::metadata(&contents[0]).unwrap().nlink(), 3);
    assert!(fs::metadata(&contents[0]).unwrap().len() < 2000, "it is not compressed");
    for entry in
        fs::read_dir(home.store().join("undo/2")).unwrap().chain(fs::read_dir(home.store().join("actions")).unwrap())
    {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"a secret" || window == b"short\n\0\0"));
    }
    undo(&mut area, 1, 3);
    undo(&mut area, 2, 4);
    for name in ["a", "b", "c"] {
        assert_eq!(fs::read_to_string(home.path(name)).unwrap(), secret);
    }
}

#[test]
fn tools_changes_are_taken_back_too() {
    let home = home("mkdir d; echo 1 > d/1; echo a > a; ln a b");
    let before = home.look();
    let mut area = home.open();
    let changes = [
        Change::Rename { from: b"d".to_vec(), to: b"e".to_vec() },
        Change::Write { path: b"e/1".to_vec(), bytes: b"one\n".to_vec(), mode: Some(0o600) },
        Change::Write { path: b"a".to_vec(), bytes: b"both\n".to_vec(), mode: None },
    ];
    let effects = area.stage_changes(1, &changes).unwrap();
    assert_eq!(lines(&effects), ["~ file a", "- directory d", "- file d/1", "+ directory e", "+ file e/1"]);
    assert_eq!(effects.list[0].other_names, 1);
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(home.path("b")).unwrap(), "both\n");
    undo(&mut area, 1, 2);
    assert_same(&home.look(), &before, "undo");
}

#[test]
fn what_takes_the_name_of_a_directory_that_was_removed_before_has_nothing_of_it() {
    let home = home("mkdir -p a/in/deep b/in; echo old > a/in/deep/f; echo old > a/old; echo new > b/in/f");
    let before = home.look();
    let bytes = |path: &str| path.as_bytes().to_vec();
    let anew = [Change::Delete { path: bytes("a") }, Change::MakeDirectory { path: bytes("a") }];
    let moved = [Change::Delete { path: bytes("a") }, Change::Rename { from: bytes("b"), to: bytes("a") }];
    let mut area = home.open();
    for (action, changes, left) in [(1, anew, vec!["a"]), (3, moved, vec!["a", "a/in", "a/in/f"])] {
        area.stage_changes(action, &changes).unwrap();
        area.commit(action, b"").unwrap();
        let found = home.look();
        let found: Vec<_> =
            found.keys().map(|path| path.to_str().unwrap()).filter(|path| !path.starts_with('b')).collect();
        assert_eq!(found, left);
        undo(&mut area, action, action + 1);
        assert_same(&timeless(&home.look()), &timeless(&before), "taken back");
    }
}

#[test]
fn a_file_that_is_written_under_two_of_its_names_has_what_was_written_last() {
    let home = home("echo old > a; ln a b; chmod 640 a");
    let before = home.look();
    let write = |path: &str, text: &str, mode| Change::Write { path: path.into(), bytes: text.into(), mode };
    let changes =
        [write("a", "one", Some(0o600)), write("b", "two", None), write("a", "three", None), write("b", "four", None)];
    let mut area = home.open();
    area.stage_changes(1, &changes).unwrap();
    area.commit(1, b"").unwrap();
    let found = home.look();
    for name in ["a", "b"] {
        let node = &found[std::path::Path::new(name)];
        assert_eq!((&node.content[..], node.mode, node.same_as.to_str()), (&b"four"[..], 0o600, Some("a")), "{name}");
    }
    undo(&mut area, 1, 2);
    assert_same(&timeless(&home.look()), &timeless(&before), "taken back");
}
