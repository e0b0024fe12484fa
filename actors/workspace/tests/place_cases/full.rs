//! A disk that fills, and a quota that is used up, at every moment of an action's life: as it is staged, committed and taken
//! back. Each time the error says so, nothing is half done, and with room again it works.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use workspace::{Area, AreaError, CommitError, Limits, State};

use super::{changes, make};
use crate::common::{assert_same, look, open, timeless};

/// What is left free grows by so much, from moment to moment.
const STEP_BYTES: u64 = 16 << 10;
const DO: u64 = 1;
const UNDO: u64 = 2;

/// An ext4 of a few megabytes: it allocates late, and what it promised it must have.
pub fn ext4(dir: &Path) {
    every_moment(&dir.join("disk"), Bound::Disk);
}

/// A subvolume with a quota on a btrfs that has room.
pub fn quota(dir: &Path) {
    every_moment(&dir.join("disk/sub"), Bound::Quota);
}

/// Moments at which there was no room.
#[derive(Debug, Default)]
struct Failures {
    staging: u32,
    committing: u32,
    undoing: u32,
    /// Of those, how often it could not be taken back before there was room.
    torn: u32,
}

fn every_moment(dir: &Path, bound: Bound) {
    let mut failures = Failures::default();
    for free in (0..).map(|step| step * STEP_BYTES) {
        let before = make(dir);
        let mut area = open(dir, Limits::default()).0;
        bound.fill(dir, free);
        let done = attempt(dir, bound, &mut area, DO, &mut failures, stage);
        let after = look(&dir.join("workspace"));
        bound.fill(dir, free);
        let undone = attempt(dir, bound, &mut area, UNDO, &mut failures, |area| {
            let undo = area.stage_undo(DO, UNDO).map_err(|error| error.to_string())?;
            assert_eq!(undo.conflicts, []);
            Ok(())
        });
        assert_ne!(timeless(&after), timeless(&before));
        assert_same(&timeless(&look(&dir.join("workspace"))), &timeless(&before), "taken back");
        if done && undone {
            break;
        }
    }
    println!("{failures:?}");
    assert!(failures.staging > 3 && failures.committing > 3 && failures.undoing > 3, "{failures:?}");
}

fn stage(area: &mut Area) -> Result<(), String> {
    area.stage_changes(DO, &changes()).map(drop).map_err(|error| error.to_string())
}

/// Stages and commits with what room there is; where that is not enough, again with room. Whether it was enough.
fn attempt(
    dir: &Path,
    bound: Bound,
    area: &mut Area,
    action: u64,
    failures: &mut Failures,
    stage: impl Fn(&mut Area) -> Result<(), String>,
) -> bool {
    let before = look(&dir.join("workspace"));
    let staged = stage(area);
    let mut torn = false;
    let error = match staged {
        Ok(()) => match area.commit(action, b"") {
            Ok(_) => {
                assert!(area.tidy(usize::MAX).unwrap());
                bound.room(dir);
                return true;
            }
            Err(error) => {
                assert_eq!(area.state(action), State::Staged, "{error}");
                torn = matches!(error, CommitError::Area(AreaError::Torn { .. }));
                failures.committing += u32::from(action == DO);
                error.to_string()
            }
        },
        Err(error) => {
            assert_eq!(area.state(action), State::Unknown, "{error}");
            failures.staging += u32::from(action == DO);
            error
        }
    };
    failures.undoing += u32::from(action == UNDO);
    assert!(error.contains("could not ") && error.contains(bound.says()), "{error}");
    failures.torn += u32::from(torn);
    if torn {
        // Taking it back takes room, too, where changed blocks are written elsewhere. It is the next thing that is done.
        assert!(area.stage_changes(99, &[]).unwrap_err().to_string().contains("neither finished nor taken back"));
        bound.room(dir);
        area.stage_changes(99, &[]).unwrap();
        area.discard(99).unwrap();
        fs::remove_file(dir.join("store/actions/99.discarded")).unwrap();
    }
    assert_same(&timeless(&look(&dir.join("workspace"))), &timeless(&before), &error);
    if !torn {
        bound.room(dir);
    }
    if area.state(action) == State::Unknown {
        stage(area).unwrap();
    }
    assert!(area.commit(action, b"").unwrap().undoable);
    assert!(area.tidy(usize::MAX).unwrap());
    false
}

/// What there is no room on.
#[derive(Clone, Copy)]
enum Bound {
    Disk,
    Quota,
}

impl Bound {
    fn says(self) -> &'static str {
        match self {
            Bound::Disk => "the disk is full",
            Bound::Quota => "the disk quota is used up",
        }
    }

    /// Leaves so much room.
    fn fill(self, dir: &Path, free: u64) {
        match self {
            Bound::Disk => fill(dir, free),
            Bound::Quota => limit(dir, &(used(dir) + free).to_string()),
        }
    }

    fn room(self, dir: &Path) {
        match self {
            Bound::Disk => {
                fs::remove_file(dir.join("ballast")).unwrap();
                sync(dir);
            }
            Bound::Quota => limit(dir, "none"),
        }
    }
}

fn sync(dir: &Path) {
    rustix::fs::syncfs(File::open(dir).unwrap()).unwrap();
}

/// Takes all room but so much.
fn fill(dir: &Path, free: u64) {
    let mut ballast = File::create(dir.join("ballast")).unwrap();
    let mut taken = 0;
    for piece in [256 << 10, 4 << 10] {
        let noise = vec![1; piece];
        while ballast.write_all(&noise).and_then(|()| ballast.sync_all()).is_ok() {
            taken += piece as u64;
        }
    }
    ballast.set_len(taken.saturating_sub(free)).unwrap();
    sync(dir);
}

fn btrfs(words: &[&str], dir: &Path) -> String {
    let output = Command::new("btrfs").args(words).arg(dir).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn limit(dir: &Path, bytes: &str) {
    // Asked for through the subvolume, it would need room there.
    drop(btrfs(&["qgroup", "limit", bytes, "0/256"], dir.parent().unwrap()));
}

fn used(dir: &Path) -> u64 {
    sync(dir);
    let told = btrfs(&["qgroup", "show", "--raw", "-f"], dir);
    let line = told.lines().last().unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap_or_else(|_| panic!("{told}"))
}
