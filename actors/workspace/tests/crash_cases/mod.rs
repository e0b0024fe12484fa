//! The commits that are aborted.

use std::fs;
use std::os::unix::fs::symlink;

use tar::EntryType;
use workspace::{Area, Change, State};

use crate::common::layer::Layer;
use crate::common::{Home, set_mode, set_xattr};

/// A workspace and an action on it.
pub struct Case {
    pub name: &'static str,
    /// Makes the workspace.
    pub make: fn(&Home),
    /// Stages the action.
    pub stage: fn(&mut Area, u64),
}

pub const CASES: &[Case] = &[
    Case { name: "one_file_is_written", make: some_files, stage: one_file },
    Case { name: "many_kinds_of_changes", make: some_files, stage: many_kinds },
    Case { name: "a_tree_is_renamed", make: some_files, stage: renamed_tree },
    Case { name: "a_layer_of_everything", make: some_files, stage: layer },
    Case { name: "layers_over_the_workspace_and_two_directories", make: directories, stage: layers },
    Case { name: "an_undo_in_the_workspace_and_two_directories", make: directories, stage: undo_of_layers },
    Case { name: "an_undo_of_many_kinds", make: some_files, stage: undo },
];

fn some_files(home: &Home) {
    home.write("a", "alpha\n");
    home.write("b", "beta\n");
    home.write("gone", "to be deleted\n");
    home.write("large", &"0123456789abcdef".repeat(4096));
    set_xattr(&home.path("b"), "user.color", b"blue");
    set_mode(&home.path("gone"), 0o600);
    fs::create_dir_all(home.path("dir/inner")).unwrap();
    home.write("dir/one", "1\n");
    home.write("dir/inner/two", "2\n");
    symlink("../a", home.path("dir/link")).unwrap();
    fs::hard_link(home.path("a"), home.path("dir/a-too")).unwrap();
    set_mode(&home.path("dir/inner"), 0o555);
}

fn path(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}

fn write(at: &str, text: &str) -> Change {
    Change::Write { path: path(at), bytes: text.as_bytes().to_vec(), mode: None }
}

fn one_file(area: &mut Area, action: u64) {
    area.stage_changes(action, &[write("b", "changed\n")]).unwrap();
}

fn many_kinds(area: &mut Area, action: u64) {
    let changes = [
        write("a", "changed under both names\n"),
        write("b", "changed\n"),
        write("large", "small\n"),
        Change::Delete { path: path("gone") },
        Change::Delete { path: path("dir/inner") },
        Change::MakeDirectory { path: path("new") },
        Change::MakeDirectory { path: path("new/deep") },
        write("new/deep/file", "new\n"),
        Change::Write { path: path("dir/one"), bytes: b"1\n".to_vec(), mode: Some(0o700) },
    ];
    area.stage_changes(action, &changes).unwrap();
}

fn renamed_tree(area: &mut Area, action: u64) {
    let changes = [Change::Rename { from: path("dir"), to: path("moved") }, write("moved/one", "one\n")];
    area.stage_changes(action, &changes).unwrap();
}

fn layer(area: &mut Area, action: u64) {
    let opaque: &[(&str, &[u8])] = &[("path", b"dir"), ("mtime", b"2"), ("CHELA.opaque", b"1")];
    let sparse: &[(&str, &[u8])] = &[
        ("path", b"large"),
        ("mtime", b"-3.5"),
        ("atime", b"3"),
        ("SCHILY.xattr.user.color", b"red"),
        ("GNU.sparse.size", b"1000000"),
        ("GNU.sparse.numblocks", b"1"),
        ("GNU.sparse.map", b"500000,4"),
    ];
    let stream = Layer::default()
        .directory(b"a")
        .file(b"a/inside", b"where a file was\n")
        .link(EntryType::Symlink, b"b", b"/nowhere")
        .entry(EntryType::Directory, opaque, b"")
        .file(b"dir/one", b"1\n")
        .file(b"dir/three", b"3\n")
        .file(b"gone", b"first\n")
        .link(EntryType::Link, b"gone-too", b"gone")
        .entry(EntryType::Regular, sparse, b"data")
        .end();
    area.stage(action, &mut &stream[..]).unwrap();
}

fn undo(area: &mut Area, action: u64) {
    if area.state(3) == State::Unknown {
        many_kinds(area, 3);
        area.commit(3, b"").unwrap();
    }
    assert_eq!(area.stage_undo(3, action).unwrap().conflicts, []);
}

fn directories(home: &Home) {
    some_files(home);
    for name in ["letters", "accounts"] {
        let directory = home.beside(name);
        fs::write(directory.join("kept"), "kept\n").unwrap();
        fs::write(directory.join("changed"), "before\n").unwrap();
        fs::write(directory.join("gone"), "0123456789abcdef".repeat(4096)).unwrap();
        fs::hard_link(directory.join("changed"), directory.join("changed-too")).unwrap();
        fs::create_dir(directory.join("inner")).unwrap();
        set_mode(&directory.join("inner"), 0o555);
    }
}

fn layers(area: &mut Area, action: u64) {
    let own = Layer::default().file(b"b", b"changed\n").whiteout(b"gone").end();
    let accounts = Layer::default().file(b"new", b"new\n").whiteout(b"gone").end();
    let inner: &[(&str, &[u8])] = &[("path", b"inner"), ("mtime", b"2")];
    let letters = Layer::default()
        .file(b"changed", b"after\n")
        .entry(EntryType::Directory, inner, b"")
        .file(b"inner/new", b"new\n")
        .link(EntryType::Symlink, b"kept", b"/nowhere")
        .end();
    let stream = [own, accounts, letters].concat();
    let effects = area.stage_layers(action, &mut &stream[..]).unwrap();
    let shown: Vec<String> = effects.list.iter().map(|effect| workspace::shown(&effect.path)).collect();
    for path in ["b", "gone", "/directories/accounts/gone", "/directories/letters/inner/new"] {
        assert!(shown.iter().any(|one| one == path), "{path}: {shown:?}");
    }
}

fn undo_of_layers(area: &mut Area, action: u64) {
    if area.state(3) == State::Unknown {
        layers(area, 3);
        area.commit(3, b"").unwrap();
    }
    assert_eq!(area.stage_undo(3, action).unwrap().conflicts, []);
}
