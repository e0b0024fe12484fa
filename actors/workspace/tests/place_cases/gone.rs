//! A workspace that becomes read-only, that is removed, and one with many more files than an action has to do with.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use workspace::{Area, AreaError, Change, CommitError, Key, Limits, StageError, State};

use super::{begin, sh};
use crate::common::{assert_same, key, look, open, timeless};

fn text(path: &str, text: &str) -> Change {
    Change::Write { path: path.as_bytes().to_vec(), bytes: text.as_bytes().to_vec(), mode: None }
}

fn remount(dir: &Path, how: &str) {
    let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(dir).status().unwrap();
    assert!(status.success());
}

/// Nothing is lost by what can't be written for a while.
pub fn read_only(dir: &Path) {
    begin(dir);
    sh(dir, "echo old > a; echo gone > b; mkdir d");
    let before = look(&dir.join("workspace"));
    let (mut area, _) = open(dir, Limits::default());
    area.stage_changes(1, &[text("a", "new"), Change::Delete { path: b"b".to_vec() }, text("d/c", "c")]).unwrap();
    // Not while somebody has it open to write.
    drop(area);
    remount(dir, "ro");
    let opened = Area::open(&dir.join("workspace"), &dir.join("store"), &key(), Limits::default()).map(drop);
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("Read-only file system"), "{error}");
    assert_same(&look(&dir.join("workspace")), &before, "read-only");
    remount(dir, "rw");
    let (mut area, recovered) = open(dir, Limits::default());
    assert_eq!(recovered, workspace::Recovered::default());
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(dir.join("workspace/a")).unwrap(), "new");
    assert_eq!(area.stage_undo(1, 3).unwrap().conflicts, []);
    area.commit(3, b"").unwrap();
    assert_same(&timeless(&look(&dir.join("workspace"))), &timeless(&before), "taken back");
}

/// A workspace that was removed is said to be, and its actions and their undo data stay.
pub fn removed(dir: &Path) {
    begin(dir);
    sh(dir, "echo old > a");
    let (mut area, _) = open(dir, Limits::default());
    area.stage_changes(1, &[text("a", "new")]).unwrap();
    area.commit(1, b"").unwrap();
    area.stage_changes(2, &[text("new", "text")]).unwrap();
    fs::remove_dir_all(dir.join("workspace")).unwrap();
    let error = area.commit(2, b"").unwrap_err();
    assert!(matches!(error, CommitError::Area(AreaError::Removed)), "{error:?}");
    let error = area.stage_changes(3, &[text("b", "")]).unwrap_err();
    assert!(matches!(error, StageError::Area(AreaError::Removed)), "{error:?}");
    assert!(area.stage_undo(1, 4).unwrap_err().to_string().contains("removed"));
    assert_eq!(area.state(2), State::Staged);
    drop(area);
    let opened = Area::open(&dir.join("workspace"), &dir.join("store"), &key(), Limits::default()).map(drop);
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("workspace") && error.contains("No such file"), "{error}");
    // Somebody puts back what there was.
    fs::create_dir(dir.join("workspace")).unwrap();
    fs::write(dir.join("workspace/a"), "new").unwrap();
    let (mut area, _) = open(dir, Limits::default());
    area.commit(2, b"").unwrap();
    assert_eq!(area.stage_undo(1, 5).unwrap().conflicts, []);
    area.commit(5, b"").unwrap();
    assert_eq!(fs::read_to_string(dir.join("workspace/a")).unwrap(), "old\n");
}

const DIRECTORIES: usize = 500;

/// Files of the large workspace: a million in a long run.
fn files() -> usize {
    if std::env::var_os("CHELA_LONG").is_some_and(|value| value == "1") { 1_000_000 } else { 50_000 }
}

/// Which of the directories were read since all of them had this time.
fn read_since(dir: &Path, long_ago: SystemTime) -> usize {
    let all = (0..DIRECTORIES).map(|number| dir.join(format!("workspace/d{number}")));
    let of = |path: std::path::PathBuf| fs::metadata(path).unwrap().accessed().unwrap();
    all.filter(|path| of(path.clone()) != long_ago).count() + usize::from(of(dir.join("workspace")) != long_ago)
}

fn never_read(dir: &Path, long_ago: SystemTime) {
    let times = fs::FileTimes::new().set_accessed(long_ago);
    let all = (0..DIRECTORIES).map(|number| dir.join(format!("workspace/d{number}"))).chain([dir.join("workspace")]);
    all.for_each(|path| fs::File::open(path).unwrap().set_times(times).unwrap());
}

/// What an action costs grows with what it changes, not with the workspace: of 500 directories with many files those are
/// read in which something changes, if any. The directory on which this stands notes when it was read.
pub fn many_files(dir: &Path) {
    begin(dir);
    for number in 0..DIRECTORIES {
        fs::create_dir(dir.join(format!("workspace/d{number}"))).unwrap();
        for file in 0..files() / DIRECTORIES {
            fs::write(dir.join(format!("workspace/d{number}/f{file}")), "").unwrap();
        }
    }
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    never_read(dir, long_ago);
    assert_eq!(fs::read_dir(dir.join("workspace/d7")).unwrap().count(), files() / DIRECTORIES);
    assert_eq!(read_since(dir, long_ago), 1, "reading a directory is not seen here");
    never_read(dir, long_ago);
    let mut changes: Vec<Change> = (0..5).map(|number| text(&format!("d{number}/f{number}"), "new")).collect();
    changes.extend((5..9).map(|number| Change::Delete { path: format!("d{number}/f1").into_bytes() }));
    changes.push(text("d9/new", "new"));
    let (mut area, _) =
        Area::open(&dir.join("workspace"), &dir.join("store"), &Key::new([42; 32]), Limits::default()).unwrap();
    area.stage_changes(1, &changes).unwrap();
    area.commit(1, b"").unwrap();
    assert_eq!(area.stage_undo(1, 2).unwrap().conflicts, []);
    area.commit(2, b"").unwrap();
    drop(area);
    drop(open(dir, Limits::default()));
    let read = read_since(dir, long_ago);
    assert!(read <= 11, "{read} directories were read for 10 changes and their undo");
    assert_eq!(fs::metadata(dir.join("workspace/d0/f0")).unwrap().size(), 0);
    begin(dir);
}
