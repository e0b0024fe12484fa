//! Our own side of the figures: the real chelad, with the scripted model so that the model's time is nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{Chelad, Client, Home, procs};
use roles::Role;
use schema::edge::control::{InstanceState, Phase, Place};
use schema::edge::local::{FromClient, Reply, ToClient};

use crate::sample::Sample;

/// What a home of the benchmark runs.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Connector instances.
    pub connectors: u32,
    /// Principals whose executor and memory are kept warm.
    pub principals: u32,
    /// Whether the scripted model is there.
    pub model: bool,
}

/// The shape of a fresh install.
pub const ORDINARY: Shape = Shape { connectors: 1, principals: 1, model: false };

/// A fresh root of that shape.
pub fn home(shape: Shape) -> Result<Home, String> {
    let home = Home::new("bench")?;
    let list = |n: u32| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let warm = list(shape.principals);
    let model = if shape.model { warm.clone() } else { String::new() };
    home.configure(
        "supervisor/tree.toml",
        &format!(
            "links = [{}]\n\n[warm]\nexecutor = [{warm}]\nmemory = [{warm}]\nmodel = [{model}]\n",
            list(shape.connectors)
        ),
    )?;
    if shape.model {
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

/// Proportional set size of the whole idle tree in MiB, and of each process.
pub fn idle_memory(shape: Shape) -> Result<(f64, Vec<(String, f64)>), String> {
    let home = home(shape)?;
    let chelad = Chelad::start(&home)?;
    std::thread::sleep(Duration::from_secs(3));
    let mut each = vec![("launcher".to_string(), chelad.pid())];
    each.extend(procs::roles_of(chelad.pid()).into_iter().map(|p| (format!("{} {}", p.role.name(), p.slot), p.pid)));
    let mut rows = Vec::new();
    for (name, pid) in each {
        let kib = procs::pss_kib(pid).ok_or_else(|| format!("{name}: /proc/{pid}/smaps_rollup can't be read"))?;
        rows.push((name, kib as f64 / 1024.0));
    }
    chelad.stop()?;
    Ok((rows.iter().map(|(_, mib)| mib).sum(), rows))
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
        let home = home(Shape { model: true, ..shape })?;
        let chelad = Chelad::start(&home)?;
        Ok(Running { home, chelad })
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

    /// Milliseconds from message to reply that were not the model's, as the gate counts them.
    pub fn turns(&self, count: usize) -> Result<Sample, String> {
        let mut number = 0;
        Sample::take(count, || {
            number += 1;
            Ok(self.ask("say: ok", &format!("bench-{}-{number}", std::process::id()))?.overhead_us as f64 / 1e3)
        })
    }

    /// Milliseconds of `chela ask` as a command.
    pub fn ask_command(&self, count: usize) -> Result<Sample, String> {
        Sample::take(count, || {
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

    /// Where the log of the gate lies.
    pub fn gate_log(&self) -> PathBuf {
        self.home.root().join("var/log/gate-0.log")
    }

    fn instance(&self, place: Place) -> Option<InstanceState> {
        let mut client = Client::connect(&self.home).ok()?;
        let status = client.request(FromClient::Status, |answer| match answer {
            ToClient::Status(status) => Some(status),
            _ => None,
        });
        status.ok()?.instances.into_iter().find(|i| i.place == place)
    }

    /// Milliseconds from SIGKILL of a role until a new instance is ready: sealed, looked at and rewired.
    pub fn restart(&self, role: Role, slot: u32) -> Result<f64, String> {
        let place = Place::new(role, slot);
        let ready = |old: u64| {
            harness::wait_for("the role's restart", Duration::from_secs(10), || {
                self.instance(place).filter(|i| i.phase == Phase::Ready && i.number != old)
            })
        };
        let before = ready(0)?;
        let from = Instant::now();
        crate::peers::kill(before.pid)?;
        ready(before.number)?;
        let took = from.elapsed().as_secs_f64() * 1e3;
        // Restarts without progress count as failures: let the instance show that it is well.
        std::thread::sleep(Duration::from_millis(30));
        Ok(took)
    }

    /// Stops it.
    pub fn stop(self) -> Result<(), String> {
        self.chelad.stop().map(drop)
    }
}
