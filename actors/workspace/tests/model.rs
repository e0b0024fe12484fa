//! Random trees and random commands: what is committed is what the command does without a sandbox; taken back, it is as if
//! nothing had happened; and in which order actions are taken back that do not meet makes no difference.
//!
//! A share of the cases runs always; with CHELA_LONG=1 ten thousand and more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;
mod model_cases;

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use common::{Home, Node, Tree, difference, timeless};
use model_cases::links::Links;
use model_cases::{Op, apply, changes, strategy};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use workspace::{Area, Change, State};

/// Operations with their numbers.
type Numbered = Vec<(usize, Op)>;
type Outcome = Result<(), TestCaseError>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|flag| flag == "--apply") {
        let mut bytes = Vec::new();
        fs::File::open(&args[2]).unwrap().read_to_end(&mut bytes).unwrap();
        for (number, op) in schema::codec::decode::<Numbered>(&bytes, 16 << 20).unwrap() {
            // What a direct run can't do, this one can't either: the trees are compared.
            let _ = apply(Path::new("."), number, &op);
        }
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = args[1..].iter().filter(|arg| !arg.starts_with('-')).collect();
    let mut failed = 0;
    let mut run = |name: &str, test: &dyn Fn() -> Result<u32, String>| {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            match test() {
                Ok(cases) => println!("test {name} ... ok ({cases} cases)"),
                Err(why) => {
                    failed += 1;
                    println!("test {name} ... FAILED\n{why}");
                }
            }
        }
    };
    run("a_command_is_what_it_is_without_a_sandbox_and_is_taken_back", &|| {
        hold(200, 8_000, strategy::tree_and_command, |(tree, command)| there_and_back(&tree, command))
    });
    run("the_order_of_undos_that_do_not_meet_makes_no_difference", &|| {
        hold(60, 2_500, strategy::apart, |(tree, commands, order)| any_order(tree, commands, &order))
    });
    run("a_tools_changes_are_what_they_say_and_are_taken_back", &|| {
        hold(100, 2_500, changes::tree_and_changes, |(tree, changes)| changes_there_and_back(&tree, changes))
    });
    ExitCode::from(u8::from(failed > 0))
}

/// Whether this is the long run.
fn is_long() -> bool {
    std::env::var_os("CHELA_LONG").is_some_and(|value| value == "1")
}

/// Most of a case's time it waits for the disk.
const THREADS: u32 = 8;

/// Tries a property on so many cases.
fn hold<S: Strategy>(
    some: u32,
    many: u32,
    strategy: fn() -> S,
    property: impl Fn(S::Value) -> Outcome + Sync,
) -> Result<u32, String> {
    let cases = if is_long() { many } else { some };
    let config = Config {
        cases: cases.div_ceil(THREADS),
        failure_persistence: None,
        max_shrink_iters: 600,
        ..Config::default()
    };
    let share = || match TestRunner::new(config.clone()).run(&strategy(), &property) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, input)) => Err(format!("{why}\nof {input:#?}")),
        Err(TestError::Abort(why)) => Err(why.to_string()),
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..THREADS).map(|_| scope.spawn(share)).collect();
        all.into_iter().try_for_each(|one| one.join().unwrap())
    })?;
    Ok(config.cases * THREADS)
}

/// A workspace with a tree in it.
fn made(tree: &[Op]) -> Home {
    // In memory, where syncing costs nothing, and on the disk, where inode numbers are used again.
    let memory = if tree.len().is_multiple_of(8) { None } else { tempfile::tempdir_in("/dev/shm").ok() };
    let home = Home::at(memory.unwrap_or_else(|| tempfile::tempdir().unwrap()));
    for (number, op) in tree.iter().enumerate() {
        let _ = apply(&home.workspace(), number, op);
    }
    home
}

/// Does a command directly. Those of its operations that a rehearsal can be held to, and they alone, are done.
fn directly(home: &Home, command: Vec<Op>) -> Numbered {
    let mut links = Links::of(&home.workspace());
    let mut done = Vec::new();
    for (number, op) in command.into_iter().enumerate() {
        if links.allow(&home.workspace(), &op) {
            // Behind those of the tree.
            let number = 1000 + number;
            let _ = apply(&home.workspace(), number, &op);
            done.push((number, op));
        }
    }
    done
}

/// The layer that the same command leaves in an overlay.
fn rehearsed(home: &Home, command: &Numbered) -> Vec<u8> {
    let file = home.dir.path().join("command");
    fs::write(&file, schema::codec::encode(command, 16 << 20).unwrap()).unwrap();
    let program = std::env::current_exe().unwrap();
    home.rehearse(&format!("exec '{}' --apply '{}'", program.display(), file.display()))
}

