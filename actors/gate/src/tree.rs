//! Questions to the whole tree: how the supervisor sees it, and whether each role is confined.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::Role;
use schema::edge::ProbeResult;
use schema::edge::control::{FromRole, InstanceState, Place};
use schema::edge::local::Status;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, Instant};

use crate::hub::Gate;
use crate::limits::{TREE_ANSWER_MS, TREE_QUESTIONS_MAX};
use crate::peer::{Peer, Weigh};

type Described = (Vec<InstanceState>, ProbeResult);

/// Questions that are open.
#[derive(Default)]
pub struct Tree {
    next: Cell<u64>,
    descriptions: RefCell<BTreeMap<u64, oneshot::Sender<Described>>>,
    probes: RefCell<BTreeMap<u64, Rc<Probe>>>,
}

#[derive(Default)]
struct Probe {
    waits: RefCell<Vec<Place>>,
    results: RefCell<Vec<(Place, ProbeResult)>>,
    done: Notify,
}

impl Tree {
    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    /// The supervisor's answer.
    pub fn described(&self, request: u64, described: Described) {
        if let Some(asked) = self.descriptions.borrow_mut().remove(&request) {
            // Fails when whoever asked has given up.
            let _ = asked.send(described);
        }
    }

    /// A role's answer; in words what is wrong with it otherwise.
    pub fn probed(&self, nonce: u64, place: Place, result: ProbeResult) -> Result<(), String> {
        let probe = self.probes.borrow().get(&nonce).cloned();
        let Some(probe) = probe else {
            // Late: the question was given up. Numbers that were never given out are not.
            let known = nonce <= self.next.get();
            return if known { Ok(()) } else { Err("an answer to no probe".to_owned()) };
        };
        let mut waits = probe.waits.borrow_mut();
        let Some(at) = waits.iter().position(|waiting| *waiting == place) else {
            return Err("an answer to no probe".to_owned());
        };
        waits.remove(at);
        probe.results.borrow_mut().push((place, result));
        if waits.is_empty() {
            probe.done.notify_one();
        }
        Ok(())
    }
}

/// How the supervisor sees the tree.
pub async fn describe(gate: &Gate) -> Result<Described, String> {
    let request = gate.tree.number();
    let (asked, answer) = oneshot::channel();
    {
        let mut open = gate.tree.descriptions.borrow_mut();
        if open.len() >= TREE_QUESTIONS_MAX {
            return Err("too many questions to the supervisor are open: try again".to_owned());
        }
        open.insert(request, asked);
    }
    gate.control.tell(FromRole::DescribeTree { request });
    let deadline = Duration::from_millis(TREE_ANSWER_MS);
    let answered = tokio::time::timeout(deadline, answer).await;
    gate.tree.descriptions.borrow_mut().remove(&request);
    match answered {
        Ok(Ok(described)) => Ok(described),
        Ok(Err(_)) | Err(_) => {
            Err(format!("the supervisor did not answer within {TREE_ANSWER_MS} ms: it may be starting anew; try again"))
        }
    }
}

/// How everything is.
pub async fn status(gate: &Gate) -> Result<Status, String> {
    let (instances, _) = describe(gate).await?;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(Status {
        instances,
        turns_open: number(gate.turns.count()),
        turns_waiting: number(gate.brains.waiting()),
        turns_quarantined: gate.house.quarantined(),
        audit_entries: gate.audit.borrow().entries(),
    })
}

/// Asks every role to try its forbidden file. Who does not answer in time is missing from the result.
pub async fn probe(gate: &Gate) -> Result<Vec<(Place, ProbeResult)>, String> {
    let nonce = gate.tree.number();
    let probe = Rc::new(Probe::default());
    {
        let mut open = gate.tree.probes.borrow_mut();
        if open.len() >= TREE_QUESTIONS_MAX {
            return Err("too many probes are open: try again".to_owned());
        }
        open.insert(nonce, probe.clone());
    }
    ask(&probe, nonce, gate.memories.places.all());
    ask(&probe, nonce, gate.models.places.all());
    ask(&probe, nonce, gate.executors.places.all());
    ask(&probe, nonce, gate.connectors.all());
    let spares = gate.brains.spares();
    ask(&probe, nonce, spares.iter().map(|brain| brain.peer.clone()).collect());
    let until = Instant::now() + Duration::from_millis(TREE_ANSWER_MS);
    let described = describe(gate).await;
    if !probe.waits.borrow().is_empty() {
        // Too late is missing.
        let _ = tokio::time::timeout_at(until, probe.done.notified()).await;
    }
    gate.tree.probes.borrow_mut().remove(&nonce);
    let (_, supervisor) = described?;
    let mut results = probe.results.take();
    results.push((Place::new(Role::Supervisor, 0), supervisor));
    let own = kit::probe::probe(Role::Gate.row());
    results.push((Place::new(Role::Gate, 0), own));
    results.sort_by_key(|(place, _)| *place);
    Ok(results)
}

fn ask<M: Weigh + 'static>(probe: &Probe, nonce: u64, peers: Vec<Rc<Peer<M>>>) {
    for peer in peers {
        if peer.outbox.push_probe(nonce).is_ok() {
            probe.waits.borrow_mut().push(peer.place());
        }
    }
}
