//! The hub: one edge an instance, each attended by one task that hears what the peer says, and ends the peer when it
//! breaks its edge's rules.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use kit::{Control, Link, LinkError, Role};
use roles::launch::{EdgeGiven, Instance};
use schema::edge::brain::{BrainWire, FromBrain, ToBrain};
use schema::edge::connector::{ConnectorWire, FromConnector, ToConnector};
use schema::edge::control::{FromRole, Place};
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::edge::memory::{FromMemory, MemoryWire, ToMemory};
use schema::edge::model::{FromModel, ModelWire, ToModel};
use schema::edge::{Frame, Wire};
use schema::effects::{Effects, Standing};
use schema::tool::ToolOutcome;
use schema::undo::UndoPreview;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Duration;

use crate::audit::{Audit, TOOL_ENDED};
use crate::background::{self, Backgrounds};
use crate::brains::{Brain, Brains};
use crate::config::Config;
use crate::effects::{self, Settlement};
use crate::executors::Executors;
use crate::house::House;
use crate::limits::AUDIT_TEXT_BYTES;
use crate::memories::Memories;
use crate::models::Models;
use crate::peer::{Outbox, Peer, Weigh};
use crate::places::Places;
use crate::policies::Current;
use crate::questions::Questions;
use crate::tree::Tree;
use crate::turn::action::clipped;
use crate::turn::all::Turns;

/// All that the gate is.
pub struct Gate {
    /// Settings.
    pub config: RefCell<Config>,
    /// The policies in force.
    pub policies: Current,
    /// The audit log.
    pub audit: RefCell<Audit>,
    /// The line to the supervisor.
    pub control: Control,
    /// Memory instances.
    pub memories: Memories,
    /// Models.
    pub models: Rc<Models>,
    /// Executors.
    pub executors: Executors,
    /// Questions about undos.
    pub previews: Questions<UndoPreview>,
    /// Parts of files on their way to executors.
    pub uploads: Questions<Result<u64, String>>,
    /// Commands in the background.
    pub backgrounds: Backgrounds,
    /// Brains.
    pub brains: Brains,
    /// Connectors.
    pub connectors: Places<ToConnector>,
    /// Turns in flight.
    pub turns: Turns,
    /// The gate's own records.
    pub house: House,
    /// Questions to the whole tree.
    pub tree: Tree,
    /// No new turns.
    pub draining: Cell<bool>,
    /// A turn has ended, or an audit entry waits for the disk.
    pub changed: Notify,
}

impl Gate {
    /// A gate without any edge.
    pub fn new(config: Config, audit: Audit, control: Control, policies: Current) -> Rc<Gate> {
        Rc::new(Gate {
            config: RefCell::new(config),
            policies,
            audit: RefCell::new(audit),
            memories: Memories::new(control.clone()),
            models: Rc::new(Models::new(control.clone())),
            executors: Executors::new(control.clone()),
            previews: Questions::default(),
            uploads: Questions::default(),
            backgrounds: Backgrounds::default(),
            brains: Brains::default(),
            connectors: Places::new(Role::Connector, control.clone()),
            turns: Turns::default(),
            house: House::default(),
            tree: Tree::default(),
            draining: Cell::new(false),
            changed: Notify::new(),
            control,
        })
    }

    /// Writes an audit entry that nothing waits for: it is on the disk soon.
    pub fn note(&self, event: &str, body: &Value) {
        let mut audit = self.audit.borrow_mut();
        if let Err(error) = audit.append(event, body) {
            tracing::error!("{event} {body}: {error}");
        }
        if event == TOOL_ENDED
            && let Some(action) = body.get("action").and_then(Value::as_u64)
        {
            audit.ended(action);
            self.policies.ended(action);
        }
        self.changed.notify_one();
    }

    /// Waits until every audit entry is on the disk.
    pub fn sync_audit(&self) -> Result<(), String> {
        let synced = self.audit.borrow_mut().sync();
        synced.map_err(|error| error.to_string())
    }

    /// An instance broke its edge's rules: written down, and its end asked for.
    pub fn misbehaved(&self, who: Instance, what: &str) {
        let (role, slot, number) = (who.role.name(), who.slot, who.number);
        tracing::error!("{role} {slot} misbehaved: {what}");
        self.note(
            "peer.ended",
            &json!({ "role": role, "slot": slot, "number": number, "what": clipped(what, AUDIT_TEXT_BYTES) }),
        );
        let place = Place::new(who.role, slot);
        self.control.tell(FromRole::Misbehaved { place, number });
    }

    /// Decides on what a rehearsal has shown. The decision is on the disk before the executor hears of it.
    fn decide_effects(&self, action: u64, outcome: &ToolOutcome) -> Result<(), String> {
        let settlement = effects::decide(&self.policies, self.policies.asked(action), outcome);
        self.note_effects(action, &outcome.effects, &settlement);
        self.sync_audit()?;
        self.executors.settle(action, settlement);
        Ok(())
    }

