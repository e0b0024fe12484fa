//! Labels of paths: what an action writes has its label from then on, under whatever name, until it is taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use common::Home;
use common::layer::Layer;
use proptest::prelude::*;
use schema::label::{Confidentiality, Integrity, Label};
use tar::EntryType;
use workspace::{Area, Change, State};

const OWN: Label = Label::OWN;
const TAINTED: Label = Label { integrity: Integrity::Untrusted, confidentiality: Confidentiality::Private };
const MEMBERS: Label = Label { integrity: Integrity::Member, confidentiality: Confidentiality::Private };
const SECRET: Label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Secret };

fn bytes(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}

fn write(path: &str, text: &str) -> Change {
    Change::Write { path: bytes(path), bytes: bytes(text), mode: None }
}

fn rename(from: &str, to: &str) -> Change {
    Change::Rename { from: bytes(from), to: bytes(to) }
}

fn delete(path: &str) -> Change {
    Change::Delete { path: bytes(path) }
}

fn make(path: &str) -> Change {
    Change::MakeDirectory { path: bytes(path) }
}

#[track_caller]
fn act(area: &mut Area, action: u64, changes: &[Change], label: Label) {
    area.stage_changes(action, changes).unwrap();
    area.commit_as(action, b"", label).unwrap();
}

#[track_caller]
fn layer(area: &mut Area, action: u64, layer: Layer, label: Label) {
    area.stage(action, &mut &layer.end()[..]).unwrap();
    area.commit_as(action, b"", label).unwrap();
}

#[track_caller]
fn undo(area: &mut Area, of: u64, action: u64, label: Label) {
    assert_eq!(area.stage_undo(of, action).unwrap().conflicts, []);
    area.commit_as(action, b"", label).unwrap();
}

#[track_caller]
fn labels(area: &Area, all: &[(&str, Label)]) {
    for (path, label) in all {
        assert_eq!(area.label(path.as_bytes()).unwrap(), *label, "{path}");
    }
}

#[test]
fn each_path_has_the_label_of_who_wrote_it_and_an_undo_brings_the_old_one_back() {
    let home = Home::new();
    let mut area = home.open();
    act(&mut area, 1, &[write("a", "mine"), make("d"), write("d/b", "mine")], OWN);
    labels(&area, &[("a", OWN), ("d", OWN), ("d/b", OWN)]);
    act(&mut area, 2, &[write("a", "theirs"), write("d/c", "theirs")], TAINTED);
    act(&mut area, 3, &[write("d/b", "a member's")], MEMBERS);
    let now = [("a", TAINTED), ("d", OWN), ("d/b", MEMBERS), ("d/c", TAINTED)];
    labels(&area, &now);
    drop(area);
    let mut area = home.open();
    labels(&area, &now);
    undo(&mut area, 2, 4, OWN);
    labels(&area, &[("a", OWN), ("d/b", MEMBERS), ("d/c", OWN)]);
    undo(&mut area, 4, 5, OWN);
    labels(&area, &now);
    // What goes takes its label with it, and another file of that name does not get it; an undo does.
    act(&mut area, 6, &[delete("d/c")], OWN);
    home.write("d/c", "by hand");
    labels(&area, &[("d/c", OWN)]);
    fs::remove_file(home.path("d/c")).unwrap();
    undo(&mut area, 6, 7, OWN);
    labels(&area, &[("d/c", TAINTED)]);
    // Who takes back is part of it.
    undo(&mut area, 7, 8, SECRET);
    undo(&mut area, 8, 9, SECRET);
    labels(&area, &[("d/c", TAINTED.join(SECRET))]);
}

#[test]
fn another_name_keeps_the_label() {
    let home = Home::new();
    let mut area = home.open();
    act(&mut area, 1, &[make("d"), make("d/e"), write("d/mine", "1"), write("z", "2")], OWN);
    act(&mut area, 2, &[write("d/e/theirs", "3")], TAINTED);
    act(&mut area, 3, &[rename("d", "moved"), rename("moved/e/theirs", "moved/again"), write("d", "4")], OWN);
    labels(&area, &[("moved", OWN), ("moved/mine", OWN), ("moved/again", TAINTED), ("d", OWN)]);
    labels(&area, &[("d/e/theirs", OWN), ("moved/e/theirs", OWN)]);
    undo(&mut area, 3, 4, OWN);
    labels(&area, &[("d/e/theirs", TAINTED), ("d/mine", OWN), ("moved/again", OWN)]);
    // A tainted turn that only renames has chosen the names.
    act(&mut area, 5, &[rename("z", "y")], TAINTED);
    labels(&area, &[("y", TAINTED)]);
}

