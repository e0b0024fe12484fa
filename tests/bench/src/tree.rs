//! Our own side of the figures: the real chelad, with the scripted model so that the model's time is nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{Chelad, Client, Home, procs};
use roles::Role;
use schema::edge::control::Phase;
use schema::edge::local::{FromClient, Reply, ToClient};

use crate::sample::Sample;

/// Slot of the gate's own memory.
pub const HOUSE: u32 = 0;
/// Slot of what is the owner's.
pub const OWNER: u32 = 1;
/// Slot of a fresh install's only connector.
pub const LINK: u32 = 1;
/// How long a tree or a peer is left alone before it is called idle.
pub const SETTLE: Duration = Duration::from_secs(3);

/// What a home of the benchmark runs.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Connector instances.
    pub connectors: u32,
    /// Principals whose instances are kept warm.
    pub principals: u32,
    /// Whether the scripted model is there.
    pub has_model: bool,
}

/// The shape of a fresh install.
pub const ORDINARY: Shape = Shape { connectors: 1, principals: 1, has_model: false };

fn home(shape: Shape) -> Result<Home, String> {
    let home = Home::new("bench")?;
    let list = |n: u32| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let warm = list(shape.principals);
    let model = if shape.has_model { warm.clone() } else { String::new() };
    let links = list(shape.connectors);
    home.configure(
        "supervisor/tree.toml",
        &format!("links = [{links}]\n\n[warm]\nexecutor = [{warm}]\nmemory = [{warm}]\nmodel = [{model}]\n"),
    )?;
    if shape.has_model {
        home.script_model()?;
    }
    Ok(home)
}

/// Milliseconds from the start of chelad until it tells the service manager that every role is ready and sealed.
pub fn start(shape: Shape, count: usize) -> Result<Sample, String> {
    let home = home(shape)?;
    Sample::take(count, || {
        let from = Instant::now();
        let chelad = Chelad::start(&home)?;
        let took = from.elapsed().as_secs_f64() * 1e3;
        chelad.stop()?;
        Ok(took)
    })
}

/// Proportional set size in kB of each kind of process of the idle tree, with how many there are of it.
pub fn idle_kb(shape: Shape) -> Result<BTreeMap<String, (u32, f64)>, String> {
    let home = home(shape)?;
    let chelad = Chelad::start(&home)?;
    std::thread::sleep(SETTLE);
    let roles = procs::roles_of(chelad.pid());
    let mut kinds: BTreeMap<String, (u32, f64)> = BTreeMap::new();
    let parent = |pid| procs::status(pid, "PPid").and_then(|text| text.parse::<u32>().ok());
    let is_role = |pid: Option<u32>| roles.iter().any(|role| Some(role.pid) == pid);
    for pid in std::iter::once(chelad.pid()).chain(procs::descendants(chelad.pid())) {
        let name = match roles.iter().find(|role| role.pid == pid) {
            Some(role) => role.role.name(),
            None if pid == chelad.pid() => Role::Launcher.name(),
            // Of all roles only the executor has a child: its maker, below which sandboxes wait.
            None if is_role(parent(pid)) => "maker",
            None => "waiting sandbox",
        };
        let kib = procs::pss_kib(pid).ok_or_else(|| format!("{name}: /proc/{pid}/smaps_rollup can't be read"))?;
        let kind = kinds.entry(name.to_string()).or_default();
        // A sandbox that waits has two processes: it is counted by the first, which is the maker's child.
        let is_second = name == "waiting sandbox" && !is_role(parent(pid).and_then(parent));
        kind.0 += u32::from(!is_second);
        kind.1 += kib as f64 * 1.024;
    }
    chelad.stop()?;
    Ok(kinds)
}

/// A running tree with the scripted model, for the figures on turns and restarts.
pub struct Running {
    /// Its root.
    pub home: Home,
    chelad: Chelad,
}

impl Running {
    /// Starts it.
    pub fn start(shape: Shape) -> Result<Running, String> {
        let home = home(Shape { has_model: true, ..shape })?;
        let chelad = Chelad::start(&home)?;
        Ok(Running { home, chelad })
    }

    /// Waits until nothing is on its way up or down and a spare brain waits.
    pub fn wait_settled(&self) -> Result<(), String> {
        let mut client = Client::connect(&self.home)?;
        harness::wait_for("a settled tree", Duration::from_secs(30), || {
            let status = client.request(FromClient::Status, |answer| match answer {
                ToClient::Status(status) => Some(status),
                _ => None,
            });
            let instances = status.ok()?.instances;
            let is_spare_there = instances.iter().any(|i| i.place.role() == Some(Role::Brain));
            (is_spare_there && instances.iter().all(|i| i.phase == Phase::Ready)).then_some(())
        })
    }

    /// One turn, over a connection of its own.
    pub fn ask(&self, text: &str, message_id: &str) -> Result<Reply, String> {
        Client::connect(&self.home)?.request(
            FromClient::Ask { message_id: message_id.to_string(), principal: None, text: text.to_string() },
            |answer| match answer {
                ToClient::Replied(reply) => Some(reply),
                _ => None,
            },
        )
    }

    /// Bytes that the model is sent above the person's message, in the first turn of all: with nothing said before it.
    pub fn context_bytes(&self) -> Result<f64, String> {
        // The scripted model answers this word with "N messages, T tools, B bytes above the message".
        let text = self.ask("context", "context")?.text;
        let above = text.split(", ").last().and_then(|part| part.split(' ').next()?.parse::<f64>().ok());
        above.ok_or_else(|| format!("the scripted model answered {text:?}"))
    }

    /// Milliseconds from message to reply that were not the model's, as the gate counts them.
    pub fn turns(&self, count: usize) -> Result<Sample, String> {
        let mut number = 0;
        let mut turn = || {
            number += 1;
            self.wait_settled()?;
            Ok(self.ask("say: ok", &format!("turn-{number}"))?.overhead_us as f64 / 1e3)
        };
        turn()?;
        Sample::take(count, turn)
    }

    /// Milliseconds of `chela ask` as a command.
    pub fn ask_command(&self, count: usize) -> Result<Sample, String> {
        Sample::take(count, || {
            self.wait_settled()?;
            let from = Instant::now();
            let output = self.home.chela(&["ask", "say: ok"])?;
            let took = from.elapsed().as_secs_f64() * 1e3;
            if output.status.success() {
                Ok(took)
            } else {
                Err(format!("chela ask: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
            }
        })
    }

    /// Microseconds from when each turn so far wanted a brain until the brain's first word, as the gate logs them.
    pub fn brains_us(&self) -> Result<Sample, String> {
        let path = self.gate_log();
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let digits = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<f64>().ok();
        let values = text.split("brain_us=").skip(1).filter_map(digits);
        Sample::of(values.collect()).map_err(|e| format!("{}: brain_us: {e}", path.display()))
    }

    /// Process id of chelad.
    pub fn pid(&self) -> u32 {
        self.chelad.pid()
    }

    fn gate_log(&self) -> PathBuf {
        self.home.root().join("var/log/gate-0.log")
    }

    /// Stops it.
    pub fn stop(self) -> Result<(), String> {
        self.chelad.stop().map(drop)
    }
}
