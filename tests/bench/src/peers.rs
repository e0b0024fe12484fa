//! The smaller peers: the C program, one fdatasync, runit's supervisor of a service.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sample::Sample;

/// SIGKILL.
pub fn sigkill(pid: u32) -> Result<(), String> {
    let id = i32::try_from(pid).map_err(|_| format!("{pid} is no process id"))?;
    kill(Pid::from_raw(id), Signal::SIGKILL).map_err(|e| format!("killing process {pid}: {e}"))
}

/// The C program that starts tokio processes, compiled.
pub struct Nine {
    program: PathBuf,
    idle: PathBuf,
    root: PathBuf,
}

impl Nine {
    /// Compiles it into `scratch` with the machine's own compiler.
    pub fn compile(source: &Path, scratch: &Path) -> Result<Nine, String> {
        let (program, root) = (scratch.join("nine"), scratch.join("nine-root"));
        let mut command = Command::new("cc");
        command.args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(source);
        let status = command.status().map_err(|e| format!("cc: {e}; install build-essential"))?;
        if !status.success() {
            return Err(format!("cc could not compile {}", source.display()));
        }
        fs::create_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))?;
        Ok(Nine { program, idle: harness::programs_dir()?.join("tokio-idle"), root })
    }

    /// Milliseconds from its first clone until the last of `processes` runs, `count` times.
    pub fn starts(&self, processes: u32, is_sealed: bool, count: usize) -> Result<Sample, String> {
        Sample::take(count, || {
            let mut command = Command::new(&self.program);
            command.arg(&self.idle).arg(&self.root).arg(processes.to_string());
            if !is_sealed {
                command.arg("unsealed");
            }
            let output = command.output().map_err(|e| format!("{}: {e}", self.program.display()))?;
            let us = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>();
            us.map(|us| us / 1e3).map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_string())
        })
    }
}

/// Milliseconds of one write of 512 bytes and its fdatasync in `dir`, on the disk that the journal is on.
pub fn fdatasync(dir: &Path, count: usize) -> Result<Sample, String> {
    let path = dir.join("fdatasync-probe");
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let probe = || {
        let mut file = fs::File::create(&path).map_err(failed)?;
        Sample::take(count, || {
            let from = Instant::now();
            file.write_all(&[7; 512]).and_then(|()| file.sync_data()).map_err(failed)?;
            Ok(from.elapsed().as_secs_f64() * 1e3)
        })
    };
    let result = probe();
    drop(fs::remove_file(&path));
    result
}

/// A `runsv` that supervises a `sleep`. Dropped: both are ended and their directory is removed.
pub struct Runsv {
    child: Child,
    service: PathBuf,
}

impl Runsv {
    /// Starts the installed `program` on a service directory in `scratch`.
    pub fn start(program: &Path, scratch: &Path) -> Result<Runsv, String> {
        let service = scratch.join("runit-sleep");
        fs::create_dir_all(&service).map_err(|e| format!("{}: {e}", service.display()))?;
        let run = service.join("run");
        // Not for ever: should this program be killed, the sleep ends by itself.
        let written = fs::write(&run, "#!/bin/sh\nexec sleep 60\n")
            .and_then(|()| fs::set_permissions(&run, fs::Permissions::from_mode(0o755)));
        written.map_err(|e| format!("{}: {e}", run.display()))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program).arg(&service).stdin(Stdio::null());
        let child = command.spawn().map_err(|e| format!("setpriv {}: {e}", program.display()))?;
        Ok(Runsv { child, service })
    }

    fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.service.join("supervise/pid")).ok()?.trim().parse().ok()
    }

    /// Waits for a `sleep` that is not the process `old`: the pid file names the shell before it has become `sleep`.
    fn wait(&mut self, old: Option<u32>) -> Result<u32, String> {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            let sleeps = |pid: &u32| {
                Some(*pid) != old
                    && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "sleep")
            };
            if let Some(pid) = self.pid().filter(sleeps) {
                return Ok(pid);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("runsv ended: {status}"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Err("runsv did not start sleep within 10 s".to_string())
    }

    /// Milliseconds until a killed `sleep` runs again, `count` kills of it.
    pub fn restarts(&mut self, count: usize) -> Result<Sample, String> {
        let mut pid = self.wait(None)?;
        Sample::take(count, || {
            // runsv waits a second between starts of a service that ended within its first second.
            std::thread::sleep(Duration::from_millis(1050));
            let from = Instant::now();
            sigkill(pid)?;
            pid = self.wait(Some(pid))?;
            Ok(from.elapsed().as_secs_f64() * 1e3)
        })
    }
}

impl Drop for Runsv {
    fn drop(&mut self) {
        let sleep = self.pid();
        drop(self.child.kill());
        drop(self.child.wait());
        // With nobody left to start it again.
        if let Some(pid) = sleep {
            drop(sigkill(pid));
        }
        drop(fs::remove_dir_all(&self.service));
    }
}
