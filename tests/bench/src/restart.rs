//! SIGKILL of a role until it is ready again and rewired.

use std::time::{Duration, Instant};

use harness::Client;
use roles::Role;
use schema::edge::control::{InstanceState, Phase};
use schema::edge::local::{FromClient, ToClient};

use crate::Options;
use crate::peers::sigkill;
use crate::sample::Sample;
use crate::tree::{self, ORDINARY, Running};

/// The roles that are killed, each once in each round. The gate comes last: the others have fresh edges after it.
pub const KILLED: [(Role, Option<u32>); 7] = [
    (Role::Memory, Some(tree::HOUSE)),
    (Role::Memory, Some(tree::OWNER)),
    (Role::Executor, Some(tree::OWNER)),
    (Role::Model, Some(tree::OWNER)),
    (Role::Connector, Some(tree::LINK)),
    // Whichever spare waits.
    (Role::Brain, None),
    (Role::Gate, Some(0)),
];
/// Kills in all, at least.
const KILLS: usize = 200;
/// How long a restart may take at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks: short against what is measured, long against what a look costs.
const LOOK_EVERY: Duration = Duration::from_micros(250);

/// Milliseconds of each restart, by the role killed, in the order of [`KILLED`].
pub fn measure(options: &Options) -> Result<Vec<Sample>, String> {
    let mut values = KILLED.map(|_| Vec::new());
    for round in 0..options.repetitions(KILLS.div_ceil(KILLED.len())) {
        // A tree of its own for each round: a role that fails again without having done anything waits before its next
        // start, which is no restart's time but a rule.
        let running = Running::start(ORDINARY)?;
        for ((role, slot), values) in KILLED.into_iter().zip(&mut values) {
            let took = restart(&running, role, slot).map_err(|reason| format!("{} killed: {reason}", role.name()))?;
            values.push(took);
        }
        // Wired as before, or this is not answered.
        running.ask("say: ok", &format!("after-round-{round}"))?;
        running.stop()?;
    }
    values.into_iter().map(Sample::of).collect()
}

fn restart(running: &Running, role: Role, slot: Option<u32>) -> Result<f64, String> {
    running.wait_settled()?;
    let mut looks = Looks { running, client: None };
    let is_meant = |i: &InstanceState| {
        i.place.role() == Some(role) && slot.is_none_or(|slot| i.place.slot == slot) && i.phase == Phase::Ready
    };
    let before = looks.until(|instances| instances.iter().find(|i| is_meant(i)).cloned())?;
    let from = Instant::now();
    sigkill(before.pid)?;
    looks.until(|instances| instances.iter().find(|i| is_meant(i) && i.number > before.number).cloned())?;
    Ok(from.elapsed().as_secs_f64() * 1e3)
}

/// Looks at the tree over one connection, and over another one when the gate that it led to is gone.
struct Looks<'a> {
    running: &'a Running,
    client: Option<Client>,
}

impl Looks<'_> {
    fn until<T>(&mut self, wanted: impl Fn(&[InstanceState]) -> Option<T>) -> Result<T, String> {
        let from = Instant::now();
        let mut last = String::from("it was not ready again");
        while from.elapsed() < PATIENCE {
            match self.look() {
                Ok(instances) => {
                    if let Some(found) = wanted(&instances) {
                        return Ok(found);
                    }
                }
                Err(reason) => last = reason,
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(format!("{last} (within {} s)", PATIENCE.as_secs()))
    }

    fn look(&mut self) -> Result<Vec<InstanceState>, String> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.running.home)?,
        };
        let status = client.request(FromClient::Status, |answer| match answer {
            ToClient::Status(status) => Some(status),
            _ => None,
        })?;
        self.client = Some(client);
        Ok(status.instances)
    }
}