    /// Writes down what was decided on effects.
    pub fn note_effects(&self, action: u64, effects: &Effects, settlement: &Settlement) {
        self.note(
            "effects.decided",
            &json!({
                "action": action,
                "commit": settlement.commit,
                "rule": settlement.rule,
                "effects": effects.list.len() as u64 + effects.more,
                "bytes_written": effects.bytes_written,
            }),
        );
    }

    /// Writes down which policies are in force.
    pub fn note_policies(&self) {
        let state = self.policies.state();
        self.note("policy.in_force", &json!({ "sha256": state.digest, "problem": state.problem }));
    }

    /// A turn is over: progress.
    pub fn turn_ended(&self) {
        self.control.idle();
        self.changed.notify_one();
    }

    /// Looks at deadlines and at who has been idle.
    pub fn tick(&self) {
        let idle = Duration::from_secs(u64::from(self.config.borrow().idle_s));
        let active = |slot: u32| self.turns.is_active(slot);
        let late = "did not answer in time";
        // The house is permanent.
        for peer in self.memories.tick(idle, |slot| slot == 0 || active(slot)) {
            self.end_late(&peer, late);
        }
        for peer in self.models.tick(idle, active) {
            self.end_late(&peer, late);
        }
        let used = |slot: u32| {
            active(slot) || self.previews.is_busy(slot) || self.uploads.is_busy(slot) || self.backgrounds.is_busy(slot)
        };
        for peer in self.executors.tick(idle, used) {
            self.end_late(&peer, late);
        }
    }

    fn end_late<M: Weigh + 'static>(&self, peer: &Peer<M>, what: &str) {
        peer.outbox.end();
        self.misbehaved(peer.who, what);
    }
}

/// What the gate does with one edge's messages.
trait Edge<W: Wire> {
    fn arrive(&self, peer: &Rc<Peer<W::Down>>);
    async fn hear(&self, peer: &Rc<Peer<W::Down>>, said: W::Up) -> Result<(), String>;
    async fn leave(&self, peer: &Rc<Peer<W::Down>>);
}

fn replaced<M: Weigh + 'static>(before: Option<Rc<Peer<M>>>) {
    if let Some(before) = before {
        before.outbox.end();
    }
}

impl Edge<MemoryWire> for Gate {
    fn arrive(&self, peer: &Rc<Peer<ToMemory>>) {
        replaced(self.memories.arrive(peer));
    }
    async fn hear(&self, peer: &Rc<Peer<ToMemory>>, said: FromMemory) -> Result<(), String> {
        self.memories.hear(peer, said)
    }
    async fn leave(&self, peer: &Rc<Peer<ToMemory>>) {
        self.memories.leave(peer);
    }
}

impl Edge<ModelWire> for Gate {
    fn arrive(&self, peer: &Rc<Peer<ToModel>>) {
        replaced(self.models.places.arrive(peer.clone()));
    }
    async fn hear(&self, peer: &Rc<Peer<ToModel>>, said: FromModel) -> Result<(), String> {
        self.models.hear(peer, said).await
    }
    async fn leave(&self, peer: &Rc<Peer<ToModel>>) {
        self.models.leave(peer).await;
    }
}

impl Edge<ExecutorWire> for Gate {
    fn arrive(&self, peer: &Rc<Peer<ToExecutor>>) {
        replaced(self.executors.places.arrive(peer.clone()));
    }
    async fn hear(&self, peer: &Rc<Peer<ToExecutor>>, said: FromExecutor) -> Result<(), String> {
        match said {
            FromExecutor::Background { action } => {
                background::runs(self, peer, action);
                return Ok(());
            }
            FromExecutor::Ended { action, outcome } => return background::ended(self, peer, action, outcome),
            FromExecutor::Settled { action, ref standing } if background::settled(self, peer, action, standing) => {
                return Ok(());
            }
            FromExecutor::Again { .. }
            | FromExecutor::Output { .. }
            | FromExecutor::Finished { .. }
            | FromExecutor::Settled { .. }
            | FromExecutor::UndoPreviewed { .. }
            | FromExecutor::Uploaded { .. } => {}
        }
        let action = match &said {
            FromExecutor::UndoPreviewed { request, preview } => {
                return self.previews.hear(peer.who.slot, *request, preview.clone());
            }
            FromExecutor::Uploaded { request, held } => {
                return self.uploads.hear(peer.who.slot, *request, held.clone());
            }
            FromExecutor::Again { action }
            | FromExecutor::Background { action }
            | FromExecutor::Ended { action, .. }
            | FromExecutor::Output { action, .. }
            | FromExecutor::Finished { action, .. }
            | FromExecutor::Settled { action, .. } => *action,
        };
        let has_it = self.audit.borrow().instance_of(action) == Some(peer.who.number);
        if has_it && !self.executors.is_open(action) {
            // From the time of the gate before this one. Its turn asks for the result again when it resumes.
            return Ok(());
        }
        if let FromExecutor::Finished { outcome, .. } = &said
            && outcome.standing == Standing::Staged
        {
            // It was rehearsed while its decision was being written down.
            match self.executors.is_written(action).await {
                true => self.decide_effects(action, outcome)?,
                false => self.executors.settle(action, effects::unwritten()),
            }
        }
        self.executors.hear(peer, said).await
    }
    async fn leave(&self, peer: &Rc<Peer<ToExecutor>>) {
        self.previews.leave(peer.who.slot);
        self.uploads.leave(peer.who.slot);
        background::lost(self, peer);
        self.executors.leave(peer).await;
    }
}

