//! The cases, each with the place it runs in.

mod full;
mod gone;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use workspace::{Area, Change, CommitError, Limits, StageError, State};

use crate::common::{Node, Tree, assert_same, look, open, set_mode, timeless};

/// Where a case runs.
#[derive(Clone, Copy)]
pub enum Place {
    /// Three megabytes and a thousand inodes.
    SmallDisk,
    /// A disk of its own with room, which notes when a directory is read.
    Disk,
    /// An account that permissions hold for.
    Ordinary,
    /// A small ext4 in a file, on `disk`.
    Ext4,
    /// A btrfs in a file, whose subvolume `disk/sub` has a quota.
    Quota,
}

pub struct Case {
    pub name: &'static str,
    pub place: Place,
    pub run: fn(&Path),
}

pub const CASES: &[Case] = &[
    Case { name: "a_full_disk_at_every_moment_changes_nothing_or_all", place: Place::SmallDisk, run: every_page },
    Case { name: "a_disk_without_inodes_changes_nothing_or_all", place: Place::SmallDisk, run: every_inode },
    Case { name: "what_the_account_denies_itself_is_changed_and_comes_back", place: Place::Ordinary, run: denied },
    Case { name: "a_commit_of_denied_files_is_taken_back", place: Place::Ordinary, run: denied_back },
    Case { name: "a_read_only_workspace_says_so_and_loses_nothing", place: Place::SmallDisk, run: gone::read_only },
    Case { name: "a_removed_workspace_is_told_and_its_actions_stay", place: Place::SmallDisk, run: gone::removed },
    Case {
        name: "a_disk_that_fills_at_any_moment_is_told_and_nothing_is_half_done",
        place: Place::Ext4,
        run: full::ext4,
    },
    Case { name: "a_quota_that_is_used_up_is_told_and_nothing_is_half_done", place: Place::Quota, run: full::quota },
    Case { name: "a_large_workspace_is_not_walked_for_a_few_changes", place: Place::Disk, run: gone::many_files },
];

const ACTION: u64 = 1;

fn begin(dir: &Path) {
    for name in ["workspace", "store"] {
        drop(Command::new("chmod").args(["-R", "u+rwx"]).arg(dir.join(name)).output().unwrap());
        drop(fs::remove_dir_all(dir.join(name)));
        fs::create_dir(dir.join(name)).unwrap();
    }
}

fn sh(dir: &Path, script: &str) {
    let status = Command::new("sh").args(["-euc", script]).current_dir(dir.join("workspace")).status().unwrap();
    assert!(status.success(), "{script}");
}

fn write(path: &str, bytes: usize) -> Change {
    let mut noise = vec![0; bytes];
    noise_into(&mut noise);
    Change::Write { path: path.as_bytes().to_vec(), bytes: noise, mode: None }
}

/// What does not compress.
fn noise_into(into: &mut [u8]) {
    std::io::Read::read_exact(&mut File::open("/dev/urandom").unwrap(), into).unwrap();
}

fn changes() -> Vec<Change> {
    let path = |path: &str| path.as_bytes().to_vec();
    vec![
        write("linked", 300_000),
        write("replaced", 50_000),
        Change::Delete { path: path("gone") },
        Change::MakeDirectory { path: path("new") },
        write("new/file", 60_000),
    ]
}

/// Stages and commits with what room there is. Whether it was done; the tree is as before when it was not.
fn attempt(dir: &Path, before: &Tree) -> bool {
    let (mut area, _) = open(dir, Limits::default());
    let result = area.stage_changes(ACTION, &changes()).map_err(|error| {
        assert!(matches!(error, StageError::Io(_) | StageError::Area(_)), "{error:?}");
        error.to_string()
    });
    let result = result.and_then(|_| {
        area.commit(ACTION, b"").map_err(|error| {
            assert!(matches!(error, CommitError::Io(_)), "{error:?}");
            assert_eq!(area.state(ACTION), State::Staged);
            error.to_string()
        })
    });
    match result {
        Ok(committed) => {
            assert!(committed.undoable);
            true
        }
        Err(text) => {
            assert!(text.contains("the disk is full"), "{text}");
            assert_same(&look(&dir.join("workspace")), before, &text);
            assert!(fs::read_dir(dir.join("store/undo/contents")).unwrap().next().is_none(), "{text}");
            drop(area);
            let (area, recovered) = open(dir, Limits::default());
            assert!(recovered.finished.is_empty() && recovered.rolled_back.is_empty(), "{recovered:?}");
            assert_ne!(area.state(ACTION), State::Committed { undoable: true });
            false
        }
    }
}

fn make(dir: &Path) -> Tree {
    begin(dir);
    sh(dir, "for f in linked replaced gone; do head -c 100000 /dev/urandom > $f; done; ln linked linked-too");
    look(&dir.join("workspace"))
}

