//! A running system that a test does harm to: who runs, what a turn was told, what the records say of it.
//!
//! Reads: /proc, the test's own root. Writes: that root. Talks to: the service through `chela`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use harness::procs::ALWAYS;
use harness::{Chelad, Failure, Home, procs, sockets, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use serde_json::Value;

/// How long anything that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running system with a scripted model.
pub struct Scene {
    /// Its launcher. Dropped before its root, whose ids can't be given back while it runs.
    pub chelad: Chelad,
    /// Its root.
    pub home: Home,
}

/// What a turn was asked, and the program that waits for its answer.
pub struct Asked {
    child: Child,
}

impl Scene {
    /// Starts it and waits until every role is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(name: &str, settings: &str) -> Result<Scene, Failure> {
        let home = Home::new(name)?;
        home.script_model()?;
        if !settings.is_empty() {
            home.configure("supervisor/tree.toml", settings)?;
        }
        let chelad = Chelad::start(&home)?;
        let scene = Scene { home, chelad };
        scene.wait_whole()?;
        Ok(scene)
    }

    /// The process of a role and slot.
    pub fn find(&self, role: Role, slot: u32) -> Option<u32> {
        procs::find(self.chelad.pid(), role, slot)
    }

    /// Every process of a role.
    pub fn all(&self, role: Role) -> Vec<u32> {
        procs::roles_of(self.chelad.pid()).into_iter().filter(|p| p.role == role).map(|p| p.pid).collect()
    }

    /// The processes of [`ALWAYS`] by place.
    pub fn pids(&self) -> BTreeMap<(Role, u32), u32> {
        let all = procs::roles_of(self.chelad.pid()).into_iter();
        all.map(|p| ((p.role, p.slot), p.pid)).filter(|(place, _)| ALWAYS.contains(place)).collect()
    }

    /// Waits until the gate says that everything is ready.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_whole(&self) -> Result<(), Failure> {
        wait_for("every role to be ready", PATIENCE, || {
            let status = self.home.chela_json(&["status"]).ok()?;
            let runs = |role: &str| {
                let instances = status["instances"].as_array();
                instances.is_some_and(|all| all.iter().any(|one| one["role"] == role && one["phase"] == "ready"))
            };
            let whole = ALWAYS.iter().all(|(role, _)| *role == Role::Supervisor || runs(role.name())) && runs("brain");
            (whole && status["ready"] == true).then_some(())
        })
    }

    /// Says something to the model; the answer comes later.
    ///
    /// # Errors
    /// When `chela` can't be started.
    pub fn ask(&self, text: &str) -> Result<Asked, Failure> {
        self.run(&["ask", text, "--json"])
    }

    /// Starts `chela` with these arguments.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn run(&self, args: &[&str]) -> Result<Asked, Failure> {
        let mut command = self.home.chela_command(args)?;
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Asked { child: command.spawn().map_err(|e| format!("chela: {e}"))? })
    }

    /// Waits until a command runs that has these words in it.
    ///
    /// # Errors
    /// When none does.
    pub fn wait_running(&self, words: &str) -> Result<(), Failure> {
        let what = format!("a command with {words:?} in it");
        wait_for(&what, PATIENCE, || procs::runs(self.chelad.pid(), words).then_some(()))
    }

    /// A file of the first principal's workspace.
    pub fn written(&self, file: &str) -> String {
        let path = self.home.root().join("var/principals/1/workspace").join(file);
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Bodies of the audit entries of that event.
    pub fn audited(&self, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.home.root().join("var/audit/audit.log")).unwrap_or_default();
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["event"] == event).map(|entry| entry["body"].clone()).collect()
    }

    /// Waits until a turn has begun that has not ended.
    ///
    /// # Errors
    /// When none does.
    pub fn wait_turn(&self) -> Result<(), Failure> {
        wait_for("the turn to be in flight", PATIENCE, || {
            let status = self.home.chela_json(&["status"]).ok()?;
            (status["turns_open"].as_u64() == Some(1)).then_some(())
        })
    }

    /// All that the roles logged, for a failed test's reader.
    pub fn logs(&self) -> String {
        let dir = self.home.root().join("var/log");
        let names = fs::read_dir(dir).into_iter().flatten().flatten();
        let all = names.map(|entry| {
            let text = fs::read(entry.path()).unwrap_or_default();
            format!("--- {}\n{}", entry.path().display(), String::from_utf8_lossy(&text))
        });
        all.chain([self.chelad.stderr()]).collect()
    }

    /// Stops it: in order, with nothing that listens, and with a log in which nothing is missing.
    ///
    /// # Errors
    /// What was not so.
    pub fn stop(self) -> Result<(), Failure> {
        let listening = sockets::listening(self.chelad.pid());
        if !listening.is_empty() {
            return Err(format!("listening: {listening:?}"));
        }
        let Scene { home, chelad } = self;
        let status = chelad.stop()?;
        if !status.success() {
            return Err(format!("chelad: {status}"));
        }
        let verified = home.chela(&["log", "verify"])?;
        if !verified.status.success() {
            return Err(String::from_utf8_lossy(&verified.stdout).into_owned());
        }
        Ok(())
    }
}

impl Asked {
    /// Its answer, and whether its exit status was 0.
    ///
    /// # Errors
    /// When what it printed is no JSON.
    pub fn answer(self) -> Result<(Value, bool), Failure> {
        let output = self.child.wait_with_output().map_err(|e| format!("chela: {e}"))?;
        let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let value = serde_json::from_slice(&output.stdout).map_err(|e| format!("not JSON ({e}): {}", said()))?;
        Ok((value, output.status.success()))
    }
}

/// Sends a signal to a process on the host.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, signal: Signal) -> Result<(), Failure> {
    let raw = i32::try_from(pid).map_err(|e| e.to_string())?;
    kill(Pid::from_raw(raw), signal).map_err(|e| format!("process {pid}: {signal}: {e}"))
}
