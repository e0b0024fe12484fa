//! A copy that stays while the workspace goes on, and what is committed of a command that worked over it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Home, assert_same, look, timeless};
use workspace::{Area, ConflictKind, FreezeError, Freezing, Frozen, State, shown};

const MAKE: &str = "mkdir -p d/e closed; echo 1 > d/e/1; echo 2 > d/2; ln d/2 d/also-2; ln -s d/e l; echo f > f; \
                    chmod 640 f; touch -d '2020-01-02 03:04:05.678' f; truncate -s 3M sparse; printf x >> sparse; \
                    head -c 9M /dev/urandom > big; echo in > closed/in; chmod 500 closed; mkfifo pipe";

fn finish(mut freezing: Freezing) -> Result<(usize, u64), FreezeError> {
    while !freezing.step()? {}
    Ok(freezing.copied())
}

fn frozen(home: &Home, action: u64) -> PathBuf {
    home.store().join("frozen").join(action.to_string())
}

fn home() -> (Home, Area) {
    let home = Home::new();
    home.run(MAKE);
    let area = home.open();
    (home, area)
}

#[test]
fn a_copy_is_the_same_and_stays_so() {
    let (home, mut area) = home();
    let (nodes, _) = finish(area.freeze(7, Frozen::default()).unwrap()).unwrap();
    let mut before = home.look();
    assert_eq!(nodes, before.len());
    before.remove(&PathBuf::from("pipe"));
    let copy = look(&frozen(&home, 7));
    assert_same(&copy, &before, "the copy");
    home.run("rm pipe");
    home.stage(&mut area, 1, "echo more >> f; echo 3 > d/2; rm -r closed; chmod 600 big; mv d/e d/g; echo new > new")
        .unwrap();
    area.commit(1, b"").unwrap();
    home.run("echo by hand >> d/g/1");
    assert_same(&look(&frozen(&home, 7)), &copy, "the copy after commits and a change by hand");
    let mut thawing = area.thaw(7).unwrap().unwrap();
    while !thawing.step().unwrap() {}
    assert!(!frozen(&home, 7).exists());
    assert!(area.thaw(7).unwrap().is_none());
}

#[test]
fn beyond_a_limit_it_is_refused_by_name_and_leftovers_go_at_the_next_start() {
    let (home, area) = home();
    let limited = |change: fn(&mut Frozen)| {
        let mut limits = Frozen::default();
        change(&mut limits);
        finish(area.freeze(7, limits).unwrap()).unwrap_err().to_string()
    };
    assert!(limited(|limits| limits.nodes_max = 3).contains("3 files"));
    assert!(limited(|limits| limits.depth_max = 1).contains("1 directories"));
    assert!(limited(|limits| limits.time_ms = 0).contains("0 milliseconds"));
    assert!(limited(|limits| limits.room_left_bytes = u64::MAX).contains("free"));
    assert!(frozen(&home, 7).exists());
    drop(area);
    let area = home.open();
    assert!(!frozen(&home, 7).exists());
    // Where contents can be cloned there are no bytes to bound.
    match finish(area.freeze(8, Frozen { bytes_max: 1 << 20, ..Frozen::default() }).unwrap()) {
        Err(error) => assert!(error.to_string().contains("1048576 bytes"), "{error}"),
        Ok((_, bytes)) => assert_eq!(bytes, 0),
    }
}

/// A layer over the copy, made while the workspace changes: what is in conflict, and the state afterwards.
fn over(home: &Home, area: &mut Area, script: &str, meanwhile: &str) -> Vec<(String, ConflictKind)> {
    finish(area.freeze(7, Frozen::default()).unwrap()).unwrap();
    let layer = home.rehearse_over(&frozen(home, 7), script).unwrap().0;
    home.run(meanwhile);
    let since = area.stage_since(7, &mut &layer[..]).unwrap();
    since.conflicts.iter().map(|conflict| (shown(&conflict.path), conflict.kind)).collect()
}

#[test]
fn without_overlap_both_are_in_the_workspace() {
    let (home, mut area) = home();
    home.run("rm pipe");
    let found = over(
        &home,
        &mut area,
        "echo built > d/e/out; echo 2b >> d/2; rm big; mkdir both; echo b > both/b",
        "echo hand > hand; echo new > f; mkdir both; echo a > both/a; rm -r closed; mkdir d/n; echo n > d/n/n",
    );
    assert_eq!(found, []);
    area.commit(7, b"").unwrap();
    let text = |path: &str| fs::read_to_string(home.path(path)).unwrap();
    assert_eq!((text("d/e/out"), text("f"), text("both/a")), ("built\n".into(), "new\n".into(), "a\n".into()));
    assert_eq!((text("d/also-2"), text("both/b")), ("2\n2b\n".into(), "b\n".into()), "names of one file stay so");
    assert!(!home.path("big").exists() && !home.path("closed").exists());
    assert_eq!(area.state(7), State::Committed { undoable: true });
}

#[test]
fn each_overlap_is_a_conflict_and_nothing_is_changed() {
    type Case = (&'static str, &'static str, &'static [(&'static str, ConflictKind)]);
    let cases: [Case; 8] = [
        ("echo c > f", "echo h > f", &[("f", ConflictKind::Changed)]),
        // Written in place, with the time it had.
        (
            "echo c > f",
            "touch -r f t; printf X | dd of=f conv=notrunc status=none; touch -r t f; rm t",
            &[("f", ConflictKind::Changed)],
        ),
        ("echo c > n", "echo h > n", &[("n", ConflictKind::Appeared)]),
        ("echo c >> f", "rm f", &[("f", ConflictKind::Vanished)]),
        ("rm f", "echo h >> f", &[("f", ConflictKind::Changed)]),
        ("chmod 600 f", "chmod 644 f", &[("f", ConflictKind::Changed)]),
        ("rm -r d", "echo h > d/new", &[("d/new", ConflictKind::Appeared)]),
        ("rm -r d; mkdir d; echo c > d/c", "echo h > d/new", &[("d/new", ConflictKind::Appeared)]),
    ];
    for (script, meanwhile, expected) in cases {
        let (home, mut area) = home();
        home.run("rm pipe");
        let found = over(&home, &mut area, script, meanwhile);
        let expected: Vec<_> = expected.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
        assert_eq!(found, expected, "{script} / {meanwhile}");
        let before = home.look();
        area.discard(7).unwrap();
        assert_same(&timeless(&home.look()), &timeless(&before), script);
    }
}
