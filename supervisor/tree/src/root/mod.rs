//! The root actor: one child an instance; hands each its reports, keeps the number of spares, serves the gate, and leads
//! start, reload and stop.

mod gate;
mod stop;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use roles::Role;
use roles::launch::{Instance as Who, Notice, Report, Request};
use schema::edge::ProbeResult;
use schema::edge::control::{FromRole, Phase, Place};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use crate::backoff::Jitter;
use crate::instance::{Instance, InstanceMessage, Start};
use crate::life::{Event, State, Summary};
use crate::limits::{ALIVE_INTERVAL_MS, STOP_GRACE_MS};
use crate::settings::Settings;
use crate::strategies::strategy_of;
use crate::tree::{self, Instances};

/// What the root is sent.
#[derive(Debug)]
pub enum RootMessage {
    /// A report of the launcher, with the descriptor that came along.
    Reported(Report, Option<OwnedFd>),
    /// An instance is not as it was.
    Changed(Summary),
    /// The gate said what only the gate may say.
    GateSaid(FromRole),
    /// Time for a sign of life.
    Alive,
}

/// What the root starts with.
pub struct RootStart {
    /// The configuration.
    pub settings: Settings,
    /// Where to read it again.
    pub path: PathBuf,
    /// To the launcher.
    pub requests: mpsc::Sender<Request>,
    /// Seed of the jitter.
    pub seed: u64,
    /// This process's own attempt at a forbidden file.
    pub probe: fn() -> ProbeResult,
    /// Told when everything is stopped.
    pub stopped: oneshot::Sender<()>,
}

/// The actor.
pub struct Root;

/// Its state.
pub struct Tree {
    settings: Settings,
    path: PathBuf,
    requests: mpsc::Sender<Request>,
    seeds: Jitter,
    probe: fn() -> ProbeResult,
    stopped: Option<oneshot::Sender<()>>,
    born: Instant,
    children: BTreeMap<Place, ActorRef<InstanceMessage>>,
    instances: Instances,
    brains_started: BTreeMap<u32, u64>,
    brain_starts: u64,
    said_ready: bool,
    /// Which wave is being stopped.
    stopping: Option<u8>,
}

type Done = Result<(), ActorProcessingErr>;

impl Actor for Root {
    type Msg = RootMessage;
    type State = Tree;
    type Arguments = RootStart;

    async fn pre_start(&self, myself: ActorRef<RootMessage>, start: RootStart) -> Result<Tree, ActorProcessingErr> {
        let mut tree = Tree {
            settings: start.settings,
            path: start.path,
            requests: start.requests,
            seeds: Jitter::new(start.seed),
            probe: start.probe,
            stopped: Some(start.stopped),
            born: Instant::now(),
            children: BTreeMap::new(),
            instances: Instances::new(),
            brains_started: BTreeMap::new(),
            brain_starts: 0,
            said_ready: false,
            stopping: None,
        };
        // What runs already is reported before the launcher answers any of these, each with `Running`.
        tree.start_what_runs_always(&myself).await?;
        tokio::spawn(signs_of_life(myself));
        Ok(tree)
    }

    async fn handle(&self, myself: ActorRef<RootMessage>, message: RootMessage, tree: &mut Tree) -> Done {
        match message {
            RootMessage::Reported(report, fd) => tree.reported(&myself, report, fd).await,
            RootMessage::Changed(summary) => tree.changed(&myself, summary).await,
            RootMessage::GateSaid(message) => tree.gate_said(&myself, message).await,
            RootMessage::Alive => tree.notify(Notice::Alive).await,
        }
    }

