//! A commit is aborted at each of its points, in a process of its own: whoever opens the workspace next finds all of
//! the action's changes or none, and its state says which.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;
mod crash_cases;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::{Home, assert_same, open, timeless};
use crash_cases::{CASES, Case};
use schema::label::{Confidentiality, Integrity, Label};
use workspace::{Area, Hook, Limits, Point, State};

const ACTION: u64 = 7;
/// What the action writes is not the principal's own.
const LABEL: Label = Label { integrity: Integrity::Untrusted, confidentiality: Confidentiality::Private };

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match &args[1..] {
        [flag, dir, number] if flag == "--recover" => {
            let hook = abort_hook(number.parse().unwrap());
            common::open_on_point(Path::new(dir), Limits::default(), Some(hook));
            ExitCode::SUCCESS
        }
        [flag, case, dir, number] if flag == "--child" => {
            let case = CASES.iter().find(|known| known.name == case).unwrap();
            child(case, Path::new(dir), number.parse().unwrap());
            ExitCode::SUCCESS
        }
        _ => run(&args[1..]),
    }
}

fn run(args: &[String]) -> ExitCode {
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |case: &&Case| wanted.is_empty() || wanted.iter().any(|part| case.name.contains(part.as_str()));
    println!("running {} tests", CASES.iter().filter(chosen).count());
    for case in CASES.iter().filter(chosen) {
        let (points, twice) = every_point(case);
        println!("test {} ... ok ({points} points, {twice} crashes of the recovery)", case.name);
    }
    ExitCode::SUCCESS
}

/// In the child: aborts at the point of this number. Ends well when there are not so many.
fn child(case: &Case, dir: &Path, number: usize) {
    let (mut area, _) = open(dir, Limits::default());
    if area.state(ACTION) == State::Unknown {
        (case.stage)(&mut area, ACTION);
    }
    area.on_point(abort_hook(number));
    area.commit_as(ACTION, b"note", LABEL).unwrap();
    // A node at a time, as far as what is above it: it is gone on with.
    while !area.tidy(1).unwrap() {}
}

fn abort_hook(number: usize) -> Hook {
    let mut count = 0;
    Box::new(move |point: Point| {
        if count == number {
            println!("{point:?}");
            std::process::abort();
        }
        count += 1;
    })
}

/// The point at which a child was aborted, or `None` when it had done all of it.
fn abort_at(case: &Case, args: &[&str]) -> Option<String> {
    let output = Command::new(std::env::current_exe().unwrap()).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if output.status.success() {
        return None;
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{}: the child failed otherwise: {errors}", case.name);
    assert!(!text.is_empty(), "{}: the child panicked: {errors}", case.name);
    Some(text.trim().to_owned())
}

fn every_point(case: &Case) -> (usize, usize) {
    let reference = Home::new();
    (case.make)(&reference);
    let mut area = reference.open();
    (case.stage)(&mut area, ACTION);
    area.commit_as(ACTION, b"note", LABEL).unwrap();
    assert!(area.tidy(usize::MAX).unwrap());
    drop(area);
    let new = timeless(&reference.look());
    let new_labels = labels(&reference, &reference.open());
    let mut twice = 0;
    for number in 0.. {
        let home = Home::new();
        (case.make)(&home);
        let mut area = home.open();
        (case.stage)(&mut area, ACTION);
        // Half of the children stage it themselves: the other half commits what a process before them staged.
        if number % 2 == 0 {
            area.discard(ACTION).unwrap();
            std::fs::remove_file(home.store().join(format!("actions/{ACTION}.discarded"))).unwrap();
        }
        let old_labels = labels(&home, &area);
        drop(area);
        let old = home.look();
        let dir = home.dir.path().to_str().unwrap();
        let child = ["--child", case.name, dir, &number.to_string()];
        let Some(point) = abort_at(case, &child) else { return (number, twice) };
        let mut what = format!("{} aborted at {point}", case.name);
        // Every second time the recovery is aborted as well, each time a point later.
        for number in 0..(number % 2) * 100 {
            let Some(point) = abort_at(case, &["--recover", dir, &number.to_string()]) else { break };
            what.push_str(&format!(", its recovery at {point}"));
            twice += 1;
        }
        let (mut area, recovered) = home.reopen();
        match area.state(ACTION) {
            State::Staged => {
                assert_same(&home.look(), &old, &what);
                assert_eq!(labels(&home, &area), old_labels, "{what}");
                assert!(recovered.finished.is_empty(), "{what}: {recovered:?}");
                area.commit_as(ACTION, b"note", LABEL).unwrap();
                assert!(area.tidy(usize::MAX).unwrap(), "{what}");
            }
            State::Committed { undoable: true } => {
                let before_journal = ["Kept", "Prepared"].contains(&point.as_str());
                assert!(!before_journal, "{what}: committed without a journal");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert_same(&timeless(&home.look()), &new, &what);
        assert_eq!(labels(&home, &area), new_labels, "{what}");
        assert_eq!(area.state(ACTION), State::Committed { undoable: true }, "{what}");
        assert_eq!(area.note(ACTION).unwrap().unwrap(), b"note", "{what}");
        assert!(!area.effects(ACTION).unwrap().unwrap().is_empty(), "{what}");
        nothing_is_left(&home, &what);
    }
    unreachable!()
}

/// The label of each path that there is, and the join of all that there are.
fn labels(home: &Home, area: &Area) -> (BTreeMap<PathBuf, Label>, Label) {
    let label = |path: PathBuf| (path.clone(), area.label(path.as_os_str().as_encoded_bytes()).unwrap());
    (home.look().into_keys().map(label).collect(), area.label_of_all().unwrap())
}

/// Of a commit that is done nothing is left but its record and what an undo needs.
fn nothing_is_left(home: &Home, what: &str) {
    let beside = common::beside(home.dir.path()).into_iter().map(|directory| directory.join(workspace::STAGING));
    for place in ["staging", "journal"].map(|name| home.store().join(name)).into_iter().chain(beside) {
        let left: Vec<_> = std::fs::read_dir(&place).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.is_empty(), "{what}: {} holds {left:?}", place.display());
    }
}
