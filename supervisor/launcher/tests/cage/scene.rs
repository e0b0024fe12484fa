//! A root directory of a test's own with the real chelad on it, and puppets in the place of every role.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use roles::Role;

pub type Outcome<T> = Result<T, String>;

const PATIENCE: Duration = Duration::from_secs(10);
/// First id of the block of the scenes' own, far from what `chela setup` gives out.
const BASE: u32 = 1_960_000_000;

static COUNTER: AtomicU32 = AtomicU32::new(0);

pub struct Scene {
    pub dir: PathBuf,
    pub chelad: Option<Child>,
    pub notify: UnixDatagram,
    pub base: u32,
}

/// Waits until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let from = Instant::now();
    while from.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Ok(found);
        }
        sleep(Duration::from_millis(1));
    }
    Err(format!("waited {} s for {what}", PATIENCE.as_secs()))
}

pub fn check(holds: bool, otherwise: impl Into<String>) -> Outcome<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

impl Scene {
    /// Makes the directories; chelad is not started yet.
    pub fn set(name: &str) -> Scene {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("chelad-{name}-{}", std::process::id()));
        let make = |path: &str| DirBuilder::new().recursive(true).mode(0o755).create(dir.join(path)).expect("mkdir");
        for path in ["libexec", "root/etc/supervisor", "root/etc/gate"] {
            make(path);
        }
        let own = std::env::current_exe().expect("own path");
        for role in Role::ALL {
            let to = dir.join("libexec").join(role.row().binary);
            fs::hard_link(&own, &to).or_else(|_| fs::copy(&own, &to).map(drop)).expect("a puppet");
        }
        let base = BASE + 4096 * number;
        fs::write(dir.join("root/etc/uids"), format!("{base} 4096\n")).expect("etc/uids");
        File::create(dir.join("root/etc/supervisor/orders")).expect("orders");
        let notify = UnixDatagram::bind(dir.join("notify")).expect("notify socket");
        notify.set_nonblocking(true).expect("non-blocking");
        Scene { dir, chelad: None, notify, base }
    }

    /// Sets the scene and starts chelad on it.
    pub fn open(name: &str) -> Outcome<Scene> {
        let mut scene = Scene::set(name);
        scene.start()?;
        scene.heard("supervisor-0", &["listens"])?;
        Ok(scene)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chelad"));
        command.arg("--root").arg(self.path("")).arg("--libexec").arg(self.dir.join("libexec"));
        command.env("NOTIFY_SOCKET", self.dir.join("notify")).env("LEAKED", "1");
        command
    }

    pub fn start(&mut self) -> Outcome<()> {
        let log = File::options().create(true).append(true).open(self.dir.join("stderr")).expect("log");
        let child = self.command().stdin(Stdio::null()).stderr(log).spawn();
        self.chelad = Some(child.map_err(|e| e.to_string())?);
        Ok(())
    }

    /// A path below the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join("root").join(path)
    }

    pub fn pid(&self) -> u32 {
        self.chelad.as_ref().expect("chelad").id()
    }

    pub fn order(&self, order: &str) {
        let mut orders = File::options().append(true).open(self.path("etc/supervisor/orders")).expect("orders");
        writeln!(orders, "{order}").expect("order");
    }

    pub fn log(&self, stream: &str) -> String {
        fs::read_to_string(self.path(&format!("var/log/{stream}.log"))).unwrap_or_default()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// Waits until a line of a role's log has all these parts, for the `nth` time (from 0).
    pub fn heard_nth(&self, stream: &str, parts: &[&str], nth: usize) -> Outcome<String> {
        let find = || {
            let log = self.log(stream);
            let mut lines = log.lines().filter(|l| parts.iter().all(|p| l.contains(p)));
            lines.nth(nth).map(str::to_owned)
        };
        wait_for(&format!("{parts:?} in {stream}"), find)
            .map_err(|e| format!("{e}\n{stream}: {}\nchelad: {}", self.log(stream), self.stderr()))
    }

    pub fn heard(&self, stream: &str, parts: &[&str]) -> Outcome<String> {
        self.heard_nth(stream, parts, 0)
    }

    /// Starts a role and seals it; returns its process id.
    pub fn sealed(&self, role: Role, slot: u32) -> Outcome<u32> {
        let pid = self.started(role, slot)?;
        self.order(&format!("tell {} {slot} seal", role.name()));
        self.heard("supervisor-0", &["Sealed", &whose(role, slot)])?;
        Ok(pid)
    }

    /// Starts a role; returns its process id.
    pub fn started(&self, role: Role, slot: u32) -> Outcome<u32> {
        self.order(&format!("start {} {slot}", role.name()));
        let line = self.heard("supervisor-0", &["Started", &whose(role, slot)])?;
        pid_in(&line).ok_or(line)
    }

    /// Stops chelad and says how it ended.
    pub fn wait(&mut self) -> Outcome<ExitStatus> {
        let child = self.chelad.as_mut().expect("chelad");
        let ended = wait_for("chelad's end", || child.try_wait().ok().flatten());
        self.chelad = None;
        ended
    }

    pub fn signal(&self, signal: i32) {
        let pid = nix::unistd::Pid::from_raw(self.pid() as i32);
        let signal = nix::sys::signal::Signal::try_from(signal).expect("a signal");
        nix::sys::signal::kill(pid, signal).expect("chelad runs");
    }
}

/// How a report names an instance.
pub fn whose(role: Role, slot: u32) -> String {
    format!("role: {role:?}, slot: {slot},")
}

pub fn pid_in(report: &str) -> Option<u32> {
    let (_, rest) = report.split_once("pid: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Whether the process is there and no zombie.
pub fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with(['Z', 'X']))
}

pub fn unwritable(path: &std::path::Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("chmod");
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(child) = &mut self.chelad {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}