    /// Children end with the root and not before it. One that does has failed in a way that nobody foresaw: this
    /// process ends, and the launcher starts one that takes the instances as they are.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RootMessage>,
        event: SupervisionEvent,
        _tree: &mut Tree,
    ) -> Done {
        match event {
            SupervisionEvent::ActorTerminated(who, _, reason) => {
                tracing::error!("the actor {} has ended: {}", who.get_id(), reason.unwrap_or_default());
                myself.stop(None);
            }
            SupervisionEvent::ActorFailed(who, error) => {
                tracing::error!("the actor {} has failed: {error}", who.get_id());
                myself.stop(None);
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

async fn signs_of_life(root: ActorRef<RootMessage>) {
    let mut clock = tokio::time::interval(Duration::from_millis(ALIVE_INTERVAL_MS));
    loop {
        clock.tick().await;
        if root.cast(RootMessage::Alive).is_err() {
            return;
        }
    }
}

impl Tree {
    /// The gate first; the others do not wait for it, since the launcher keeps their edges until it is sealed.
    async fn start_what_runs_always(&mut self, myself: &ActorRef<RootMessage>) -> Done {
        for (role, slot) in tree::always(&self.settings) {
            self.tell_child(myself, role, slot, Event::Want).await?;
            if role == Role::Memory {
                self.fill_pool(myself).await?;
            }
        }
        self.fill_pool(myself).await
    }

    async fn fill_pool(&mut self, myself: &ActorRef<RootMessage>) -> Done {
        if self.stopping.is_some_and(|wave| wave > 0) {
            return Ok(());
        }
        for slot in tree::next_spares(self.settings.spares, &self.instances, &self.brains_started) {
            self.brain_starts += 1;
            self.brains_started.insert(slot, self.brain_starts);
            // Until its actor says how it is, the slot counts as taken.
            self.child(myself, Role::Brain, slot).await?;
            if let Some(brain) = self.instances.get_mut(&Place::new(Role::Brain, slot)) {
                brain.spare = true;
            }
            self.tell_child(myself, Role::Brain, slot, Event::Want).await?;
        }
        Ok(())
    }

    /// The actor of a slot, made when there is none; `None` for a slot that the table does not have.
    async fn child(
        &mut self,
        myself: &ActorRef<RootMessage>,
        role: Role,
        slot: u32,
    ) -> Result<Option<ActorRef<InstanceMessage>>, ActorProcessingErr> {
        let place = Place::new(role, slot);
        if let Some(child) = self.children.get(&place) {
            return Ok(Some(child.clone()));
        }
        let Some(strategy) = strategy_of(role, slot) else { return Ok(None) };
        let seed = self.seeds.between(0, u64::MAX - 1);
        let state = State::new(role, slot, strategy, self.settings.times, seed);
        self.instances.insert(place, state.summary());
        let start = Start { state, root: myself.clone(), requests: self.requests.clone(), born: self.born };
        let (child, _) = Actor::spawn_linked(None, Instance, start, myself.get_cell()).await?;
        self.children.insert(place, child.clone());
        Ok(Some(child))
    }

    async fn tell_child(&mut self, myself: &ActorRef<RootMessage>, role: Role, slot: u32, event: Event) -> Done {
        if let Some(child) = self.child(myself, role, slot).await? {
            child.cast(InstanceMessage::Happened(event))?;
        }
        Ok(())
    }

    async fn notify(&self, notice: Notice) -> Done {
        Ok(self.requests.send(Request::Notify(notice)).await?)
    }

    async fn reported(&mut self, myself: &ActorRef<RootMessage>, report: Report, fd: Option<OwnedFd>) -> Done {
        match report {
            Report::Started { who, pid } => {
                let event = Event::Started { number: who.number, pid };
                self.runs(myself, who, event, fd).await
            }
            Report::Adopted { who, pid, sealed } => {
                tracing::info!("{}-{}: runs already (pid {pid})", who.role.name(), who.slot);
                let event = Event::Adopted { number: who.number, pid, sealed };
                self.runs(myself, who, event, fd).await
            }
            Report::Refused { role, slot, reason, errno } => {
                self.tell_child(myself, role, slot, Event::Refused { reason, errno }).await
            }
            Report::Sealed { who } => {
                self.tell_child(myself, who.role, who.slot, Event::Sealed { number: who.number }).await
            }
            Report::Exited { who, status, signal, .. } => {
                let gate = self.instances.get_mut(&Place::new(Role::Gate, 0));
                let gate_runs = gate.as_ref().is_some_and(|gate| gate.phase == Phase::Ready);
                let with_gate = who.role == Role::Brain && !gate_runs;
                // Known here before its actor has said so: the brains' ends are reported next.
                if let Some(gate) = gate.filter(|gate| who.role == Role::Gate && gate.number == who.number) {
                    gate.phase = Phase::Starting;
                }
                let event = Event::Exited { number: who.number, status, signal, with_gate };
                self.tell_child(myself, who.role, who.slot, event).await
            }
            Report::Reload => self.reload(myself).await,
            Report::Shutdown => self.shut_down(myself).await,
        }
    }

    async fn runs(&mut self, myself: &ActorRef<RootMessage>, who: Who, event: Event, fd: Option<OwnedFd>) -> Done {
        let (Some(child), Some(fd)) = (self.child(myself, who.role, who.slot).await?, fd) else { return Ok(()) };
        child.cast(InstanceMessage::Runs(event, fd))?;
        if self.stopping.is_some() || !tree::keeps(&self.settings, who.role, who.slot) {
            let grace_ms = if who.role == Role::Gate { self.settings.drain_ms } else { STOP_GRACE_MS };
            let brain_at_work = self.stopping == Some(0) && who.role != Role::Gate;
            if !brain_at_work {
                child.cast(InstanceMessage::Happened(Event::Unwant { grace_ms }))?;
            }
        }
        Ok(())
    }

    async fn changed(&mut self, myself: &ActorRef<RootMessage>, summary: Summary) -> Done {
        let before = self.instances.insert(summary.place, summary.clone());
        let given_up_before = before.is_some_and(|before| before.given_up.is_some());
        if let (Some(reason), false) = (&summary.given_up, given_up_before) {
            self.tell_unavailable(summary.place, reason);
        }
        if summary.place.role() == Some(Role::Brain) {
            self.fill_pool(myself).await?;
        }
        if self.stopping.is_some() {
            return self.next_wave(myself);
        }
        if !self.said_ready && tree::is_settled(&self.settings, &self.instances) {
            self.said_ready = true;
            self.note_ready();
            self.notify(Notice::Ready).await?;
        }
        Ok(())
    }

    fn note_ready(&self) {
        let ms = self.born.elapsed().as_millis();
        let given_up: Vec<String> = self
            .instances
            .values()
            .filter(|instance| instance.given_up.is_some())
            .filter_map(|instance| Some(format!("{}-{}", instance.place.role()?.name(), instance.place.slot)))
            .collect();
        if given_up.is_empty() {
            tracing::info!("ready after {ms} ms");
        } else {
            tracing::warn!("ready after {ms} ms, without what was given up: {}", given_up.join(", "));
        }
    }

    /// A file that is no good changes nothing: what runs goes on under the settings it had.
    async fn reload(&mut self, myself: &ActorRef<RootMessage>) -> Done {
        if self.stopping.is_some() {
            return Ok(());
        }
        self.notify(Notice::Reloading).await?;
        match Settings::read(&self.path) {
            Ok(settings) => self.apply(myself, settings).await?,
            Err(error) => tracing::error!("{error}; the settings stay as they were"),
        }
        for child in self.children.values() {
            child.cast(InstanceMessage::Happened(Event::Reload))?;
        }
        let given_up: Vec<Place> =
            self.instances.values().filter(|i| i.given_up.is_some() && i.wanted).map(|i| i.place).collect();
        for place in given_up {
            if let Some(child) = self.children.get(&place) {
                child.cast(InstanceMessage::Happened(Event::Want))?;
            }
        }
        self.notify(Notice::Ready).await
    }

    async fn apply(&mut self, myself: &ActorRef<RootMessage>, settings: Settings) -> Done {
        let before = tree::always(&std::mem::replace(&mut self.settings, settings));
        let after = tree::always(&self.settings);
        for child in self.children.values() {
            child.cast(InstanceMessage::Times(self.settings.times))?;
        }
        // A principal's instance that is no longer kept warm goes on until the gate no longer wants it.
        let gone = before.into_iter().filter(|(role, slot)| !tree::keeps(&self.settings, *role, *slot));
        for (role, slot) in gone.collect::<Vec<_>>() {
            self.tell_child(myself, role, slot, Event::Unwant { grace_ms: STOP_GRACE_MS }).await?;
        }
        for (role, slot) in after {
            self.tell_child(myself, role, slot, Event::Want).await?;
        }
        self.fill_pool(myself).await
    }
}
