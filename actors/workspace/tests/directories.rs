//! Directories beside the workspace: one transaction with it, and nothing leads out of any of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use common::layer::Layer;
use common::{Home, assert_same};
use workspace::{Area, Change, CommitError, Limits, State};

fn staged(area: &mut Area, action: u64, layers: &[Vec<u8>]) -> Result<Vec<String>, String> {
    let stream = layers.concat();
    match area.stage_layers(action, &mut &stream[..]) {
        Ok(effects) => Ok(common::lines(&effects)),
        Err(error) => Err(error.to_string()),
    }
}

fn nothing() -> Vec<u8> {
    Layer::default().end()
}

#[test]
fn one_action_in_two_directories_is_one_and_so_is_its_undo() {
    let home = Home::new();
    home.write("own", "own\n");
    let letters = home.beside("letters");
    fs::write(letters.join("one"), "one\n").unwrap();
    let before = home.look();
    let mut area = home.open();
    let own = Layer::default().file(b"own", b"changed\n").end();
    let theirs = Layer::default().file(b"one", b"changed\n").file(b"two", b"two\n").end();
    let lines = staged(&mut area, 1, &[own, theirs]).unwrap();
    assert_eq!(lines, ["~ file own", "~ file /directories/letters/one", "+ file /directories/letters/two"]);
    assert_same(&home.look(), &before, "staged only");
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(letters.join("two")).unwrap(), "two\n");
    let undo = area.stage_undo(1, 2).unwrap();
    assert_eq!(undo.effects.list.len(), 3);
    area.commit(2, b"").unwrap();
    assert_same(&home.look(), &before, "undone");
    assert_eq!(area.state(1), State::Undone { by: 2 });
}

#[test]
fn what_was_changed_by_hand_in_one_keeps_both_as_they_are() {
    let home = Home::new();
    let letters = home.beside("letters");
    fs::write(letters.join("one"), "one\n").unwrap();
    let mut area = home.open();
    let own = Layer::default().file(b"own", b"new\n").end();
    let theirs = Layer::default().file(b"one", b"changed\n").end();
    staged(&mut area, 1, &[own.clone(), theirs.clone()]).unwrap();
    fs::write(letters.join("one"), "by hand\n").unwrap();
    let before = home.look();
    let Err(CommitError::Conflict(conflicts)) = area.commit(1, b"") else { panic!("no conflict") };
    assert_eq!(conflicts[0].path, b"/directories/letters/one");
    assert_same(&home.look(), &before, "a conflict");
    area.discard(1).unwrap();
    staged(&mut area, 2, &[own, theirs]).unwrap();
    area.commit(2, b"").unwrap();
    fs::write(letters.join("one"), "by hand again\n").unwrap();
    let before = home.look();
    let undo = area.stage_undo(2, 3).unwrap();
    assert_eq!(undo.conflicts[0].path, b"/directories/letters/one");
    assert_same(&home.look(), &before, "a conflict");
    assert_eq!(fs::read_dir(letters.join(workspace::STAGING)).unwrap().count(), 0);
}

