//! The turns in flight: each known by principal and number, so that a message that comes twice is one turn, answered to
//! everybody who asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use schema::edge::local::ToClient;
use schema::edge::memory::TurnRecord;
use schema::label::Label;
use schema::talk::{Message, Speaker};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::driver::Driver;
use super::report;
use super::state::Turn;
use super::words::Kind;
use crate::client::Client;
use crate::events::TurnEvent;
use crate::hub::Gate;
use crate::limits::{TURN_EVENTS, TURNS_OPEN_MAX, WATCHERS_MAX};
use crate::memories::Received;
use crate::principals::Principal;
use crate::tools;

/// A turn in flight.
pub struct OpenTurn {
    /// Whose.
    pub principal: Principal,
    /// Its number.
    pub turn: u64,
    /// Where its message came from.
    pub channel: &'static str,
    /// When work on it began.
    pub since: Instant,
    /// Where what happens to it goes.
    pub inbox: mpsc::Sender<TurnEvent>,
    watchers: RefCell<Vec<Rc<Client>>>,
}

impl OpenTurn {
    /// Says something to everybody who watches.
    pub fn say(&self, message: &ToClient) {
        self.watchers.borrow_mut().retain(|client| !client.outbox.has_ended());
        for client in &*self.watchers.borrow() {
            client.say(message.clone());
        }
    }

    /// Says the last word.
    pub fn answer(&self, message: &ToClient) {
        for client in self.watchers.borrow_mut().drain(..) {
            client.answer(message.clone());
        }
    }

    /// Takes it back.
    pub fn cancel(&self) {
        let inbox = self.inbox.clone();
        // Its queue may be full: it hears of it as soon as it has caught up. Fails when it is over.
        tokio::task::spawn_local(async move { drop(inbox.send(TurnEvent::Cancel).await) });
    }

    fn attach(self: &Rc<OpenTurn>, client: &Rc<Client>) {
        self.watchers.borrow_mut().retain(|client| !client.outbox.has_ended());
        if self.watchers.borrow().len() >= WATCHERS_MAX {
            return client.fail("this turn is watched by too many clients already", false);
        }
        self.watchers.borrow_mut().push(client.clone());
        if !client.watches(self.clone()) {
            self.cancel();
        }
    }
}

/// All turns in flight.
#[derive(Default)]
pub struct Turns {
    open: RefCell<BTreeMap<(u32, u64), Rc<OpenTurn>>>,
    /// Turns that this gate itself could not go on with: the next try is no crash.
    given_up: RefCell<BTreeSet<(u32, u64)>>,
}

/// A message as it came in.
pub struct Incoming {
    /// From whom.
    pub principal: Principal,
    /// Where from.
    pub channel: &'static str,
    /// The channel's id of it.
    pub message_id: String,
    /// What.
    pub text: String,
    /// Its label.
    pub label: Label,
}

impl Turns {
    /// How many are in flight.
    pub fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Whether that principal has one in flight.
    pub fn is_active(&self, principal: u32) -> bool {
        self.open.borrow().keys().any(|(of, _)| *of == principal)
    }

    /// It is over.
    pub fn remove(&self, turn: &OpenTurn) {
        self.open.borrow_mut().remove(&(turn.principal.number, turn.turn));
    }

    /// It can't be gone on with now, and is open in the journal.
    pub fn give_up(&self, turn: &OpenTurn) {
        self.remove(turn);
        let mut given_up = self.given_up.borrow_mut();
        if given_up.len() < TURNS_OPEN_MAX {
            given_up.insert((turn.principal.number, turn.turn));
        }
    }
}

/// A message comes in: journaled, then begun, joined, or answered as it was before.
pub async fn incoming(gate: Rc<Gate>, client: Rc<Client>, message: Incoming) {
    let since = Instant::now();
    if gate.turns.count() >= TURNS_OPEN_MAX {
        return client.fail("too many turns are in flight: try again soon", false);
    }
    let slot = message.principal.number;
    let id = (message.channel, message.message_id.as_str());
    let received = gate.memories.receive(slot, id, &message.text, message.label).await;
    let received = match received {
        Ok(received) => received,
        Err(reason) => return client.fail(reason, false),
    };
    if received.known {
        return again(&gate, &client, &message, received).await;
    }
    let record = TurnRecord {
        turn: received.turn,
        channel: message.channel.to_owned(),
        message_id: message.message_id,
        text: message.text,
        label: message.label,
        at_ms: 0,
        steps: Vec::new(),
        ended: None,
    };
    let key = (slot, received.turn);
    let here = gate.turns.open.borrow().get(&key).cloned();
    if let Some(here) = here {
        // The same message came twice at once, and the other was first to hear of its turn.
        return here.attach(&client);
    }
    let (open, events) = open(&gate, message.principal, received.turn, message.channel, since);
    open.attach(&client);
    tokio::task::spawn_local(run(gate, open, events, record, false));
}

