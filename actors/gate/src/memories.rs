//! Requests to memory instances. Each is repeated until it is answered: every request is idempotent, so one whose answer
//! a death took goes out again, in the same order, to whoever is there next.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use kit::{Control, Role};
use schema::actions::{ActionBrief, ActionRecord};
use schema::edge::memory::{Answer, Ask, FromMemory, Step, ToMemory, TurnEnd, TurnRecord};
use schema::label::Label;
use schema::limits::{HISTORY_BYTES, HISTORY_MESSAGES};
use schema::talk::Message;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use crate::audit::now_ms;
use crate::limits::{EDGE_WAIT_MS, JOURNAL_ANSWER_MS, JOURNAL_DEATHS_MAX, JOURNAL_REQUESTS_MAX};
use crate::peer::Peer;
use crate::places::Places;

/// An answer that is on its way, or in words why there is none.
pub type Pending = oneshot::Receiver<Result<Answer, String>>;

/// The memory instances.
pub struct Memories {
    /// Who is there.
    pub places: Places<ToMemory>,
    next: Cell<u64>,
    open: RefCell<BTreeMap<u32, VecDeque<Open>>>,
}

struct Open {
    request: u64,
    ask: Ask,
    answer: oneshot::Sender<Result<Answer, String>>,
    since: Instant,
    deaths: u32,
}

/// What a message was journaled as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The turn.
    pub turn: u64,
    /// Whether the message was known already.
    pub known: bool,
    /// How the turn ended, if it did: with the reply.
    pub ended: Option<(TurnEnd, String)>,
}

impl Memories {
    /// Nobody is there yet.
    pub fn new(control: Control) -> Memories {
        Memories { places: Places::new(Role::Memory, control), next: Cell::new(1), open: RefCell::default() }
    }

    /// Asks; the request is on its way when this returns, in order behind those before it.
    pub fn start(&self, slot: u32, ask: Ask) -> Pending {
        let (answer, pending) = oneshot::channel();
        let request = self.next.get();
        self.next.set(request + 1);
        let mut open = self.open.borrow_mut();
        let queue = open.entry(slot).or_default();
        if queue.len() >= JOURNAL_REQUESTS_MAX {
            let reason = format!("memory {slot}: too many requests wait for it");
            // The receiver is in our own hands.
            let _ = answer.send(Err(reason));
            return pending;
        }
        queue.push_back(Open { request, ask: ask.clone(), answer, since: Instant::now(), deaths: 0 });
        drop(open);
        match self.places.here(slot) {
            // A peer that takes nothing is ended; its successor gets all that is open.
            Some(peer) => drop(peer.outbox.push(ToMemory { request, ask })),
            None => self.places.want(slot),
        }
        pending
    }

    /// Asks and waits for the answer; `Failed` is an error.
    pub async fn ask(&self, slot: u32, ask: Ask) -> Result<Answer, String> {
        settled(self.start(slot, ask).await)
    }

