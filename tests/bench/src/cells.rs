//! The peers of a sandbox: bubblewrap with the same namespaces, and a C program that makes no more than the floor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::sample::Sample;

/// Bubblewrap, ready to run `true` over a workspace.
pub struct Bubblewrap {
    program: PathBuf,
    workspace: PathBuf,
}

impl Bubblewrap {
    /// The installed program.
    pub fn new(peers: &Path, scratch: &Path) -> Result<Bubblewrap, String> {
        let program = peers.join("bubblewrap/usr/bin/bwrap");
        if !program.exists() {
            return Err(format!("{} is not there: ./x bench unpacks it", program.display()));
        }
        Ok(Bubblewrap { program, workspace: made(scratch.join("bubblewrap-workspace"))? })
    }

    /// Milliseconds of one.
    pub fn once(&self) -> Result<f64, String> {
        let words = "--unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
                     --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --bind";
        let mut command = Command::new(&self.program);
        command.args(words.split_whitespace()).arg(&self.workspace).args([
            "/workspace",
            "--chdir",
            "/workspace",
            "true",
        ]);
        let from = Instant::now();
        let status = command.stdin(Stdio::null()).status().map_err(|e| format!("bwrap: {e}"))?;
        let took = from.elapsed().as_secs_f64() * 1e3;
        if status.success() { Ok(took) } else { Err(format!("bwrap: {status}")) }
    }

    /// How many a second, two at a time.
    pub fn a_second(&self, count: usize) -> Result<f64, String> {
        let from = Instant::now();
        let half = || (0..count / 2).try_for_each(|_| self.once().map(drop));
        std::thread::scope(|scope| {
            let other = scope.spawn(half);
            half().and(other.join().map_err(|_| "a thread panicked".to_string())?)
        })?;
        Ok((count / 2 * 2) as f64 / from.elapsed().as_secs_f64())
    }
}

/// Milliseconds of the C program's sandboxes, each with a durable log entry.
pub fn floor(source: &Path, scratch: &Path, count: usize) -> Result<Sample, String> {
    let program = scratch.join("sandbox");
    let status = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(source).status();
    if !status.map_err(|e| format!("cc: {e}; install build-essential"))?.success() {
        return Err(format!("cc could not compile {}", source.display()));
    }
    let (workspace, root) = (made(scratch.join("floor-workspace"))?, made(scratch.join("floor-root"))?);
    let output = Command::new(&program).arg(workspace).arg(root).arg(count.to_string()).output();
    let output = output.map_err(|e| format!("{}: {e}", program.display()))?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let values: Vec<f64> = lines.lines().filter_map(|line| line.parse::<f64>().ok()).map(|us| us / 1e3).collect();
    Sample::of(values).map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_string())
}

/// The directory, made.
pub fn made(path: PathBuf) -> Result<PathBuf, String> {
    fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}
