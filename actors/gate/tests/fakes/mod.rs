//! A gate in this process, with fakes of every role at the other ends of its edges.
// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use chela_brain::turn::{Conversation, Effect, Event};
use chela_gate::audit::Audit;
use chela_gate::client::Client;
use chela_gate::config::{Config, Owner};
use chela_gate::hub::{Gate, attend};
use chela_gate::peer::{Outbox, Sink};
use chela_gate::policies::Current;
use chela_gate::principals::{self, HOUSE, OWNER};
use chela_gate::requests;
use kit::{Control, Link, LinkError, Role};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use roles::launch::{EdgeGiven, Instance};
use schema::edge::brain::BrainWire;
use schema::edge::control::{ControlWire, FromRole, Place, ToRole};
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::edge::local::{FromClient, ToClient};
use schema::edge::memory::{Answer, Ask, FromMemory, MemoryWire, Step, TurnEnd, TurnRecord};
use schema::edge::model::{FromModel, ModelWire, ToModel};
use schema::edge::{Frame, Wire};
use schema::label::{Confidentiality, Integrity, Label};
use schema::talk::{Completion, CompletionEnd, Speaker, Usage};
use schema::tool::{Decision, Ended, Risk, ToolCall, ToolOutcome, Verdict};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

pub type Journal = Rc<RefCell<BTreeMap<u64, TurnRecord>>>;

/// What every test has.
pub struct World {
    pub gate: Rc<Gate>,
    pub journal: Journal,
    pub supervisor: mpsc::UnboundedReceiver<FromRole>,
    pub log: tempfile::NamedTempFile,
    pub runs: Rc<Cell<u32>>,
    pub completions: Rc<Cell<u32>>,
    next: Cell<u64>,
}

impl World {
    pub fn new() -> World {
        let log = tempfile::NamedTempFile::new().unwrap();
        let file = std::fs::File::options().read(true).append(true).open(log.path()).unwrap();
        let config = Config { idle_s: 300, owner: Owner { uid: 7, name: "ada".to_owned() } };
        let kind = SockType::SeqPacket;
        let (ours, theirs) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let control = Control::start(ours).unwrap();
        let (said, supervisor) = mpsc::unbounded_channel();
        tokio::task::spawn_local(supervise(theirs, said));
        World {
            gate: Gate::new(config, Audit::open(file).unwrap(), control, Current::default()),
            journal: Rc::default(),
            supervisor,
            log,
            runs: Rc::default(),
            completions: Rc::default(),
            next: Cell::new(1),
        }
    }

    /// One with a fake of everybody, all well-behaved.
    pub fn whole() -> World {
        let world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.model();
        world.executor();
        world.brain();
        world
    }