#[test]
fn what_is_only_given_another_mode_keeps_the_label_and_adds_to_it() {
    let home = Home::new();
    let mut area = home.open();
    act(&mut area, 1, &[write("a", "x"), write("b", "x")], OWN);
    act(&mut area, 2, &[write("a", "y")], TAINTED);
    let mode = |path: &str, text: &str| Change::Write { path: bytes(path), bytes: bytes(text), mode: Some(0o600) };
    act(&mut area, 3, &[mode("a", "y")], SECRET);
    act(&mut area, 4, &[mode("b", "x")], TAINTED);
    labels(&area, &[("a", TAINTED.join(SECRET)), ("b", TAINTED)]);
    undo(&mut area, 4, 5, OWN);
    undo(&mut area, 3, 6, OWN);
    labels(&area, &[("a", TAINTED), ("b", OWN)]);
}

#[test]
fn every_name_of_a_file_that_is_written_in_place_has_its_label() {
    let home = Home::new();
    home.write("a", "mine\n");
    fs::create_dir_all(home.path("deep/er")).unwrap();
    fs::hard_link(home.path("a"), home.path("deep/er/b")).unwrap();
    fs::hard_link(home.path("a"), home.path("c")).unwrap();
    let mut area = home.open();
    act(&mut area, 2, &[write("a", "theirs too\n")], TAINTED);
    assert_eq!(fs::read_to_string(home.path("deep/er/b")).unwrap(), "theirs too\n");
    labels(&area, &[("a", TAINTED), ("deep/er/b", TAINTED), ("c", TAINTED)]);
    // Somebody gives one of the names to another file: that is not the one that comes back.
    act(&mut area, 3, &[delete("c")], OWN);
    act(&mut area, 4, &[write("c", "another\n")], SECRET);
    undo(&mut area, 2, 5, OWN);
    labels(&area, &[("c", SECRET)]);
    labels(&area, &[("a", OWN), ("deep/er/b", OWN)]);
}

#[test]
fn reading_by_a_link_is_reading_what_it_leads_to_and_the_link() {
    let home = Home::new();
    let mut area = home.open();
    act(&mut area, 1, &[make("d"), make("d/e"), write("d/e/clean", "1"), write("top", "2")], OWN);
    act(&mut area, 2, &[write("d/e/dirty", "3")], TAINTED);
    symlink("e", home.path("d/to-e")).unwrap();
    symlink("../d/./to-e/../to-e/dirty", home.path("d/chain")).unwrap();
    symlink("loop", home.path("loop")).unwrap();
    let by_link = Layer::default().link(EntryType::Symlink, b"theirs", b"top");
    layer(&mut area, 3, by_link, TAINTED);
    for (path, label) in [
        ("d/e/clean", OWN),
        ("d/to-e/clean", OWN),
        ("d/to-e/dirty", TAINTED),
        ("d/chain", TAINTED),
        ("top", OWN),
        ("theirs", TAINTED),
        ("loop", OWN),
        ("missing/at/all", OWN),
    ] {
        assert_eq!(area.label_read(path.as_bytes()).unwrap(), label, "{path}");
    }
    assert_eq!(area.label_read_below(b"d/to-e").unwrap(), TAINTED);
    assert_eq!(area.label_read_in(b"d").unwrap(), OWN);
    assert_eq!(area.label_read_in(b"d/to-e").unwrap(), TAINTED);
}