impl Edge<ConnectorWire> for Gate {
    fn arrive(&self, peer: &Rc<Peer<ToConnector>>) {
        replaced(self.connectors.arrive(peer.clone()));
    }
    async fn hear(&self, _: &Rc<Peer<ToConnector>>, said: FromConnector) -> Result<(), String> {
        match said {
            FromConnector::LinkDescribed { .. } => Err("a description that nobody asked for".to_owned()),
        }
    }
    async fn leave(&self, peer: &Rc<Peer<ToConnector>>) {
        self.connectors.leave(peer);
    }
}

/// A brain has an edge of its own that nobody else ever gets.
struct BrainEdge {
    gate: Rc<Gate>,
    brain: RefCell<Option<Rc<Brain>>>,
}

impl Edge<BrainWire> for BrainEdge {
    fn arrive(&self, peer: &Rc<Peer<ToBrain>>) {
        let brain = Rc::new(Brain::new(peer.clone()));
        *self.brain.borrow_mut() = Some(brain.clone());
        self.gate.brains.arrive(brain);
    }
    async fn hear(&self, _: &Rc<Peer<ToBrain>>, said: FromBrain) -> Result<(), String> {
        let brain = self.brain.borrow().clone();
        match brain {
            Some(brain) => brain.hear(said).await,
            None => Ok(()),
        }
    }
    async fn leave(&self, _: &Rc<Peer<ToBrain>>) {
        let brain = self.brain.borrow_mut().take();
        if let Some(brain) = brain {
            self.gate.brains.leave(&brain);
            brain.leave().await;
        }
    }
}

/// Attends an edge that the launcher handed over, to its end.
pub async fn attend(gate: Rc<Gate>, given: EdgeGiven, fd: OwnedFd) {
    let who = given.who;
    match who.role {
        Role::Memory => converse::<MemoryWire>(&gate, &*gate, who, fd).await,
        Role::Model => converse::<ModelWire>(&gate, &*gate, who, fd).await,
        Role::Executor => converse::<ExecutorWire>(&gate, &*gate, who, fd).await,
        Role::Connector => converse::<ConnectorWire>(&gate, &*gate, who, fd).await,
        Role::Brain => {
            let brain = RefCell::default();
            let edge = BrainEdge { gate: gate.clone(), brain };
            converse::<BrainWire>(&gate, &edge, who, fd).await;
        }
        Role::Launcher | Role::Supervisor | Role::Gate => {
            tracing::error!("the launcher sent an edge to {}, which has none", who.role.name());
        }
    }
}

async fn converse<W: Wire>(gate: &Gate, edge: &impl Edge<W>, who: Instance, fd: OwnedFd)
where
    W::Down: Weigh + 'static,
    W::Up: 'static,
{
    let link = match Link::<W::Down, W::Up>::open(fd, W::NAME, W::LIMIT_BYTES).await {
        Ok(link) => link,
        Err(LinkError::Closed) => return,
        Err(error) => return gate.misbehaved(who, &error.to_string()),
    };
    let (mut reader, writer) = link.split();
    let outbox = Outbox::start(writer);
    let peer = Rc::new(Peer { who, outbox });
    edge.arrive(&peer);
    let wrong = loop {
        tokio::select! {
            biased;
            () = peer.outbox.ended() => break None,
            frame = reader.recv_frame() => {
                let heard = match frame {
                    Ok(Frame::Body(said)) => edge.hear(&peer, said).await,
                    Ok(Frame::Probed { nonce, result }) => gate.tree.probed(nonce, peer.place(), result),
                    Ok(Frame::Hello { .. } | Frame::Probe { .. }) => Err("a frame of the gate's own".to_owned()),
                    Err(LinkError::Closed) => break None,
                    Err(error) => Err(error.to_string()),
                };
                if let Err(what) = heard {
                    break Some(what);
                }
            }
        }
    };
    peer.outbox.end();
    // Closed before its turn hears of it, so that it can do nothing any more.
    drop(reader);
    edge.leave(&peer).await;
    if let Some(what) = wrong {
        gate.misbehaved(who, &what);
    }
}