    /// A fresh edge: the other end of it.
    pub fn edge(&self, role: Role, slot: u32) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let number = self.next.get();
        self.next.set(number + 1);
        let given = EdgeGiven { who: Instance { role, slot, number } };
        tokio::task::spawn_local(attend(self.gate.clone(), given, OwnedFd::from(ours)));
        theirs
    }

    pub async fn link<W: Wire>(end: UnixStream) -> Link<W::Up, W::Down> {
        Link::open(OwnedFd::from(end), W::NAME, W::LIMIT_BYTES).await.unwrap()
    }

    pub fn memory(&self, slot: u32) {
        let end = self.edge(Role::Memory, slot);
        let journal = self.journal.clone();
        tokio::task::spawn_local(async move {
            let mut link = World::link::<MemoryWire>(end).await;
            while let Ok(asked) = link.recv().await {
                let answer = remember(&journal, asked.ask);
                link.send(&FromMemory { request: asked.request, answer }).await.unwrap();
            }
        });
    }

    /// A model that follows the message: `tool` asks for a listing first.
    pub fn model(&self) {
        let end = self.edge(Role::Model, OWNER);
        let asked = self.completions.clone();
        tokio::task::spawn_local(async move {
            let mut link = World::link::<ModelWire>(end).await;
            while let Ok(told) = link.recv().await {
                if let ToModel::Complete { request, messages, .. } = told {
                    asked.set(asked.get() + 1);
                    let wants = messages.iter().any(|m| m.speaker == Speaker::User && m.text == "tool");
                    let has = messages.iter().any(|m| m.speaker == Speaker::Tool);
                    let completion = if wants && !has { call() } else { text("hello") };
                    link.send(&FromModel::Completed { request, completion }).await.unwrap();
                }
            }
        });
    }

    pub fn executor(&self) {
        let end = self.edge(Role::Executor, OWNER);
        let runs = self.runs.clone();
        tokio::task::spawn_local(async move {
            let mut link = World::link::<ExecutorWire>(end).await;
            while let Ok(told) = link.recv().await {
                if let ToExecutor::Run { action, .. } = told {
                    runs.set(runs.get() + 1);
                    link.send(&FromExecutor::Finished { action, outcome: outcome(b"a.txt\n".to_vec()) }).await.unwrap();
                }
            }
        });
    }

    /// A real brain's turn, without its process.
    pub fn brain(&self) {
        let end = self.edge(Role::Brain, 0);
        tokio::task::spawn_local(async move {
            let mut link = World::link::<BrainWire>(end).await;
            let mut turn = Conversation::default();
            while let Ok(told) = link.recv().await {
                match turn.step(Event(told)) {
                    Effect::Ask(ask) => link.send(&ask).await.unwrap(),
                    Effect::Close(reply) => return link.send(&reply).await.unwrap(),
                    Effect::Broken(why) => panic!("the gate broke the rules: {why}"),
                }
            }
        });
    }

    /// A local person; what they are told.
    pub fn person(&self) -> (Rc<Client>, mpsc::UnboundedReceiver<ToClient>) {
        let (told, hears) = mpsc::unbounded_channel();
        (Rc::new(Client::new(7, Outbox::start(Ear(told)))), hears)
    }

    pub fn say(&self, client: &Rc<Client>, asked: FromClient) -> Result<(), String> {
        let caller = principals::caller(&self.gate.config.borrow(), 7).unwrap();
        requests::hear(&self.gate, client, &caller, asked)
    }

    /// Asks, and waits for the last word.
    pub async fn ask(&self, asked: FromClient) -> ToClient {
        let (client, mut hears) = self.person();
        self.say(&client, asked).unwrap();
        last(&mut hears).await
    }

    /// Waits until the supervisor is told of a breach of that role.
    pub async fn breach(&mut self, role: Role) {
        let told = async {
            loop {
                match self.supervisor.recv().await {
                    Some(FromRole::Misbehaved { place, .. }) if place.role() == Some(role) => return,
                    Some(_) => {}
                    None => panic!("the control line ended"),
                }
            }
        };
        timeout(Duration::from_secs(5), told).await.unwrap();
    }

    /// Waits until the supervisor is asked for that role.
    pub async fn wanted(&mut self, role: Role, slot: u32) {
        let told = async { while self.supervisor.recv().await != Some(FromRole::Want(Place::new(role, slot))) {} };
        timeout(Duration::from_secs(5), told).await.unwrap();
    }

    pub fn steps(&self, turn: u64) -> Vec<Step> {
        self.journal.borrow()[&turn].steps.clone()
    }
}

struct Ear(mpsc::UnboundedSender<ToClient>);

impl Sink<ToClient> for Ear {
    async fn send(&mut self, frame: Frame<ToClient>) -> Result<(), LinkError> {
        if let Frame::Body(message) = frame {
            self.0.send(message).map_err(|_| LinkError::Closed)?;
        }
        Ok(())
    }
}

pub async fn last(hears: &mut mpsc::UnboundedReceiver<ToClient>) -> ToClient {
    let word = async {
        loop {
            match hears.recv().await.unwrap() {
                ToClient::Text(_) | ToClient::ToolDecided { .. } | ToClient::ToolOutput { .. } => {}
                last => return last,
            }
        }
    };
    timeout(Duration::from_secs(10), word).await.unwrap()
}

pub fn message(id: &str, text: &str) -> FromClient {
    FromClient::Ask { message_id: id.to_owned(), principal: None, text: text.to_owned() }
}