#[test]
fn joins_are_of_what_is_below_and_nothing_beside_it() {
    let home = Home::new();
    let other = home.beside("other");
    fs::write(other.join("f"), "x").unwrap();
    let mut area = home.open();
    act(&mut area, 1, &[make("a"), make("a/b"), write("a/b/c", "1"), write("a-b", "2"), write("a0", "3")], OWN);
    act(&mut area, 2, &[write("a-b", "4")], TAINTED);
    act(&mut area, 3, &[write("a0", "5")], SECRET);
    act(&mut area, 4, &[write("a/b/c", "6")], MEMBERS);
    assert_eq!(area.label_below(b"a").unwrap(), MEMBERS);
    assert_eq!(area.label_below(b"a/b/c").unwrap(), MEMBERS);
    assert_eq!(area.label_below(b"a/b/cc").unwrap(), OWN);
    assert_eq!(area.label_read_in(b"a").unwrap(), OWN);
    assert_eq!(area.label_read_in(b"").unwrap(), TAINTED.join(SECRET));
    assert_eq!(area.label_below(b"").unwrap(), TAINTED.join(SECRET));
    let streams = [Layer::default().end(), Layer::default().file(b"f", b"theirs").end()].concat();
    area.stage_layers(5, &mut &streams[..]).unwrap();
    area.commit_as(5, b"", TAINTED).unwrap();
    labels(&area, &[("/directories/other/f", TAINTED), ("f", OWN), ("/directories/others/f", OWN)]);
    undo(&mut area, 2, 6, OWN);
    undo(&mut area, 3, 7, OWN);
    assert_eq!(area.label_of_directories().unwrap(), TAINTED);
    assert_eq!((area.label_below(b"").unwrap(), area.label_of_all().unwrap()), (MEMBERS, TAINTED));
    act(&mut area, 8, &[rename("/directories/other/f", "a/f"), rename("a/b", "/directories/other/b")], OWN);
    labels(&area, &[("a/f", TAINTED), ("/directories/other/b/c", MEMBERS), ("/directories/other/f", OWN)]);
    undo(&mut area, 8, 9, OWN);
    undo(&mut area, 5, 10, OWN);
    assert_eq!(area.label_of_all().unwrap(), MEMBERS);
}

#[test]
fn what_somebody_removed_by_hand_taints_nothing_any_more() {
    let home = Home::new();
    let mut area = home.open();
    act(&mut area, 1, &[make("d"), write("d/a", "1"), write("d/b", "2"), write("mine", "3")], OWN);
    act(&mut area, 2, &[write("d/a", "theirs"), write("d/b", "theirs")], TAINTED);
    fs::remove_file(home.path("d/a")).unwrap();
    assert_eq!((area.label_below(b"d").unwrap(), area.label_of_all().unwrap()), (TAINTED, TAINTED));
    fs::write(home.path("d/a"), "by hand").unwrap();
    labels(&area, &[("d/a", OWN)]);
    fs::remove_dir_all(home.path("d")).unwrap();
    assert_eq!((area.label_below(b"d").unwrap(), area.label_of_all().unwrap()), (OWN, OWN));
    // What an undo needs of it is in its record: but what is gone is a conflict.
    assert!(!area.stage_undo(2, 3).unwrap().conflicts.is_empty());
}

/// What the tests hold the labels against: each path's, by rules that know nothing of plans and records.
#[derive(Clone, Debug, Default)]
struct Model {
    nodes: BTreeMap<String, (Option<String>, Label)>,
}

#[derive(Clone, Debug)]
enum Step {
    Write(String, bool),
    Make(String, bool),
    Delete(String, bool),
    Rename(String, String, bool),
    Undo(usize, bool),
    Reopen,
}

impl Model {
    fn below(&self, path: &str) -> Vec<String> {
        let inside = format!("{path}/");
        self.nodes.keys().filter(|one| *one == path || one.starts_with(&inside)).cloned().collect()
    }

    /// What the step makes of each path that it changes: `None`, nothing is there any more.
    fn after(&self, step: &Step, number: u64) -> BTreeMap<String, Option<(Option<String>, Label)>> {
        let label = |tainted: bool| if tainted { TAINTED } else { OWN };
        match step {
            Step::Write(path, tainted) => {
                BTreeMap::from([(path.clone(), Some((Some(format!("{number}")), label(*tainted))))])
            }
            Step::Make(path, tainted) => BTreeMap::from([(path.clone(), Some((None, label(*tainted))))]),
            Step::Delete(path, _) => self.below(path).into_iter().map(|path| (path, None)).collect(),
            Step::Rename(from, to, tainted) => {
                let mut all = BTreeMap::new();
                for path in self.below(from) {
                    let (content, old) = self.nodes[&path].clone();
                    let new = (content, old.join(label(*tainted)));
                    all.insert(format!("{to}{}", &path[from.len()..]), Some(new));
                    all.entry(path).or_insert(None);
                }
                all
            }
            Step::Undo(..) | Step::Reopen => BTreeMap::new(),
        }
    }

