//! The loop: edges, people, the supervisor's word, deadlines.

use std::path::Path;
use std::rc::Rc;

use chela_audit_log::entry::{STARTED, STOPPED};
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::traits::tokio::Listener as _;
use kit::{Control, ControlEvent, Line, LineError};
use schema::edge::control::Place;
use serde_json::json;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep_until, timeout_at};

use crate::hub::{self, Gate};
use crate::limits::{ANCHOR_EVERY_MS, AUDIT_SYNC_MS, DRAIN_MS, TICK_MS};
use crate::local::{self, Door};
use crate::principals::HOUSE;
use crate::{config, resume};

/// Why the gate ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The launcher is gone.
    #[error("{0}")]
    Line(#[from] LineError),
}

/// Serves until it is told to stop, or the launcher is gone.
pub async fn serve(gate: Rc<Gate>, line: Line, mut control: Control, listener: Listener) -> Result<(), ServeError> {
    gate.note(STARTED, &json!({ "version": env!("CARGO_PKG_VERSION") }));
    gate.control.ready();
    tokio::task::spawn_local(resume::all(gate.clone()));
    let door = Rc::new(Door::default());
    let mut tick = interval(Duration::from_millis(TICK_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sync_at: Option<Instant> = None;
    let mut anchor = Anchor::default();
    let mut stop_at: Option<Instant> = None;
    loop {
        if gate.draining.get() && gate.turns.count() == 0 {
            break;
        }
        tokio::select! {
            edge = line.next_edge_fd() => {
                let (given, fd) = edge?;
                tokio::task::spawn_local(hub::attend(gate.clone(), given, fd));
            }
            event = control.next() => {
                if let Some(deadline_ms) = hear(&gate, event) {
                    gate.draining.set(true);
                    stop_at = Some(Instant::now() + Duration::from_millis(deadline_ms));
                }
            }
            stream = listener.accept() => match stream {
                Ok(stream) => drop(tokio::task::spawn_local(local::attend(gate.clone(), door.clone(), stream))),
                Err(error) => tracing::error!("local socket: accept: {error}"),
            },
            _ = tick.tick() => {
                gate.tick();
                anchor.drop_when_due(&gate);
            }
            () = gate.changed.notified() => {
                let soon = Instant::now() + Duration::from_millis(AUDIT_SYNC_MS);
                if gate.audit.borrow().is_dirty() {
                    sync_at.get_or_insert(soon);
                }
            }
            () = reached(sync_at) => {
                sync_at = None;
                if let Err(reason) = gate.sync_audit() {
                    tracing::error!("{reason}");
                }
            }
            () = reached(stop_at) => break,
        }
    }
    stop(&gate).await;
    Ok(())
}

/// Ends the log in order and records its end in the house.
async fn stop(gate: &Gate) {
    gate.note(STOPPED, &json!({ "turns_open": gate.turns.count() }));
    if let Err(reason) = gate.sync_audit() {
        tracing::error!("{reason}");
    }
    if gate.memories.places.here(HOUSE).is_some() {
        let head = gate.audit.borrow().head();
        let until = Instant::now() + Duration::from_millis(TICK_MS);
        match timeout_at(until, gate.house.anchor(&gate.memories, head)).await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => tracing::warn!("audit log's end is not recorded: {reason}"),
            Err(_) => tracing::warn!("audit log's end is not recorded: the house does not answer"),
        }
    }
}

/// What the supervisor says; a deadline when it says stop.
fn hear(gate: &Rc<Gate>, event: ControlEvent) -> Option<u64> {
    match event {
        ControlEvent::Drain { deadline_ms: 0 } => return Some(DRAIN_MS),
        ControlEvent::Drain { deadline_ms } => return Some(u64::from(deadline_ms)),
        ControlEvent::Reload => reload(gate, Path::new(config::PATH)),
        ControlEvent::TreeDescribed { request, instances, probe } => gate.tree.described(request, (instances, probe)),
        ControlEvent::Unavailable { place, reason } => unavailable(gate, place, &reason),
    }
    None
}

fn unavailable(gate: &Gate, place: Place, reason: &str) {
    match place.role() {
        Some(kit::Role::Memory) => gate.memories.unavailable(place.slot, reason),
        Some(kit::Role::Model) => gate.models.places.unavailable(place.slot, reason),
        Some(kit::Role::Executor) => gate.executors.places.unavailable(place.slot, reason),
        Some(
            kit::Role::Connector | kit::Role::Brain | kit::Role::Gate | kit::Role::Supervisor | kit::Role::Launcher,
        )
        | None => {}
    }
}

/// Reads the settings and the policies again; a bad file changes nothing.
pub fn reload(gate: &Gate, path: &Path) {
    if let Err(problem) = gate.policies.reload(&path.with_file_name("policy")) {
        tracing::error!("the policies stay as they were: {problem}");
    }
    gate.note_policies();
    match config::load(path) {
        Ok(config) => {
            gate.note("gate.reloaded", &json!({ "owner_uid": config.owner.uid }));
            *gate.config.borrow_mut() = config;
        }
        Err(error) => {
            tracing::error!("the settings stay as they were: {error}");
            gate.note("gate.reload_failed", &json!({ "why": error.to_string() }));
        }
    }
}

/// Records the newest audit entry in the house, now and then.
struct Anchor {
    seq: u64,
    at: Instant,
}

impl Default for Anchor {
    fn default() -> Anchor {
        let at = Instant::now();
        Anchor { seq: 0, at }
    }
}

impl Anchor {
    fn drop_when_due(&mut self, gate: &Rc<Gate>) {
        let head = gate.audit.borrow().head();
        let due = self.at.elapsed() > Duration::from_millis(ANCHOR_EVERY_MS);
        if !due || head.seq == self.seq || gate.memories.places.here(HOUSE).is_none() {
            return;
        }
        if let Err(reason) = gate.sync_audit() {
            return tracing::error!("{reason}");
        }
        self.at = Instant::now();
        self.seq = head.seq;
        let gate = gate.clone();
        tokio::task::spawn_local(async move {
            if let Err(reason) = gate.house.anchor(&gate.memories, head).await {
                tracing::warn!("audit log's end is not recorded: {reason}");
            }
        });
    }
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
