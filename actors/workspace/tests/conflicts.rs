//! The workspace is somebody's: what they change between rehearsal and commit is found, and the commit does nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use common::{Home, assert_same};
use workspace::{Area, AreaError, CommitError, ConflictKind, Limits, Point, State};

const MAKE: &str = "mkdir -p d/e n; echo 1 > d/1; echo 2 > d/e/2; echo a > a; echo b > b; ln -s a l; echo x > x; ln x y; \
                    mkdir merged; echo m > merged/m";
const SCRIPT: &str = "echo more >> a; rm b; rm -r d; ln -sfn b l; echo n > n/new; mkdir made; echo in > made/in; \
                      echo z >> x; chmod 700 merged; echo m >> merged/m";

/// What the commit says when `by_hand` came between; nothing of it may have been done.
#[track_caller]
fn conflict(by_hand: &str) -> Vec<(String, ConflictKind)> {
    let home = Home::new();
    home.run(MAKE);
    let mut area = home.open();
    home.stage(&mut area, 1, SCRIPT).unwrap();
    home.run(by_hand);
    let before = home.look();
    let conflicts = match area.commit(1, b"") {
        Err(CommitError::Conflict(conflicts)) => conflicts,
        other => panic!("{by_hand}: {other:?}"),
    };
    assert_same(&home.look(), &before, by_hand);
    assert_eq!(area.state(1), State::Staged);
    nothing_kept(&home);
    conflicts.into_iter().map(|conflict| (workspace::shown(&conflict.path), conflict.kind)).collect()
}

/// A commit that was not done leaves nothing in the store.
fn nothing_kept(home: &Home) {
    for dir in ["journal", "actions", "undo/contents"] {
        let names = fs::read_dir(home.store().join(dir)).unwrap().map(|entry| entry.unwrap().file_name());
        // The counter of commits stays.
        let left: Vec<_> = names.filter(|name| !name.to_string_lossy().starts_with("commits.")).collect();
        assert!(left.is_empty(), "{dir}: {left:?}");
    }
    assert_eq!(fs::read_dir(home.store().join("undo")).unwrap().count(), 1);
}

#[test]
fn each_change_by_hand_is_found() {
    use ConflictKind::{Appeared, Changed, Vanished};
    let one = |path: &str, kind| vec![(path.to_owned(), kind)];
    assert_eq!(conflict("echo c > a"), one("a", Changed));
    assert_eq!(
        conflict("touch -r a t; printf 'x\\n' > a; touch -r t a; rm t"),
        one("a", Changed),
        "the same time and length"
    );
    assert_eq!(conflict("rm a"), one("a", Vanished));
    assert_eq!(conflict("rm a; mkdir a"), one("a", Changed));
    assert_eq!(conflict("rm a; mkfifo a"), one("a", Changed));
    assert_eq!(conflict("rm a; ln -s b a"), one("a", Changed));
    assert_eq!(conflict("chmod 600 a"), one("a", Changed));
    assert_eq!(conflict("echo c >> b"), one("b", Changed));
    assert_eq!(conflict("rm b"), one("b", Vanished));
    assert_eq!(conflict("touch d/appeared"), one("d/appeared", Appeared));
    assert_eq!(conflict("mkdir -p d/e/f/g"), one("d/e/f", Appeared));
    assert_eq!(conflict("rm d/e/2"), one("d/e/2", Vanished));
    assert_eq!(conflict("ln -sfn c l"), one("l", Changed));
    assert_eq!(conflict("touch n/new"), one("n/new", Appeared));
    assert_eq!(conflict("mkdir made"), one("made", Appeared));
    assert_eq!(conflict("rmdir n"), one("n", Vanished));
    assert_eq!(conflict("rmdir n; mkdir ../n; ln -s ../n n"), one("n", Changed));
    assert_eq!(conflict("rm -r n; touch n"), one("n", Changed));
    assert_eq!(conflict("chmod 711 merged"), one("merged", Changed));
    assert_eq!(conflict("cp x z; mv z x"), one("x", Changed), "another file with the same content");
    assert_eq!(
        conflict("echo c > a; rm b; touch made"),
        vec![("a".to_owned(), Changed), ("b".to_owned(), Vanished), ("made".to_owned(), Appeared),]
    );
}

#[test]
fn what_does_not_matter_is_no_conflict() {
    let home = Home::new();
    home.run(MAKE);
    let mut area = home.open();
    home.stage(&mut area, 1, SCRIPT).unwrap();
    home.run("touch a b; echo other > other; echo n > n/other; mkdir merged/new; cp b c; mv c b");
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(home.path("a")).unwrap(), "a\nmore\n");
    assert_eq!(fs::read_to_string(home.path("y")).unwrap(), "x\nz\n");
    assert!(home.path("merged/new").exists() && home.path("n/other").exists());
}

/// Runs `by_hand` at a point in the middle of a commit. The result, and the tree right behind it.
fn at_point(point: Point, by_hand: &'static str) -> (Home, Area, Result<workspace::Committed, CommitError>) {
    let home = Home::new();
    home.run(MAKE);
    let mut area = home.open();
    home.stage(&mut area, 1, SCRIPT).unwrap();
    let workspace = home.workspace();
    area.on_point(Box::new(move |now| {
        if now == point {
            let status = std::process::Command::new("sh").args(["-euc", by_hand]).current_dir(&workspace).status();
            assert!(status.unwrap().success());
        }
    }));
    let result = area.commit(1, b"");
    (home, area, result)
}

