//! Effects, commit and undo, as the executor has them done: a layer is handed out, staged, committed, taken back.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use workspace::{Area, Key, Limits, export};

use crate::cells::made;
use crate::sample::Sample;

/// Small files of one commit.
const FILES: usize = 1_000;
const FILE_BYTES: usize = 1_024;
/// The filesystem they are on.
const IMAGE_BYTES: u64 = 2 << 30;
/// Files changed among many.
const CHANGED: usize = 10;

/// What a commit does to [`FILES`] files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// They are new.
    Create,
    /// They were there, with another content.
    Change,
}

/// Milliseconds of a commit of [`FILES`] files, of its undo, and of `cp` and one sync of the same.
pub struct Commits {
    /// From the end of the command, whose layer is still to be handed out and staged, until it is durable.
    pub commit: Sample,
    /// From the request until it is durable; staged in that time, too.
    pub undo: Sample,
    /// The peer.
    pub copy: Sample,
}

/// A filesystem as Debian makes it, on a file, mounted as long as this lives: how fast the host's own makes files depends on
/// whether it has a journal, and on what was removed from it in the last minutes.
struct Mounted(PathBuf);

impl Mounted {
    fn new(scratch: &Path) -> Result<Mounted, String> {
        let (image, at) = (scratch.join("commits.ext4"), made(scratch.join("commits"))?);
        File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES)).map_err(text)?;
        shell(
            "mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 \"$1\" && mount -o loop \"$1\" \"$2\"",
            &[&image, &at],
        )?;
        Ok(Mounted(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = shell("umount \"$1\"", &[&self.0]) {
            eprintln!("{error}");
        }
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn open(home: &Path) -> Result<Area, String> {
    let (workspace, store) = (made(home.join("workspace"))?, made(home.join("store"))?);
    Area::open(&workspace, &store, &Key::new([7; 32]), Limits::default()).map(|(area, _)| area).map_err(text)
}

fn fill(dir: &Path, count: usize, salt: u64) -> Result<(), String> {
    for number in 0..count {
        let below = dir.join(format!("d{}", number / 100));
        fs::create_dir_all(&below).map_err(text)?;
        let line = format!("{salt} {number} of a small file\n");
        fs::write(below.join(format!("f{number}")), line.repeat(FILE_BYTES / line.len())).map_err(text)?;
    }
    Ok(())
}

fn stage(area: &mut Area, action: u64, upper: &Path) -> Result<(), String> {
    let upper = File::open(upper).map_err(text)?;
    let mut layer = Vec::new();
    export(upper.as_fd(), &mut layer, &Limits::default()).map_err(text)?;
    area.stage(action, &mut layer.as_slice()).map(drop).map_err(text)
}

fn timed(one: impl FnOnce() -> Result<(), String>) -> Result<f64, String> {
    let from = Instant::now();
    one()?;
    Ok(from.elapsed().as_secs_f64() * 1e3)
}

/// Measures them, in turns.
pub fn commits(scratch: &Path, rounds: usize, to: To) -> Result<Commits, String> {
    let mounted = Mounted::new(scratch)?;
    let home = &mounted.0;
    let mut area = open(home)?;
    if to == To::Change {
        fill(&home.join("workspace"), FILES, u64::MAX)?;
    }
    let (mut commit, mut undo, mut copy) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds as u64 {
        let upper = made(home.join(format!("upper-{round}")))?;
        fill(&upper, FILES, round)?;
        let (action, back) = (2 * round + 1, 2 * round + 2);
        sync(home)?;
        commit.push(timed(|| {
            stage(&mut area, action, &upper)?;
            area.commit(action, b"").map(drop).map_err(text)
        })?);
        // What it replaced is removed behind the answer, as the executor does it.
        area.tidy(usize::MAX).map_err(text)?;
        sync(home)?;
        undo.push(timed(|| {
            area.stage_undo(action, back).map_err(text)?;
            area.commit(back, b"").map(drop).map_err(text)
        })?);
        area.tidy(usize::MAX).map_err(text)?;
        sync(home)?;
        let to = home.join(format!("copy-{round}"));
        copy.push(timed(|| shell("cp -r \"$1\" \"$2\" && sync -f \"$2\"", &[&upper, &to]))?);
        fs::remove_dir_all(&to).map_err(text)?;
        fs::remove_dir_all(&upper).map_err(text)?;
    }
    Ok(Commits { commit: Sample::of(commit)?, undo: Sample::of(undo)?, copy: Sample::of(copy)? })
}

fn sync(dir: &Path) -> Result<(), String> {
    let dir = File::open(dir).map_err(text)?;
    nix::unistd::syncfs(dir).map_err(text)
}

/// Runs a shell script with these arguments.
pub fn shell(script: &str, arguments: &[&PathBuf]) -> Result<(), String> {
    let status = Command::new("sh").args(["-euc", script, "sh"]).args(arguments).status().map_err(text)?;
    if status.success() { Ok(()) } else { Err(format!("{script}: {status}")) }
}

/// Milliseconds until the effects of [`CHANGED`] changed files among `count` are known.
pub fn effects(scratch: &Path, count: usize, rounds: usize) -> Result<Sample, String> {
    let home = made(scratch.join(format!("effects-{count}")))?;
    let mut area = open(&home)?;
    fill(&home.join("workspace"), count, 0)?;
    let upper = made(home.join("upper"))?;
    for number in 0..CHANGED {
        let at = number * (count / CHANGED);
        let name = format!("d{}/f{at}", at / 100);
        fs::create_dir_all(upper.join(format!("d{}", at / 100))).map_err(text)?;
        let lower = home.join("workspace").join(&name).metadata().map_err(text)?;
        fs::write(upper.join(&name), format!("changed {number}, was {} bytes\n", lower.size())).map_err(text)?;
    }
    let mut action = 0;
    let sample = Sample::take(rounds, || {
        action += 1;
        let took = timed(|| stage(&mut area, action, &upper))?;
        area.discard(action).map_err(text)?;
        Ok(took)
    });
    fs::remove_dir_all(&home).map_err(text)?;
    sample
}
