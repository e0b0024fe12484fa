//! The real chelad on a test's root directory.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::home::{Home, programs_dir};
use crate::{Failure, procs, wait_for};

/// How long a start or a stop may take before a test calls it failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running chelad. Dropped: stopped, and killed when it does not stop.
pub struct Chelad {
    child: Child,
    notify: UnixDatagram,
    stderr: PathBuf,
}

impl Chelad {
    /// Starts it and returns at once.
    pub fn spawn(home: &Home) -> Result<Chelad, Failure> {
        let socket = home.scratch().join("notify.sock");
        drop(fs::remove_file(&socket));
        let notify = UnixDatagram::bind(&socket).map_err(|e| format!("{}: {e}", socket.display()))?;
        let stderr = home.scratch().join("chelad.stderr");
        let log = File::options().create(true).append(true).open(&stderr);
        let log = log.map_err(|e| format!("{}: {e}", stderr.display()))?;
        let program = programs_dir()?.join("chelad");
        let child = Command::new(&program)
            .arg("--root")
            .arg(home.root())
            .arg("--libexec")
            .arg(home.libexec())
            .env("NOTIFY_SOCKET", &socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        Ok(Chelad { child, notify, stderr })
    }

    /// Starts it and waits until it tells the service manager that every role is ready.
    pub fn start(home: &Home) -> Result<Chelad, Failure> {
        let mut chelad = Chelad::spawn(home)?;
        chelad.wait_ready()?;
        Ok(chelad)
    }

    /// Waits for `READY=1`.
    pub fn wait_ready(&mut self) -> Result<(), Failure> {
        self.wait_notice("READY=1")
    }

    /// Waits for a notice to the service manager that has this line.
    pub fn wait_notice(&mut self, line: &str) -> Result<(), Failure> {
        let from = Instant::now();
        let mut buffer = [0; 4096];
        while from.elapsed() < PATIENCE {
            let step = self.notify.set_read_timeout(Some(Duration::from_millis(20)));
            step.map_err(|e| format!("notify socket: {e}"))?;
            if let Ok(length) = self.notify.recv(&mut buffer)
                && String::from_utf8_lossy(&buffer[..length]).lines().any(|l| l == line)
            {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("chelad ended ({status}) before it said {line}: {}", self.stderr()));
            }
        }
        Err(format!("chelad did not say {line} within {} s: {}", PATIENCE.as_secs(), self.stderr()))
    }

    /// The lines of every notice that has come in and was not waited for.
    pub fn drain_notices(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 4096];
        if self.notify.set_nonblocking(true).is_ok() {
            while let Ok(length) = self.notify.recv(&mut buffer) {
                lines.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
            }
            // Back to what every other call expects.
            drop(self.notify.set_nonblocking(false));
        }
        lines
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).map_err(|e| e.to_string())?);
        kill(pid, signal).map_err(|e| format!("chelad {pid}, {signal}: {e}"))
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let child = &mut self.child;
        wait_for("chelad's end", PATIENCE, || child.try_wait().ok().flatten())
    }

    /// SIGTERM, then waits; checks that no process of the tree is left.
    pub fn stop(mut self) -> Result<ExitStatus, Failure> {
        let tree = procs::descendants(self.pid());
        self.signal(Signal::SIGTERM)?;
        let status = self.wait()?;
        wait_for("the end of every process of the tree", PATIENCE, || {
            tree.iter().all(|pid| !procs::is_alive(*pid)).then_some(())
        })?;
        Ok(status)
    }
}

impl Drop for Chelad {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.signal(Signal::SIGTERM));
            if self.wait().is_err() {
                drop(self.child.kill());
                drop(self.child.wait());
            }
        }
    }
}