fn same(left: &Tree, right: &Tree, what: &str) -> Outcome {
    if left == right {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{what}:\n{}", difference(left, right))))
}

/// What a commit is to leave of what a direct run left. What has the content, permissions and attributes that it had
/// is no effect, so it keeps the time it had; the times of directories say when the commit worked in them.
fn expected(direct: &Tree, before: &Tree, committed: &Tree) -> Tree {
    let time = |path: &std::path::PathBuf, node: &Node| match before.get(path) {
        _ if node.kind == "directory" => committed.get(path).map_or(node.mtime, |node| node.mtime),
        Some(old) if Node { mtime: node.mtime, same_as: node.same_as.clone(), ..old.clone() } == *node => {
            committed.get(path).map_or(node.mtime, |new| if new.mtime == old.mtime { old.mtime } else { node.mtime })
        }
        _ => node.mtime,
    };
    direct.iter().map(|(path, node)| (path.clone(), Node { mtime: time(path, node), ..node.clone() })).collect()
}

/// A file takes about the room that it takes after a direct run. An overlay copies pieces of a megabyte, holes included.
fn as_sparse(direct: &Home, home: &Home) -> Outcome {
    const SLACK_BLOCKS: u64 = 6144;
    for path in direct.look().into_iter().filter(|(_, node)| node.kind == "file").map(|(path, _)| path) {
        let blocks = |home: &Home| fs::symlink_metadata(home.workspace().join(&path)).unwrap().blocks();
        if blocks(home) > blocks(direct) + SLACK_BLOCKS {
            let (is, was) = (blocks(home), blocks(direct));
            return Err(TestCaseError::fail(format!("{}: {is} blocks, directly {was}", path.display())));
        }
    }
    Ok(())
}

fn fine<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> Result<T, TestCaseError> {
    result.map_err(|error| TestCaseError::fail(format!("{what}: {error}")))
}

fn undo(area: &mut Area, action: u64, by: u64) -> Outcome {
    let undo = fine("staging the undo", area.stage_undo(action, by))?;
    if !undo.conflicts.is_empty() {
        return Err(TestCaseError::fail(format!("undo of {action}: conflicts {:?}", undo.conflicts)));
    }
    fine("committing the undo", area.commit(by, b""))?;
    Ok(())
}

fn there_and_back(tree: &[Op], command: Vec<Op>) -> Outcome {
    let (direct, home) = (made(tree), made(tree));
    let before = home.look();
    same(&expected(&direct.look(), &before, &before), &before, "the trees to begin with")?;
    let command = directly(&direct, command);
    let layer = rehearsed(&home, &command);
    let mut area = home.open();
    fine("staging", area.stage(1, &mut &layer[..]))?;
    same(&home.look(), &before, "staging changed something")?;
    if command.len().is_multiple_of(2) {
        // As well in a process that was started since.
        drop(area);
        area = home.open();
    }
    let committed = fine("committing", area.commit(1, b""))?;
    assert!(committed.undoable);
    let after = home.look();
    same(&after, &expected(&direct.look(), &before, &after), "committed, and directly")?;
    as_sparse(&direct, &home)?;
    undo(&mut area, 1, 2)?;
    same(&home.look(), &before, "taken back, and before")?;
    undo(&mut area, 2, 3)?;
    same(&home.look(), &after, "the undo taken back, and committed")?;
    drop(area);
    let mut area = home.open();
    undo(&mut area, 3, 4)?;
    same(&home.look(), &before, "taken back again, and before")?;
    assert_eq!(area.state(1), State::Undone { by: 2 });
    Ok(())
}

/// What is not written keeps its time; what is has the time of now, which no two runs share.
fn changes_there_and_back(tree: &[Op], changes: Vec<Change>) -> Outcome {
    let (direct, home) = (made(tree), made(tree));
    let before = home.look();
    let done: Vec<Change> = changes.into_iter().filter(|change| changes::apply(&direct.workspace(), change)).collect();
    let mut area = home.open();
    fine("staging", area.stage_changes(1, &done))?;
    same(&home.look(), &before, "staging changed something")?;
    fine("committing", area.commit(1, b""))?;
    let after = home.look();
    same(&timeless(&after), &timeless(&direct.look()), "committed, and directly")?;
    undo(&mut area, 1, 2)?;
    same(&home.look(), &before, "taken back, and before")?;
    undo(&mut area, 2, 3)?;
    same(&home.look(), &after, "the undo taken back, and committed")
}

const PARTS: [&str; 3] = ["one", "two", "three"];

/// Each command works in its own part, and so do the undos.
fn any_order(tree: Vec<Op>, commands: Vec<Vec<Op>>, order: &[usize]) -> Outcome {
    let mut all: Vec<Op> = PARTS.iter().map(|part| Op::MakeDirectory { path: part.into() }).collect();
    all.extend(PARTS.iter().flat_map(|part| tree.iter().map(|op| op.clone().below(part))));
    let (direct, home) = (made(&all), made(&all));
    let before = home.look();
    let mut area = home.open();
    for ((number, command), part) in (1..).zip(commands).zip(PARTS) {
        let command: Vec<Op> = command.into_iter().map(|op| op.below(part)).collect();
        let layer = rehearsed(&home, &directly(&direct, command));
        fine("staging", area.stage(number, &mut &layer[..]))?;
        fine("committing", area.commit(number, b""))?;
    }
    let after = home.look();
    same(&after, &expected(&direct.look(), &before, &after), "committed, and directly")?;
    for (by, action) in (10..).zip(order) {
        undo(&mut area, *action as u64 + 1, by)?;
    }
    same(&home.look(), &before, "all taken back, and before")
}