#[test]
fn a_change_in_the_middle_of_a_commit_takes_it_back() {
    for (point, by_hand) in [
        (Point::Journaled, "rm a; echo by hand > a"),
        (Point::Step(1), "echo by hand > made"),
        (Point::Journaled, "rm -r n"),
        (Point::Step(2), "echo by hand >> merged/m"),
        (Point::Prepared, "rm b"),
    ] {
        let reference = Home::new();
        reference.run(MAKE);
        reference.run(by_hand);
        let (home, area, result) = at_point(point, by_hand);
        assert!(result.is_err(), "{by_hand} was not noticed");
        assert_same(&common::timeless(&home.look()), &common::timeless(&reference.look()), by_hand);
        assert_eq!(area.state(1), State::Staged, "{by_hand}");
        nothing_kept(&home);
    }
}

#[test]
fn the_steps_are_taken_back_in_every_detail() {
    // The last step fails, so all others are taken back: times of directories, permissions, links.
    let home = Home::new();
    home.run(MAKE);
    home.run("chmod 555 d/e d; touch -d @1 d/e d n merged .");
    let before = home.look();
    let mut area = home.open();
    home.stage(&mut area, 1, &format!("chmod 755 d/e d; {SCRIPT}; echo last > zz")).unwrap();
    let in_the_way = home.path("zz");
    let hook_path = in_the_way.clone();
    area.on_point(Box::new(move |now| {
        if now == Point::Journaled {
            fs::write(&hook_path, "by hand").unwrap();
        }
    }));
    area.commit(1, b"").unwrap_err();
    fs::remove_file(in_the_way).unwrap();
    assert_same(&home.look(), &before, "taken back");
    area.on_point(Box::new(|_| ()));
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(home.path("zz")).unwrap(), "last\n");
}

#[test]
fn points_come_in_order() {
    let home = Home::new();
    home.run("echo a > a");
    let mut area = home.open();
    home.stage(&mut area, 1, "echo b > a; echo c > c").unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    area.on_point(Box::new(move |point| log.borrow_mut().push(point)));
    area.commit(1, b"").unwrap();
    use Point::*;
    let expected = [Kept, Prepared, Journaled, Step(1), Step(2), Applied, Synced, Labelled, Recorded, Closed];
    assert_eq!(*seen.borrow(), expected);
    let staged = home.store().join("staging/1");
    assert!(staged.join("0").exists(), "what was replaced is removed behind the answer");
    assert!(area.tidy(usize::MAX).unwrap());
    assert_eq!(seen.borrow().last(), Some(&Cleaned));
    assert!(!staged.exists());
}

#[test]
fn what_a_commit_replaced_is_gone_before_anything_else_is_done_and_at_once_where_a_file_has_more_names() {
    let home = Home::new();
    home.run("echo a > a; ln a b; echo c > c");
    let mut area = home.open();
    let left = |action: u64| home.store().join(format!("staging/{action}")).exists();
    home.stage(&mut area, 1, "rm a").unwrap();
    area.commit(1, b"").unwrap();
    assert!(!left(1));
    assert_eq!(fs::metadata(home.path("b")).unwrap().nlink(), 2, "in the workspace and in the undo store");
    for (action, look) in [(2, "stage"), (4, "rehearse"), (6, "undo"), (8, "open")] {
        home.stage(&mut area, action, &format!("echo {action} > c")).unwrap();
        area.commit(action, b"").unwrap();
        assert!(left(action), "{look}");
        match look {
            "stage" => drop(home.stage(&mut area, 3, "echo d > d").unwrap()),
            "rehearse" => drop(area.begin_rehearsal(5)),
            "undo" => assert_eq!(area.stage_undo(action, 7).unwrap().conflicts, []),
            _ => {
                drop(area);
                area = home.open();
            }
        }
        assert!(!left(action), "{look}");
    }
}

#[test]
fn a_staged_action_outlives_a_restart_and_is_checked() {
    let home = Home::new();
    home.run(MAKE);
    let mut area = home.open();
    home.stage(&mut area, 1, SCRIPT).unwrap();
    home.stage(&mut area, 2, "echo two > two").unwrap();
    let effects = area.effects(1).unwrap().unwrap();
    drop(area);
    let (mut area, recovered) = home.reopen();
    assert_eq!(recovered, workspace::Recovered::default());
    assert_eq!((area.state(1), area.state(2)), (State::Staged, State::Staged));
    assert_eq!(area.effects(1).unwrap().unwrap(), effects);
    // What the power took.
    let slot = home.store().join("staging/2/0");
    assert_eq!(fs::read_to_string(&slot).unwrap(), "two\n");
    fs::write(slot, "").unwrap();
    let error = area.commit(2, b"").unwrap_err();
    assert!(matches!(error, CommitError::Area(AreaError::Damaged { .. })), "{error}");
    assert!(!home.path("two").exists());
    area.commit(1, b"").unwrap();
    area.discard(2).unwrap();
    assert_eq!(area.state(2), State::Discarded);
    assert!(matches!(area.commit(2, b""), Err(CommitError::NotStaged { state: State::Discarded, .. })));
}

#[test]
fn a_store_has_one_key_and_one_process() {
    let home = Home::new();
    drop(home.open());
    let (workspace, store) = (home.workspace(), home.store());
    let open = |key| Area::open(&workspace, &store, &workspace::Key::new(key), Limits::default()).map(drop);
    assert!(matches!(open([1; 32]), Err(AreaError::WrongKey)));
    open([42; 32]).unwrap();
    let lock = fs::File::options().write(true).open(store.join("lock")).unwrap();
    // A lock of another process: this one's own would not be in its way.
    let mut child = std::process::Command::new("python3")
        .args(["-c", "import fcntl,os,time\nfcntl.lockf(0, fcntl.LOCK_EX)\nos.write(1, b'x')\ntime.sleep(1000)"])
        .stdin(lock)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let result = open([42; 32]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(result, Err(AreaError::Busy)), "{result:?}");
    open([42; 32]).unwrap();
}
