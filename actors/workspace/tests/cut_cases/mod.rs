//! A process that commits or takes back, and is cut off in the middle: what is left must be the old state or the new one, and
//! the workspace's store must know which.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use workspace::{Area, Change, Limits, State};

use crate::common::{Tree, assert_same, key, look, open, set_xattr, timeless};

/// A random number below `end`.
pub fn below(end: u64) -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes) % end
}

/// How many rounds: so many, or with CHELA_LONG=1 many.
pub fn rounds(some: usize, many: usize) -> usize {
    if std::env::var_os("CHELA_LONG").is_some_and(|value| value == "1") { many } else { some }
}

/// A workspace with files of every kind, and its store.
pub fn make(dir: &Path) {
    for name in ["workspace", "store", "workspace/d", "workspace/d/e"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    let write = |path: &str, text: String| std::fs::write(dir.join("workspace").join(path), text).unwrap();
    for number in 0..40 {
        write(&format!("f{number}"), format!("{number}\n").repeat(number * 20));
        write(&format!("d/e/g{number}"), format!("{number}"));
    }
    write("large", "0123456789abcdef".repeat(20_000));
    std::fs::hard_link(dir.join("workspace/f5"), dir.join("workspace/d/linked")).unwrap();
    std::os::unix::fs::symlink("f1", dir.join("workspace/link")).unwrap();
    set_xattr(&dir.join("workspace/f6"), "user.color", b"blue");
    drop(open(dir, Limits::default()));
}

/// Few changes, which are synced one by one, or many, which are synced with their filesystem.
fn changes(seed: u64) -> Vec<Change> {
    let path = |path: &str| path.as_bytes().to_vec();
    let text = |at: &str| Change::Write { path: path(at), bytes: format!("{at} {seed}\n").into_bytes(), mode: None };
    let mut all = vec![text("f5"), text("f6"), Change::Delete { path: path("f7") }, text("new-file")];
    if !seed.is_multiple_of(3) {
        all.extend((10..40).map(|number| text(&format!("f{number}"))));
        all.push(Change::Write { path: path("large"), bytes: vec![b'x'; 100_000], mode: Some(0o600) });
        all.push(Change::Delete { path: path("d") });
        all.extend([Change::MakeDirectory { path: path("n") }, Change::MakeDirectory { path: path("n/m") }]);
        all.extend([text("n/m/1"), Change::Rename { from: path("f8"), to: path("n/f8") }]);
    }
    all
}

/// What one round does.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    pub action: u64,
    /// Takes this one back; else it changes something.
    pub undo_of: Option<u64>,
    pub seed: u64,
    /// Waits at the point of this number, to be cut off there.
    pub stop_at: Option<u64>,
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// The process that is cut off: `--child DIR ACTION UNDO_OF SEED STOP_AT`, or `--recover DIR`. Whether it was that.
pub fn is_child(args: &[String]) -> bool {
    let say = |text: &str| {
        println!("{text}");
        std::io::stdout().flush().unwrap();
    };
    let wait = || drop(std::io::stdin().read(&mut [0]));
    match args {
        [flag, dir] if flag == "--recover" => {
            say("go");
            let dir = Path::new(dir);
            if Area::open(&dir.join("workspace"), &dir.join("store"), &key(), Limits::default()).is_ok() {
                say("done");
                wait();
            }
        }
        [flag, dir, action, undo_of, seed, stop_at] if flag == "--child" => {
            let (mut area, _) = open(Path::new(dir), Limits::default());
            let action = number(action).unwrap();
            match number(undo_of) {
                Some(undone) => assert_eq!(area.stage_undo(undone, action).unwrap().conflicts, []),
                None => drop(area.stage_changes(action, &changes(number(seed).unwrap())).unwrap()),
            }
            let (stop_at, mut passed) = (number(stop_at), 0);
            area.on_point(Box::new(move |point| {
                if Some(passed) == stop_at {
                    say(&format!("stop {point:?}"));
                    wait();
                }
                passed += 1;
            }));
            say("go");
            match area.commit(action, b"note") {
                Ok(_) => {
                    say("done");
                    wait();
                }
                Err(error) => say(&format!("error {error}")),
            }
        }
        _ => return false,
    }
    true
}

/// A process at work.
pub struct Working {
    pub child: Child,
    out: BufReader<ChildStdout>,
    since: Instant,
}

impl Working {
    fn start(args: &[&str]) -> Working {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut working = Working { child, out, since: Instant::now() };
        assert_eq!(working.line(), "go");
        working.since = Instant::now();
        working
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// What it had to say before it was cut off.
    fn rest(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        text
    }
}

/// Where the rounds happen, and what cuts a process off there.
pub trait Place {
    fn dir(&self) -> &Path;
    /// Cuts it off, and makes the place usable again.
    fn cut(&mut self, working: &mut Working);
    /// What was not written to the disk is lost, too.
    fn is_power(&self) -> bool;
}

/// What came of all rounds.
#[derive(Debug, Default)]
pub struct Tally {
    pub old: usize,
    pub new: usize,
    pub finished: usize,
    pub rolled_back: usize,
}

/// Cuts `count` processes off. Commits and undos take turns.
pub fn cut_off(place: &mut impl Place, count: usize) -> Tally {
    let (mut tally, mut action) = (Tally::default(), 0);
    // Of a whole commit, to choose an instant in it.
    let mut took = Duration::from_millis(20);
    let mut undo: Option<(u64, Tree)> = None;
    for _ in 0..count {
        action += 1;
        let stop_at = (below(3) == 0).then(|| below(14));
        let round = Round { action, undo_of: undo.as_ref().map(|(of, _)| *of), seed: below(1000), stop_at };
        let before = look(&place.dir().join("workspace"));
        let said = one(place, round, &mut took);
        let is_new = check(place, round, &before, &said, &mut tally);
        undo = match (undo, is_new) {
            (Some((_, original)), true) => {
                assert_same(&look(&place.dir().join("workspace")), &original, "taken back");
                None
            }
            (None, true) => Some((action, before)),
            (undo, false) => undo,
        };
    }
    tally
}

fn one(place: &mut impl Place, round: Round, took: &mut Duration) -> String {
    let text = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
    let (undo_of, stop_at) = (text(round.undo_of), text(round.stop_at));
    let (dir, action, seed) = (place.dir().display().to_string(), round.action.to_string(), round.seed.to_string());
    let mut working = Working::start(&["--child", &dir, &action, &undo_of, &seed, &stop_at]);
    let mut said = String::new();
    if round.stop_at.is_some() {
        said = working.line();
        if said == "done" {
            *took = working.since.elapsed();
        }
    } else {
        let micros = u64::try_from(took.as_micros()).unwrap() * 5 / 4;
        std::thread::sleep(Duration::from_micros(below(micros.max(1))));
    }
    place.cut(&mut working);
    said.push_str(&working.rest());
    if below(3) == 0 {
        let mut working = Working::start(&["--recover", &dir]);
        std::thread::sleep(Duration::from_micros(below(20_000)));
        place.cut(&mut working);
        working.rest();
    }
    said
}

/// Whether the workspace is the new state; it must be the old one otherwise, and its store must say so.
fn check(place: &impl Place, round: Round, before: &Tree, said: &str, tally: &mut Tally) -> bool {
    let what = format!("{round:?}, which said {said:?}");
    assert!(place.is_power() || !said.contains("error"), "{what}");
    let workspace = place.dir().join("workspace");
    let (mut area, recovered) = open(place.dir(), Limits::default());
    tally.finished += recovered.finished.len();
    tally.rolled_back += recovered.rolled_back.len();
    let now = look(&workspace);
    match area.state(round.action) {
        State::Committed { undoable: true } => {
            assert!(!recovered.rolled_back.contains(&round.action), "{what}: {recovered:?}");
            assert_eq!(area.note(round.action).unwrap().unwrap(), b"note", "{what}");
            if round.undo_of.is_none() {
                assert_same(&timeless(&now), &timeless(&expected(before, round.seed)), &what);
            }
            tally.new += 1;
            true
        }
        state @ (State::Staged | State::Unknown) => {
            assert!(!said.contains("done"), "{what}: it was said to be done, and is {state:?}");
            assert!(!recovered.finished.contains(&round.action), "{what}: {recovered:?}");
            assert_same(&now, before, &what);
            area.discard(round.action).unwrap();
            tally.old += 1;
            false
        }
        other => panic!("{what}: {other:?}"),
    }
}

/// The new state: the same changes made where nobody is cut off. `before` is not there any more, so it is made anew.
fn expected(before: &Tree, seed: u64) -> Tree {
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    make(home.path());
    let tree = look(&home.path().join("workspace"));
    assert_same(&timeless(&tree), &timeless(before), "every commit begins with the same tree");
    let (mut area, _) = open(home.path(), Limits::default());
    area.stage_changes(1, &changes(seed)).unwrap();
    area.commit(1, b"").unwrap();
    look(&home.path().join("workspace"))
}