/// A message that was known already: its answer, or its turn.
async fn again(gate: &Rc<Gate>, client: &Rc<Client>, message: &Incoming, received: Received) {
    let (slot, turn) = (message.principal.number, received.turn);
    let record = match gate.memories.load(slot, turn).await {
        Ok(record) => record,
        Err(reason) => return client.fail(reason, false),
    };
    if record.text != message.text {
        let reason = "this message id or key was used before, for something else: use a new one";
        return client.fail(reason, true);
    }
    if let Some((end, text)) = &record.ended {
        let steps = (turn, record.steps.as_slice());
        let took = tokio::time::Duration::ZERO;
        return client.answer(report::last(message.channel, steps, (*end, text), took));
    }
    resume(gate, &message.principal, message.channel, record, Some(client));
}

/// Goes on with a turn that is open in the journal, or joins it if it is in flight.
pub fn resume(
    gate: &Rc<Gate>,
    principal: &Principal,
    channel: &'static str,
    record: TurnRecord,
    client: Option<&Rc<Client>>,
) {
    let key = (principal.number, record.turn);
    let here = gate.turns.open.borrow().get(&key).cloned();
    let (turn, events) = match here {
        Some(turn) => (turn, None),
        None => {
            let (turn, events) = open(gate, principal.clone(), record.turn, channel, Instant::now());
            (turn, Some(events))
        }
    };
    if let Some(client) = client {
        turn.attach(client);
    }
    if let Some(events) = events {
        let gate_died = !gate.turns.given_up.borrow_mut().remove(&key);
        tokio::task::spawn_local(run(gate.clone(), turn, events, record, gate_died));
    }
}

type Events = mpsc::Receiver<TurnEvent>;

fn open(
    gate: &Rc<Gate>,
    principal: Principal,
    turn: u64,
    channel: &'static str,
    since: Instant,
) -> (Rc<OpenTurn>, Events) {
    let (inbox, events) = mpsc::channel(TURN_EVENTS);
    let key = (principal.number, turn);
    let open = Rc::new(OpenTurn { principal, turn, channel, since, inbox, watchers: RefCell::default() });
    gate.turns.open.borrow_mut().insert(key, open.clone());
    (open, events)
}

async fn run(gate: Rc<Gate>, open: Rc<OpenTurn>, events: Events, record: TurnRecord, gate_died: bool) {
    gate.note(
        "turn.began",
        &json!({
            "principal": open.principal.number,
            "turn": open.turn,
            "channel": open.channel,
            "label": record.label,
            "resumed": gate_died,
        }),
    );
    match context(&gate, &open, &record).await {
        Ok((kind, label)) => {
            let state = Turn::new(kind, record.steps, label);
            Driver::new(gate, open, events, state).run(gate_died).await;
        }
        Err(reason) => fail(&gate, &open, reason),
    }
}

/// Tells those who watch that the turn can't be gone on with now. It stays open in the journal: asked again, or at the
/// next start, it goes on.
pub fn fail(gate: &Gate, open: &OpenTurn, reason: String) {
    tracing::error!(turn = open.turn, "turn given up for now: {reason}");
    gate.turns.give_up(open);
    open.answer(&ToClient::Failed { reason, refused: false });
}

async fn context(gate: &Gate, open: &OpenTurn, record: &TurnRecord) -> Result<(Kind, Label), String> {
    if open.channel == report::TOOL {
        return Ok((Kind::Tool(report::call_in(&record.text)?), record.label));
    }
    let mut messages =
        vec![Message { speaker: Speaker::System, text: tools::INSTRUCTIONS.to_owned(), label: Label::NOTHING }];
    messages.extend(gate.memories.history(open.principal.number, open.turn).await?);
    messages.push(Message { speaker: Speaker::User, text: record.text.clone(), label: record.label });
    let label = messages.iter().fold(record.label, |label, message| label.join(message.label));
    Ok((Kind::Conversation(messages), label))
}