    fn apply(&mut self, changes: &BTreeMap<String, Option<(Option<String>, Label)>>) {
        for (path, now) in changes {
            match now {
                Some(now) => drop(self.nodes.insert(path.clone(), now.clone())),
                None => drop(self.nodes.remove(path)),
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let path = || prop::sample::select(vec!["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "f"]).prop_map(str::to_owned);
    prop_oneof![
        5 => (path(), any::<bool>()).prop_map(|(path, tainted)| Step::Write(path, tainted)),
        3 => (path(), any::<bool>()).prop_map(|(path, tainted)| Step::Make(path, tainted)),
        2 => (path(), any::<bool>()).prop_map(|(path, tainted)| Step::Delete(path, tainted)),
        4 => (path(), path(), any::<bool>()).prop_map(|(from, to, tainted)| Step::Rename(from, to, tainted)),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(of, tainted)| Step::Undo(of, tainted)),
        1 => Just(Step::Reopen),
    ]
}

type Before = BTreeMap<String, Option<(Option<String>, Label)>>;

fn stage(area: &mut Area, step: &Step, action: u64) -> Option<Label> {
    let (change, tainted) = match step {
        Step::Write(path, tainted) => (write(path, &format!("{action}")), *tainted),
        Step::Make(path, tainted) => (make(path), *tainted),
        Step::Delete(path, tainted) => (delete(path), *tainted),
        Step::Rename(from, to, tainted) => (rename(from, to), *tainted),
        Step::Undo(..) | Step::Reopen => return None,
    };
    area.stage_changes(action, &[change]).ok()?;
    Some(if tainted { TAINTED } else { OWN })
}

/// Takes one of the actions back, if that can be done.
fn take_back(area: &mut Area, model: &mut Model, done: &mut Vec<(u64, Before)>, of: usize, tainted: bool, action: u64) {
    let standing: Vec<usize> =
        (0..done.len()).filter(|at| matches!(area.state(done[*at].0), State::Committed { undoable: true })).collect();
    let Some(at) = standing.get(of % standing.len().max(1)) else { return };
    let label = if tainted { TAINTED } else { OWN };
    let (undone, before) = done[*at].clone();
    let Ok(staged) = area.stage_undo(undone, action) else { return };
    if !staged.conflicts.is_empty() || staged.effects.is_empty() {
        return area.unstage(action).unwrap();
    }
    area.commit_as(action, b"", label).unwrap();
    let now: Before = before.keys().map(|path| (path.clone(), model.nodes.get(path).cloned())).collect();
    let then = before.into_iter().map(|(path, old)| (path, old.map(|(content, old)| (content, old.join(label)))));
    model.apply(&then.collect());
    done.push((action, now));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_writes_renames_deletions_and_undos_leaves_the_labels_of_the_model(
        steps in prop::collection::vec(step(), 1..25)
    ) {
        let home = Home::new();
        let mut area = home.open();
        let (mut model, mut done) = (Model::default(), Vec::new());
        for (number, step) in steps.iter().enumerate() {
            let action = number as u64 + 1;
            match step {
                Step::Reopen => {
                    drop(area);
                    area = home.open();
                }
                Step::Undo(of, tainted) => take_back(&mut area, &mut model, &mut done, *of, *tainted, action),
                Step::Write(..) | Step::Make(..) | Step::Delete(..) | Step::Rename(..) => {
                    let Some(label) = stage(&mut area, step, action) else { continue };
                    let after = model.after(step, action);
                    let before = after.keys().map(|path| (path.clone(), model.nodes.get(path).cloned())).collect();
                    area.commit_as(action, b"", label).unwrap();
                    model.apply(&after);
                    done.push((action, before));
                }
            }
            for (path, (content, label)) in &model.nodes {
                prop_assert_eq!(area.label(path.as_bytes()).unwrap(), *label, "{} after {:?}", path, step);
                let found = fs::read_to_string(home.path(path)).ok();
                prop_assert_eq!(&found, content, "{} after {:?}", path, step);
            }
            let all = model.nodes.values().fold(OWN, |all, (_, label)| all.join(*label));
            prop_assert_eq!(area.label_of_all().unwrap(), all, "after {:?}", step);
        }
    }
}

/// More in a long run.
fn cases() -> u32 {
    std::env::var_os("CHELA_LONG").map_or(24, |_| 2_000)
}
