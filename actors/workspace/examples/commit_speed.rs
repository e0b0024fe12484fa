//! How long a durable commit of a thousand small files takes beside `cp` and one sync of the same, and its undo, each with
//! its staging:
//! `cargo run --release -p chela-workspace --example commit_speed [DIR]`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use workspace::{Area, Key, Limits, export};

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

/// Small files, a hundred in a directory.
fn fill(dir: &Path, salt: u64) -> Result<(), Box<dyn Error>> {
    let text: Vec<u8> = (0..FILE_BYTES).map(|at| b'a' + (at * at % 26) as u8).collect();
    for number in 0..FILES {
        let below = dir.join(format!("d{}", number / 100));
        std::fs::create_dir_all(&below)?;
        std::fs::write(below.join(format!("f{number}")), [format!("{salt} {number}\n").as_bytes(), &text].concat())?;
    }
    Ok(())
}

/// The steps of a transaction, in milliseconds.
#[derive(Default)]
struct Times([Vec<Duration>; 5]);

impl Times {
    fn tell(self, what: &str) {
        let [copy, stage, commit, stage_undo, undo] = self.0.map(median);
        let (done, undone) = (stage + commit, stage_undo + undo);
        println!("{what}: cp and one sync {copy:.1} ms");
        println!("  staged {stage:.1} + committed {commit:.1} = {done:.1} ms   {:.2} of cp and sync", done / copy);
        println!(
            "  staged {stage_undo:.1} + committed {undo:.1} = {undone:.1} ms   {:.2} of that, undone",
            undone / done
        );
    }
}

fn measure(dir: &Path) -> Result<(), Box<dyn Error>> {
    let [workspace, store, from, copy] = ["workspace", "store", "from", "copy"].map(|name| dir.join(name));
    for dir in [&workspace, &store, &from] {
        std::fs::create_dir(dir)?;
    }
    let (mut area, _) = Area::open(&workspace, &store, &Key::new([7; 32]), Limits::default())?;
    let mut action = 0;
    for what in ["created", "changed"] {
        if what == "changed" {
            fill(&workspace, u64::MAX)?;
        }
        let mut times = Times::default();
        for round in 0..ROUNDS {
            fill(&from, round)?;
            run("sync", &[Path::new("-f"), dir])?;
            times.0[0].push(timed(|| {
                run("cp", &[Path::new("-r"), &from, &copy])?;
                run("sync", &[Path::new("-f"), &copy])
            })?);
            std::fs::remove_dir_all(&copy)?;
            run("sync", &[Path::new("-f"), dir])?;
            action += 2;
            times.0[1].push(timed(|| stage(&mut area, action, &from))?);
            times.0[2].push(timed(|| Ok(area.commit(action, b"").map(drop)?))?);
            area.tidy(usize::MAX)?;
            run("sync", &[Path::new("-f"), dir])?;
            times.0[3].push(timed(|| Ok(area.stage_undo(action, action + 1).map(drop)?))?);
            times.0[4].push(timed(|| Ok(area.commit(action + 1, b"").map(drop)?))?);
            area.tidy(usize::MAX)?;
        }
        times.tell(what);
    }
    Ok(())
}

fn stage(area: &mut Area, action: u64, upper: &Path) -> Result<(), Box<dyn Error>> {
    let upper = std::fs::File::open(upper)?;
    let mut layer = Vec::new();
    export(upper.as_fd(), &mut layer, &Limits::default())?;
    area.stage(action, &mut layer.as_slice())?;
    Ok(())
}
