//! How long a durable commit of a thousand small files takes beside `cp` and one sync of the same, and its undo:
//! `cargo run --release -p chela-workspace --example commit_speed [DIR]`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use workspace::{Area, Change, Key, Limits};

const FILES: usize = 1_000;
const FILE_BYTES: usize = 2_000;
const ROUNDS: u64 = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let top = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = top.join(format!("commit-speed-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let result = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    result
}

fn run(program: &str, args: &[&Path]) -> Result<(), Box<dyn Error>> {
    let fine = Command::new(program).args(args).status()?.success();
    if fine { Ok(()) } else { Err(format!("{program} failed").into()) }
}

fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut all: Vec<Duration>) -> f64 {
    all.sort();
    all.get(all.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3
}

fn measure(dir: &Path) -> Result<(), Box<dyn Error>> {
    let [workspace, store, from, copy] = ["workspace", "store", "from", "copy"].map(|name| dir.join(name));
    for dir in [&workspace, &store, &from] {
        std::fs::create_dir(dir)?;
    }
    let text: Vec<u8> = (0..FILE_BYTES).map(|at| b'a' + (at * at % 26) as u8).collect();
    let bytes = |number: usize| [number.to_string().as_bytes(), &text].concat();
    for number in 0..FILES {
        std::fs::write(from.join(number.to_string()), bytes(number))?;
    }
    let (mut area, _) = Area::open(&workspace, &store, &Key::new([7; 32]), Limits::default())?;
    let mut changes = vec![Change::MakeDirectory { path: b"d".to_vec() }];
    let path = |number: usize| format!("d/{number}").into_bytes();
    changes.extend((0..FILES).map(|number| Change::Write { path: path(number), bytes: bytes(number), mode: None }));
    let [mut copies, mut stages, mut commits, mut undos] = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        run("sync", &[Path::new("-f"), dir])?;
        copies.push(timed(|| {
            run("cp", &[Path::new("-r"), &from, &copy])?;
            run("sync", &[Path::new("-f"), &copy])
        })?);
        std::fs::remove_dir_all(&copy)?;
        run("sync", &[Path::new("-f"), dir])?;
        let action = 2 * round + 1;
        stages.push(timed(|| Ok(area.stage_changes(action, &changes).map(drop)?))?);
        commits.push(timed(|| Ok(area.commit(action, b"").map(drop)?))?);
        run("sync", &[Path::new("-f"), dir])?;
        undos.push(timed(|| {
            area.stage_undo(action, action + 1)?;
            Ok(area.commit(action + 1, b"").map(drop)?)
        })?);
    }
    let [copy, stage, commit, undo] = [copies, stages, commits, undos].map(median);
    println!("cp and one sync      {copy:7.1} ms");
    println!("staged               {stage:7.1} ms");
    println!("committed            {commit:7.1} ms   {:.2} of cp and sync", commit / copy);
    println!("undone, staging too  {undo:7.1} ms   {:.2} of the commit", undo / commit);
    Ok(())
}
