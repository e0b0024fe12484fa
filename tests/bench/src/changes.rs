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
/// Files changed among many.
const CHANGED: usize = 10;

/// Milliseconds of a commit of [`FILES`] files, of its undo, and of `cp` and one sync of the same.
pub struct Commits {
    /// Made durable.
    pub commit: Sample,
    /// Taken back, durable too.
    pub undo: Sample,
    /// The peer.
    pub copy: Sample,
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
pub fn commits(scratch: &Path, rounds: usize) -> Result<Commits, String> {
    let home = made(scratch.join("commits"))?;
    let mut area = open(&home)?;
    let (mut commit, mut undo, mut copy) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds as u64 {
        let upper = made(home.join(format!("upper-{round}")))?;
        fill(&upper, FILES, round)?;
        let (action, back) = (2 * round + 1, 2 * round + 2);
        stage(&mut area, action, &upper)?;
        commit.push(timed(|| area.commit(action, b"").map(drop).map_err(text))?);
        undo.push(timed(|| {
            area.stage_undo(action, back).map_err(text)?;
            area.commit(back, b"").map(drop).map_err(text)
        })?);
        let to = home.join(format!("copy-{round}"));
        copy.push(timed(|| shell("cp -r \"$1\" \"$2\" && sync -f \"$2\"", &[&upper, &to]))?);
        fs::remove_dir_all(&to).map_err(text)?;
    }
    fs::remove_dir_all(&home).map_err(text)?;
    Ok(Commits { commit: Sample::of(commit)?, undo: Sample::of(undo)?, copy: Sample::of(copy)? })
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
