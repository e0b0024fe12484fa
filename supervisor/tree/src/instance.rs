//! The actor of one instance: feeds its state machine with what happens, and carries out what that decides.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use kit::packet::{PacketError, PacketSocket};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use roles::launch::{Instance as Who, Request};
use schema::codec;
use schema::edge::control::{FromRole, ToRole};
use schema::limits::CONTROL_PACKET_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};

use crate::life::{Effect, Event, State, Summary, Timer, Times, step};
use crate::limits::{FLOOD_PACKETS, FLOOD_WINDOW_MS, FROM_ROLE_BYTES, FROM_ROLE_QUEUE};
use crate::root::RootMessage;

/// What an instance's actor is sent.
#[derive(Debug)]
pub enum InstanceMessage {
    /// Something that happened.
    Happened(Event),
    /// It was started or adopted: as `Happened`, with this supervisor's end of its control line.
    Runs(Event, OwnedFd),
    /// It said something; the permit bounds how much of it waits.
    Said(u64, FromRole, OwnedSemaphorePermit),
    /// Tell it something that the root has decided.
    Tell(ToRole),
    /// Times were configured anew.
    Times(Times),
}

/// What an actor starts with.
pub struct Start {
    /// The machine.
    pub state: State,
    /// The root.
    pub root: ActorRef<RootMessage>,
    /// To the launcher.
    pub requests: mpsc::Sender<Request>,
    /// The supervisor's clock.
    pub born: Instant,
}

/// The actor.
pub struct Instance;

/// Its state.
pub struct Live {
    machine: State,
    reported: Summary,
    root: ActorRef<RootMessage>,
    requests: mpsc::Sender<Request>,
    born: Instant,
    line: Option<Control>,
    timers: BTreeMap<Timer, JoinHandle<()>>,
}

/// This supervisor's end of the instance's control line, with the task that hears it.
struct Control {
    socket: Arc<PacketSocket>,
    ear: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.ear.abort();
    }
}

impl Actor for Instance {
    type Msg = InstanceMessage;
    type State = Live;
    type Arguments = Start;

    async fn pre_start(&self, _myself: ActorRef<InstanceMessage>, start: Start) -> Result<Live, ActorProcessingErr> {
        let reported = start.state.summary();
        let Start { state, root, requests, born } = start;
        Ok(Live { machine: state, reported, root, requests, born, line: None, timers: BTreeMap::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<InstanceMessage>,
        message: InstanceMessage,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            InstanceMessage::Happened(event) => live.happen(&myself, event).await,
            InstanceMessage::Runs(event, fd) => {
                let (Event::Started { number, .. } | Event::Adopted { number, .. }) = event else { return Ok(()) };
                if number > live.machine.number() {
                    live.line = Some(listen(fd, number, &myself)?);
                    live.happen(&myself, event).await?;
                }
                Ok(())
            }
            InstanceMessage::Said(number, what, permit) => {
                let heard = live.happen(&myself, Event::Said { number, what }).await;
                drop(permit);
                heard
            }
            InstanceMessage::Tell(message) => {
                live.tell(&message);
                Ok(())
            }
            InstanceMessage::Times(times) => {
                live.machine.times = times;
                Ok(())
            }
        }
    }
}

impl Live {
    async fn happen(&mut self, myself: &ActorRef<InstanceMessage>, event: Event) -> Result<(), ActorProcessingErr> {
        let now_ms = self.born.elapsed().as_millis() as u64;
        let (machine, effects) = step(self.machine.clone(), now_ms, event);
        self.machine = machine;
        for effect in effects {
            self.carry_out(myself, effect).await?;
        }
        let summary = self.machine.summary();
        if summary.number == 0 {
            self.line = None;
        }
        if summary != self.reported {
            self.reported = summary.clone();
            self.root.cast(RootMessage::Changed(summary))?;
        }
        Ok(())
    }

    async fn carry_out(
        &mut self,
        myself: &ActorRef<InstanceMessage>,
        effect: Effect,
    ) -> Result<(), ActorProcessingErr> {
        let (role, slot) = (self.machine.role, self.machine.slot);
        match effect {
            Effect::Start => self.requests.send(Request::Start { role, slot }).await?,
            Effect::Signal { number, signal } => {
                let to = Who { role, slot, number };
                self.requests.send(Request::Signal { to, signal }).await?;
            }
            Effect::Tell(message) => self.tell(&message),
            Effect::Arm { timer, token, after_ms } => {
                let actor = myself.clone();
                let task = tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    // An actor that has ended needs no timer.
                    let _ = actor.cast(InstanceMessage::Happened(Event::Elapsed { timer, token }));
                });
                if let Some(before) = self.timers.insert(timer, task) {
                    before.abort();
                }
            }
            Effect::PassOn(message) => self.root.cast(RootMessage::GateSaid(message))?,
            Effect::Warn(words) => tracing::warn!("{}: {words}", self.machine.name()),
        }
        Ok(())
    }

    /// Never waits: a role that does not read can't hold up its supervisor. One that is deaf for long fails to answer
    /// its pings too, and is ended for that.
    fn tell(&self, message: &ToRole) {
        let Some(line) = &self.line else { return };
        let sent = codec::encode(message, CONTROL_PACKET_BYTES)
            .map_err(PacketError::from)
            .and_then(|packet| line.socket.try_send(&packet));
        match (sent, message) {
            (Ok(()) | Err(PacketError::Closed), _) | (Err(PacketError::Full), ToRole::Ping { .. }) => {}
            (Err(error), _) => tracing::warn!("{}: control line: {error}", self.machine.name()),
        }
    }
}

fn listen(fd: OwnedFd, number: u64, actor: &ActorRef<InstanceMessage>) -> Result<Control, ActorProcessingErr> {
    let socket = Arc::new(PacketSocket::new(fd)?);
    let ear = tokio::spawn(hear(socket.clone(), number, actor.clone()));
    Ok(Control { socket, ear })
}

/// Hears a role until it closes its line, floods it, or says what is no message.
async fn hear(socket: Arc<PacketSocket>, number: u64, actor: ActorRef<InstanceMessage>) {
    let queue = Arc::new(Semaphore::new(FROM_ROLE_QUEUE));
    let mut buffer = Vec::new();
    let mut window = (Instant::now(), 0);
    let event = loop {
        let Ok(permit) = queue.clone().acquire_owned().await else { return };
        match socket.recv(&mut buffer, FROM_ROLE_BYTES).await {
            Ok(()) => {}
            Err(PacketError::Closed) => break Event::LineClosed { number },
            Err(error) => break Event::Misbehaved { number, why: format!("control line: {error}") },
        }
        let what = match codec::decode(&buffer, FROM_ROLE_BYTES) {
            Ok(what) => what,
            Err(error) => break Event::Misbehaved { number, why: format!("control line: {error}") },
        };
        if window.0.elapsed() > Duration::from_millis(FLOOD_WINDOW_MS) {
            window = (Instant::now(), 0);
        }
        window.1 += 1;
        if window.1 > FLOOD_PACKETS {
            break Event::Misbehaved { number, why: "it floods its control line".into() };
        }
        if actor.cast(InstanceMessage::Said(number, what, permit)).is_err() {
            return;
        }
    };
    // An actor that has ended has no use for it.
    let _ = actor.cast(InstanceMessage::Happened(event));
}