#[test]
fn links_lead_no_commit_out_of_a_directory() {
    let home = Home::new();
    let letters = home.beside("letters");
    let outside = home.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(letters.join("dir")).unwrap();
    let mut area = home.open();
    let theirs = Layer::default().directory(b"dir").file(b"dir/new", b"new\n").end();
    staged(&mut area, 1, &[nothing(), theirs]).unwrap();
    // Whoever owns the directory puts a link in the way, after the rehearsal.
    fs::remove_dir(letters.join("dir")).unwrap();
    symlink(&outside, letters.join("dir")).unwrap();
    assert!(matches!(area.commit(1, b""), Err(CommitError::Conflict(_))));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn the_staging_directory_is_nobodys_to_name_and_must_be_ours() {
    let home = Home::new();
    let letters = home.beside("letters");
    let mut area = home.open();
    for layer in [
        Layer::default().file(b".chela-staging", b"x"),
        Layer::default().whiteout(b".chela-staging"),
        Layer::default().directory(b".chela-staging").file(b".chela-staging/7", b"x"),
    ] {
        let why = staged(&mut area, 1, &[nothing(), layer.end()]).unwrap_err();
        assert!(why.contains("for itself"), "{why}");
    }
    let cut = staged(&mut area, 1, &[nothing()]).unwrap_err();
    assert!(cut.contains("refused"), "{cut}");
    drop(area);
    let staging = letters.join(workspace::STAGING);
    assert_eq!(fs::metadata(&staging).unwrap().mode() & 0o7777, 0o700);
    fs::remove_dir(&staging).unwrap();
    symlink(home.dir.path(), &staging).unwrap();
    let open = || {
        let (workspace, store) = (home.workspace(), home.store());
        let beside = [letters.clone()];
        Area::open_beside(&workspace, &beside, &store, &common::key(), Limits::default(), None).map(drop)
    };
    assert!(open().is_err(), "a link");
    fs::remove_file(&staging).unwrap();
    fs::create_dir(&staging).unwrap();
    common::set_mode(&staging, 0o777);
    assert!(open().unwrap_err().to_string().contains("open to others"));
}

#[test]
fn an_action_in_a_directory_that_is_gone_can_t_be_undone_until_it_is_back() {
    let home = Home::new();
    let letters = home.beside("letters");
    let mut area = home.open();
    let theirs = Layer::default().file(b"one", b"one\n").end();
    staged(&mut area, 1, &[nothing(), theirs]).unwrap();
    area.commit(1, b"").unwrap();
    drop(area);
    let away = home.dir.path().join("away");
    fs::rename(&letters, &away).unwrap();
    let mut area = home.open();
    let why = area.stage_undo(1, 2).unwrap_err().to_string();
    assert!(why.contains("/directories/letters") && why.contains("add it again"), "{why}");
    drop(area);
    fs::rename(&away, &letters).unwrap();
    let mut area = home.open();
    area.stage_undo(1, 2).unwrap();
    area.commit(2, b"").unwrap();
    assert!(!letters.join("one").exists());
}

fn bytes(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}

fn renamed(area: &mut Area, action: u64, from: &str, to: &str) -> Result<Vec<String>, String> {
    let change = Change::Rename { from: bytes(from), to: bytes(to) };
    area.stage_changes(action, &[change]).map(|effects| common::lines(&effects)).map_err(|error| error.to_string())
}

#[test]
fn what_moves_between_places_is_the_same_there_gone_here_and_comes_back() {
    let home = Home::new();
    let (letters, bills) = (home.beside("letters"), home.beside("bills"));
    fs::create_dir_all(letters.join("year/deep")).unwrap();
    fs::write(letters.join("year/one"), "one\n").unwrap();
    fs::hard_link(letters.join("year/one"), letters.join("year/deep/again")).unwrap();
    common::set_mode(&letters.join("year/one"), 0o640);
    common::set_xattr(&letters.join("year/one"), "user.note", b"kept");
    symlink("/etc/passwd", letters.join("year/link")).unwrap();
    common::set_mode(&letters.join("year/deep"), 0o500);
    let tree = common::look(&letters.join("year"));
    let before = home.look();
    let mut area = home.open();
    for (number, (from, to, at)) in [
        ("/directories/letters/year", "mine", home.path("mine")),
        ("mine", "/directories/bills/sub", bills.join("sub")),
        ("/directories/bills/sub", "/directories/letters/again", letters.join("again")),
    ]
    .into_iter()
    .enumerate()
    {
        let lines = renamed(&mut area, number as u64, from, to).unwrap();
        assert_eq!(lines.len(), 10, "{lines:?}");
        area.commit(number as u64, b"").unwrap();
        assert_same(&common::timeless(&common::look(&at)), &common::timeless(&tree), to);
        let ids = ["one", "deep/again"].map(|name| fs::metadata(at.join(name)).unwrap().ino());
        assert_eq!(ids[0], ids[1], "still one file of two names");
    }
    assert!(!letters.join("year").exists() && !home.path("mine").exists() && !bills.join("sub").exists());
    for of in [2, 1, 0] {
        area.stage_undo(of, 10 + of).unwrap();
        area.commit(10 + of, b"").unwrap();
    }
    assert!(area.tidy(usize::MAX).unwrap());
    assert_same(&common::timeless(&home.look()), &common::timeless(&before), "all taken back");
    for place in [&letters, &bills] {
        assert_eq!(fs::read_dir(place.join(workspace::STAGING)).unwrap().count(), 0);
    }
}

#[test]
fn one_action_changes_names_in_all_places_and_each_change_sees_those_before() {
    let home = Home::new();
    let letters = home.beside("letters");
    fs::write(letters.join("old"), "old\n").unwrap();
    home.write("own", "own\n");
    let before = home.look();
    let mut area = home.open();
    let changes = [
        Change::MakeDirectory { path: bytes("/directories/letters/new") },
        Change::Rename { from: bytes("own"), to: bytes("/directories/letters/new/own") },
        Change::Rename { from: bytes("/directories/letters/old"), to: bytes("own") },
        Change::Write { path: bytes("/directories/letters/note"), bytes: b"note\n".to_vec(), mode: None },
    ];
    let lines = common::lines(&area.stage_changes(1, &changes).unwrap());
    let wanted = ["~ file own", "+ directory /directories/letters/new", "+ file /directories/letters/new/own"];
    assert_eq!(lines[..3], wanted, "{lines:?}");
    assert_eq!(lines.len(), 5);
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(letters.join("new/own")).unwrap(), "own\n");
    assert_eq!(fs::read_to_string(home.path("own")).unwrap(), "old\n");
    area.stage_undo(1, 2).unwrap();
    area.commit(2, b"").unwrap();
    assert_same(&common::timeless(&home.look()), &common::timeless(&before), "taken back");
}