    /// Journals a message.
    pub async fn receive(
        &self,
        slot: u32,
        (channel, message_id): (&str, &str),
        text: &str,
        label: Label,
    ) -> Result<Received, String> {
        let ask = Ask::Receive {
            channel: channel.to_owned(),
            message_id: message_id.to_owned(),
            text: text.to_owned(),
            label,
            at_ms: now_ms(),
        };
        match self.ask(slot, ask).await? {
            Answer::Received { turn, known, ended } => Ok(Received { turn, known, ended }),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// All that is journaled of a turn.
    pub async fn load(&self, slot: u32, turn: u64) -> Result<TurnRecord, String> {
        match self.ask(slot, Ask::LoadTurn { turn }).await? {
            Answer::Turn(Some(record)) => Ok(record),
            Answer::Turn(None) => Err(format!("memory {slot}: turn {turn} is not in its journal")),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// What was said before a turn.
    pub async fn history(&self, slot: u32, turn: u64) -> Result<Vec<Message>, String> {
        let ask = Ask::History {
            before_turn: turn,
            messages_max: HISTORY_MESSAGES,
            bytes_max: u32::try_from(HISTORY_BYTES).unwrap_or(u32::MAX),
        };
        match self.ask(slot, ask).await? {
            Answer::Messages(messages) => Ok(messages),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// Turns without an end.
    pub async fn open_turns(&self, slot: u32) -> Result<Vec<u64>, String> {
        match self.ask(slot, Ask::OpenTurns).await? {
            Answer::Open(turns) => Ok(turns),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// The newest actions.
    pub async fn list_actions(
        &self,
        slot: u32,
        before: Option<u64>,
        actions_max: u32,
    ) -> Result<Vec<ActionBrief>, String> {
        match self.ask(slot, Ask::ListActions { before, actions_max }).await? {
            Answer::Actions(briefs) => Ok(briefs),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// All that is journaled of an action.
    pub async fn load_action(&self, slot: u32, action: u64) -> Result<Option<Box<ActionRecord>>, String> {
        match self.ask(slot, Ask::LoadAction { action }).await? {
            Answer::Action(record) => Ok(record),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// All records of a table of the house.
    pub async fn list(&self, slot: u32, table: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
        let table = table.to_owned();
        match self.ask(slot, Ask::List { table }).await? {
            Answer::Records(records) => Ok(records),
            other => Err(unfitting(slot, &other)),
        }
    }

    /// Writes a record of the house.
    pub async fn put(&self, slot: u32, table: &str, key: &str, value: &[u8]) -> Result<(), String> {
        let ask = Ask::Put { table: table.to_owned(), key: key.to_owned(), value: value.to_vec() };
        self.ask(slot, ask).await.map(drop)
    }

    /// An instance is there: it gets all that is open, in order. Returns who was there before.
    pub fn arrive(&self, peer: &Rc<Peer<ToMemory>>) -> Option<Rc<Peer<ToMemory>>> {
        let slot = peer.who.slot;
        for open in self.open.borrow_mut().entry(slot).or_default() {
            open.since = Instant::now();
            let (request, ask) = (open.request, open.ask.clone());
            let _ = peer.outbox.push(ToMemory { request, ask });
        }
        self.places.arrive(peer.clone())
    }

    /// An instance is gone: what it had not answered waits for the next.
    pub fn leave(&self, peer: &Rc<Peer<ToMemory>>) {
        let slot = peer.who.slot;
        self.places.leave(peer);
        let mut waits = false;
        if let Some(queue) = self.open.borrow_mut().get_mut(&slot) {
            // The first of them is the one on which it may have died.
            if let Some(first) = queue.front_mut() {
                first.deaths += 1;
            }
            if queue.front().is_some_and(|first| first.deaths >= JOURNAL_DEATHS_MAX)
                && let Some(first) = queue.pop_front()
            {
                let reason = format!("memory {slot} died {JOURNAL_DEATHS_MAX} times on a request");
                let _ = first.answer.send(Err(reason));
            }
            waits = !queue.is_empty();
        }
        if waits {
            self.places.want(slot);
        }
    }

    /// An answer: to the request that is first in line, of its kind; in words what is wrong otherwise.
    pub fn hear(&self, peer: &Rc<Peer<ToMemory>>, said: FromMemory) -> Result<(), String> {
        let mut open = self.open.borrow_mut();
        let queue = open.entry(peer.who.slot).or_default();
        let first = queue.front().filter(|first| first.request == said.request);
        let Some(first) = first else {
            return Err("an answer to no request, or out of order".to_owned());
        };
        if !fits(&first.ask, &said.answer) {
            return Err("an answer of another kind than its request".to_owned());
        }
        if let Some(first) = queue.pop_front() {
            // Fails when whoever asked has given up.
            let _ = first.answer.send(Ok(said.answer));
        }
        Ok(())
    }

    /// `slot` can't be filled: what waits for it fails.
    pub fn unavailable(&self, slot: u32, reason: &str) {
        self.places.unavailable(slot, reason);
        if self.places.here(slot).is_some() {
            return;
        }
        let queue = self.open.borrow_mut().remove(&slot).unwrap_or_default();
        for open in queue {
            let reason = format!("memory {slot} can't be started: {reason}");
            let _ = open.answer.send(Err(reason));
        }
    }

    /// Whether a request is open in `slot`.
    pub fn is_busy(&self, slot: u32) -> bool {
        self.open.borrow().get(&slot).is_some_and(|queue| !queue.is_empty())
    }

    /// Looks at deadlines. Returns those who did not answer in time.
    pub fn tick(&self, idle: Duration, in_use: impl Fn(u32) -> bool) -> Vec<Rc<Peer<ToMemory>>> {
        let now = Instant::now();
        let mut late = Vec::new();
        for (slot, queue) in self.open.borrow_mut().iter_mut() {
            let Some(first) = queue.front() else { continue };
            let waited = now - first.since;
            match self.places.here(*slot) {
                Some(peer) if waited > Duration::from_millis(JOURNAL_ANSWER_MS) => late.push(peer),
                Some(_) => {}
                None if waited > Duration::from_millis(EDGE_WAIT_MS) => {
                    let reason = format!("memory {slot} did not start: `chela status` says why");
                    for open in queue.drain(..) {
                        let _ = open.answer.send(Err(reason.clone()));
                    }
                }
                None => self.places.want(*slot),
            }
        }
        self.places.tick(idle, |slot| in_use(slot) || self.is_busy(slot));
        late
    }
}

/// The answer that came, with `Failed` as an error.
pub fn settled(answer: Result<Result<Answer, String>, oneshot::error::RecvError>) -> Result<Answer, String> {
    match answer {
        Ok(Ok(Answer::Failed { reason })) => Err(reason),
        Ok(answer) => answer,
        Err(_) => Err("memory: the gate is stopping".to_owned()),
    }
}

fn unfitting(slot: u32, answer: &Answer) -> String {
    // `fits` has ended the instance before it comes to this.
    tracing::error!("memory {slot}: unfitting answer {answer:?}");
    format!("memory {slot}: an answer of another kind than its request")
}

fn fits(ask: &Ask, answer: &Answer) -> bool {
    match answer {
        Answer::Failed { .. } => true,
        Answer::Received { .. } => matches!(ask, Ask::Receive { .. }),
        Answer::Stored => {
            matches!(
                ask,
                Ask::RecordStep { .. }
                    | Ask::Finish { .. }
                    | Ask::EndBackground { .. }
                    | Ask::Put { .. }
                    | Ask::Remove { .. }
            )
        }
        Answer::Turn(_) => matches!(ask, Ask::LoadTurn { .. }),
        Answer::Messages(_) => matches!(ask, Ask::History { .. }),
        Answer::Open(_) => matches!(ask, Ask::OpenTurns),
        Answer::Actions(_) => matches!(ask, Ask::ListActions { .. }),
        Answer::Action(_) => matches!(ask, Ask::LoadAction { .. }),
        Answer::Value(_) => matches!(ask, Ask::Get { .. }),
        Answer::Records(_) => matches!(ask, Ask::List { .. }),
    }
}

/// A step of a turn, as a request.
pub fn record_step(turn: u64, step: u32, record: Step, label: Label) -> Ask {
    Ask::RecordStep { turn, step, record, label, at_ms: now_ms() }
}