pub fn tool(key: Option<&str>, arguments: &str) -> FromClient {
    FromClient::Tool {
        principal: None,
        call: ToolCall { name: "list_files".to_owned(), arguments: arguments.to_owned() },
        key: key.map(str::to_owned),
        untrusted: false,
    }
}

pub fn text(text: &str) -> Completion {
    Completion { text: text.to_owned(), call: None, ended: CompletionEnd::Done, usage: Usage::default() }
}

fn call() -> Completion {
    let call = ToolCall { name: "list_files".to_owned(), arguments: "{}".to_owned() };
    Completion { call: Some(call), ..text("") }
}

pub fn outcome(stdout: Vec<u8>) -> ToolOutcome {
    ToolOutcome { stdout, ms: 1, ..ToolOutcome::of(Ended::Exited { code: 0 }) }
}

async fn supervise(line: OwnedFd, said: mpsc::UnboundedSender<FromRole>) {
    let limit = <ControlWire as Wire>::LIMIT_BYTES;
    let mut packets = kit::packet::Packets::<ToRole, FromRole>::new(line, limit).unwrap();
    while let Ok(message) = packets.recv().await {
        if said.send(message).is_err() {
            return;
        }
    }
}

/// The journal's rules, as far as these tests need them.
pub fn remember(journal: &Journal, ask: Ask) -> Answer {
    let mut journal = journal.borrow_mut();
    match ask {
        Ask::Receive { channel, message_id, text, label, at_ms } => {
            let known = journal.values().find(|turn| turn.message_id == message_id);
            if let Some(turn) = known {
                return Answer::Received { turn: turn.turn, known: true, ended: turn.ended.clone() };
            }
            let turn = journal.len() as u64 + 1;
            let record = TurnRecord { turn, channel, message_id, text, label, at_ms, steps: Vec::new(), ended: None };
            journal.insert(turn, record);
            Answer::Received { turn, known: false, ended: None }
        }
        Ask::RecordStep { turn, step, record, label, .. } => {
            let turn = journal.get_mut(&turn).unwrap();
            assert!(step as usize <= turn.steps.len(), "a gap in the steps");
            if step as usize == turn.steps.len() {
                turn.steps.push(record);
                turn.label = turn.label.join(label);
            }
            Answer::Stored
        }
        Ask::Finish { turn, end, reply, .. } => {
            journal.get_mut(&turn).unwrap().ended.get_or_insert((end, reply));
            Answer::Stored
        }
        Ask::LoadTurn { turn } => Answer::Turn(journal.get(&turn).cloned()),
        Ask::History { .. } => Answer::Messages(Vec::new()),
        Ask::OpenTurns => {
            Answer::Open(journal.values().filter(|turn| turn.ended.is_none()).map(|turn| turn.turn).collect())
        }
        Ask::ListActions { .. } => Answer::Actions(Vec::new()),
        Ask::EndBackground { .. } => Answer::Stored,
        Ask::LoadAction { .. } => Answer::Action(None),
        Ask::Put { .. } | Ask::Remove { .. } => Answer::Stored,
        Ask::Get { .. } => Answer::Value(None),
        Ask::List { .. } => Answer::Records(Vec::new()),
    }
}

pub fn replied(told: ToClient) -> (TurnEnd, String, u64) {
    match told {
        ToClient::Replied(reply) => (reply.end, reply.text, reply.turn),
        other => panic!("no reply: {other:?}"),
    }
}

/// A turn that a gate left open with that action decided, its label tainted.
pub fn left_open(world: &World, action: u64) {
    let asked = ToolCall { name: "list_files".to_owned(), arguments: "{}".to_owned() };
    let tainted = Label { integrity: Integrity::Untrusted, confidentiality: Confidentiality::Private };
    let decision = Decision {
        verdict: Verdict::Allowed,
        reason: String::new(),
        rule: String::new(),
        risk: Risk::Low,
        remedy: String::new(),
    };
    let record = TurnRecord {
        turn: 1,
        channel: "local".to_owned(),
        message_id: "m".to_owned(),
        text: "tool".to_owned(),
        label: tainted,
        at_ms: 0,
        steps: vec![Step::Completed(call()), Step::ToolDecided { call: asked, decision, action }],
        ended: None,
    };
    world.journal.borrow_mut().insert(1, record);
}