#[test]
fn a_path_leads_into_a_directory_that_was_added_or_nowhere() {
    let home = Home::new();
    let letters = home.beside("letters");
    fs::write(letters.join("one"), "one\n").unwrap();
    let outside = home.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret\n").unwrap();
    symlink(&outside, letters.join("out")).unwrap();
    home.write("own", "own\n");
    let before = home.look();
    let mut area = home.open();
    for (from, to, why) in [
        ("/directories/letters", "here", "name something in it"),
        ("own", "/directories/letters", "name something in it"),
        ("/directories/none/one", "here", "no directory of this name"),
        ("own", "/directories/none/one", "no directory of this name"),
        ("/directories/letters/.chela-staging", "here", "for itself"),
        ("own", "/directories/letters/.chela-staging/7", "for itself"),
        ("/directories/letters/../../etc/passwd", "here", "letters/../../etc/passwd: the path has . or .. in it"),
        ("own", "/directories/letters/../x", ".. in it"),
        ("/directories/letters/out/secret", "here", "nothing of this name"),
        ("own", "/directories/letters/out/own", "not there"),
        ("own", "/directories/letters/one", "letters/one: there is something of this name"),
        ("/directories/letters/two", "here", "letters/two: there is nothing of this name"),
        ("/directories//one", "here", "no directory of this name"),
    ] {
        let told = renamed(&mut area, 1, from, to).unwrap_err();
        assert!(told.contains(why), "{from} to {to}: {told}");
    }
    assert!(
        area.look(b"/directories/letters/out/secret").is_err()
            || area.look(b"/directories/letters/out/secret").unwrap().is_none()
    );
    assert_same(&home.look(), &before, "nothing was changed");
    assert_eq!(fs::read_dir(letters.join(workspace::STAGING)).unwrap().count(), 0, "nothing is left staged");
}

#[test]
fn what_is_changed_after_it_was_copied_is_a_conflict_and_nothing_moves() {
    let home = Home::new();
    let letters = home.beside("letters");
    fs::write(letters.join("one"), "one\n").unwrap();
    let mut area = home.open();
    renamed(&mut area, 1, "/directories/letters/one", "here").unwrap();
    fs::write(letters.join("one"), "by hand\n").unwrap();
    assert!(matches!(area.commit(1, b""), Err(CommitError::Conflict(_))));
    assert_eq!(fs::read_to_string(letters.join("one")).unwrap(), "by hand\n");
    assert!(!home.path("here").exists());
}