/// Each time one page more is free, until it is enough.
fn every_page(dir: &Path) {
    let mut failures = 0;
    for pages in 8.. {
        let before = make(dir);
        drop(open(dir, Limits::default()));
        let free = rustix::fs::statvfs(dir).unwrap();
        let ballast = File::create(dir.join("ballast")).unwrap();
        let bytes = (free.f_bfree * free.f_frsize).checked_sub(pages * 4096).expect("an empty disk is not enough");
        rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, bytes).unwrap();
        let done = attempt(dir, &before);
        fs::remove_file(dir.join("ballast")).unwrap();
        if done {
            break;
        }
        failures += 1;
    }
    assert!(failures > 100, "only {failures} moments were tried");
}

fn every_inode(dir: &Path) {
    let mut failures = 0;
    for inodes in 1.. {
        let before = make(dir);
        drop(open(dir, Limits::default()));
        fs::create_dir(dir.join("ballast")).unwrap();
        let free = rustix::fs::statvfs(dir).unwrap().f_ffree;
        for number in 0..free - inodes {
            File::create(dir.join("ballast").join(number.to_string())).unwrap();
        }
        let done = attempt(dir, &before);
        fs::remove_dir_all(dir.join("ballast")).unwrap();
        if done {
            break;
        }
        failures += 1;
    }
    assert!(failures > 5, "only {failures} moments were tried");
}

const DENIED: &str = "mkdir -p closed/deep blind full; echo s > secret; echo 1 > closed/1; echo 2 > closed/deep/2; \
                      echo b > blind/b; echo r > full/r; ln full/r full/r2; chmod 000 secret; chmod 400 closed/1; \
                      chmod 000 closed/deep; chmod 500 closed; chmod 300 blind; chmod 444 full/r; chmod 555 full";

/// The tree, with each permission out of the way for a moment.
fn look_at_all(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(&dir.join("workspace"), Path::new(""), &mut tree);
    tree
}

fn walk(root: &Path, at: &Path, tree: &mut Tree) {
    let full = root.join(at);
    let data = fs::symlink_metadata(&full).unwrap();
    let mode = data.mode() & 0o7777;
    set_mode(&full, mode | 0o700);
    let (kind, content) = if data.is_dir() {
        for entry in fs::read_dir(&full).unwrap() {
            walk(root, &at.join(entry.unwrap().file_name()), tree);
        }
        ("directory", Vec::new())
    } else {
        ("file", fs::read(&full).unwrap())
    };
    set_mode(&full, mode);
    let mtime = (data.mtime(), data.mtime_nsec());
    tree.insert(
        at.to_path_buf(),
        Node { kind, mode, content, xattrs: BTreeMap::new(), mtime, same_as: at.to_path_buf() },
    );
}

fn denied_changes() -> Vec<Change> {
    let path = |path: &str| path.as_bytes().to_vec();
    let text = |at: &str, text: &str| Change::Write { path: path(at), bytes: text.as_bytes().to_vec(), mode: None };
    vec![
        text("secret", "new\n"),
        Change::Delete { path: path("closed") },
        text("full/r", "written in place\n"),
        text("full/new", "in a directory that is not writable\n"),
        text("blind/b", "in one that can't be listed\n"),
    ]
}

fn denied(dir: &Path) {
    begin(dir);
    sh(dir, DENIED);
    let before = look_at_all(dir);
    let (mut area, _) = open(dir, Limits::default());
    area.stage_changes(ACTION, &denied_changes()).unwrap();
    assert_same(&look_at_all(dir), &before, "staging changed something");
    area.commit(ACTION, b"").unwrap();
    let after = look_at_all(dir);
    let at = |path: &str| after[Path::new(path)].clone();
    assert_eq!((at("secret").mode, &at("secret").content[..]), (0, &b"new\n"[..]));
    assert_eq!((at("full").mode, at("full/r2").mode), (0o555, 0o444));
    assert_eq!(at("full/r2").content, b"written in place\n");
    assert!(!after.contains_key(Path::new("closed")));
    undo(&mut area, 2);
    assert_same(&timeless(&look_at_all(dir)), &timeless(&before), "undo");
    begin(dir);
}

fn undo(area: &mut Area, as_action: u64) {
    assert_eq!(area.stage_undo(ACTION, as_action).unwrap().conflicts, []);
    area.commit(as_action, b"").unwrap();
}

fn denied_back(dir: &Path) {
    begin(dir);
    sh(dir, DENIED);
    let before = look_at_all(dir);
    let (mut area, _) = open(dir, Limits::default());
    let mut changes = denied_changes();
    changes.push(Change::Write { path: b"zz".to_vec(), bytes: Vec::new(), mode: None });
    area.stage_changes(ACTION, &changes).unwrap();
    let in_the_way = dir.join("workspace/zz");
    let path = in_the_way.clone();
    area.on_point(Box::new(move |point| {
        if point == workspace::Point::Journaled {
            fs::write(&path, "by hand").unwrap();
        }
    }));
    area.commit(ACTION, b"").unwrap_err();
    fs::remove_file(in_the_way).unwrap();
    assert_same(&timeless(&look_at_all(dir)), &timeless(&before), "taken back");
    area.discard(ACTION).unwrap();
    assert!(fs::read_dir(dir.join("store/staging")).unwrap().next().is_none());
    begin(dir);
}
