//! Completions: each goes to the model of the turn's principal, and what the model says of it to the turn.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use kit::{Control, Role};
use schema::edge::model::{FromModel, ToModel};
use schema::limits::{ARGUMENTS_BYTES, COMPLETION_TOKENS, NAME_BYTES};
use schema::talk::{CallMode, Completion, Message};
use schema::tool::ToolSpec;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use crate::events::{ModelSaid, TurnEvent};
use crate::limits::{COMPLETION_BYTES_MAX, COMPLETION_MS};
use crate::peer::Peer;
use crate::places::Places;

/// The models.
pub struct Models {
    /// Who is there.
    pub places: Places<ToModel>,
    next: Cell<u64>,
    open: RefCell<BTreeMap<u64, Open>>,
    /// Cancelled ones that the model has yet to close, by slot.
    cancelled: RefCell<BTreeSet<(u32, u64)>>,
}

struct Open {
    slot: u32,
    turn: mpsc::Sender<TurnEvent>,
    since: Instant,
    streamed_bytes: usize,
    /// The model has it.
    sent: bool,
}

impl Models {
    /// Nobody is there yet.
    pub fn new(control: Control) -> Models {
        Models {
            places: Places::new(Role::Model, control),
            next: Cell::new(1),
            open: RefCell::default(),
            cancelled: RefCell::default(),
        }
    }

    /// Asks the model in `slot` for a completion; what comes of it goes to `turn` under the number returned.
    pub fn complete(
        self: &Rc<Models>,
        slot: u32,
        messages: Vec<Message>,
        tools: Vec<ToolSpec>,
        call: CallMode,
        turn: mpsc::Sender<TurnEvent>,
    ) -> u64 {
        let request = self.next.get();
        self.next.set(request + 1);
        let open = Open { slot, turn: turn.clone(), since: Instant::now(), streamed_bytes: 0, sent: false };
        self.open.borrow_mut().insert(request, open);
        let ask = ToModel::Complete { request, messages, tools, call, tokens_max: COMPLETION_TOKENS };
        let models = self.clone();
        tokio::task::spawn_local(async move {
            match models.places.peer(slot).await {
                Ok(peer) => models.send(&peer, request, ask),
                Err(reason) => {
                    if models.open.borrow_mut().remove(&request).is_some() {
                        tell(&turn, request, ModelSaid::Failed(reason)).await;
                    }
                }
            }
        });
        request
    }

    fn send(&self, peer: &Rc<Peer<ToModel>>, request: u64, ask: ToModel) {
        let mut open = self.open.borrow_mut();
        // Cancelled in the meantime if it is not open any more.
        let Some(open) = open.get_mut(&request) else { return };
        open.sent = true;
        open.since = Instant::now();
        // One that takes nothing is ended, and its end is told to the turn.
        let _ = peer.outbox.push(ask);
    }

    /// The turn does not want it any more.
    pub fn cancel(&self, request: u64) {
        let Some(open) = self.open.borrow_mut().remove(&request) else {
            return;
        };
        if open.sent
            && let Some(peer) = self.places.here(open.slot)
            && peer.outbox.push(ToModel::Cancel { request }).is_ok()
        {
            self.cancelled.borrow_mut().insert((open.slot, request));
        }
    }

    /// What a model says: of a completion that is open at it, within the limits; in words what is wrong otherwise.
    pub async fn hear(&self, peer: &Rc<Peer<ToModel>>, said: FromModel) -> Result<(), String> {
        let slot = peer.who.slot;
        let (request, said) = match said {
            FromModel::Token { request, text } => (request, ModelSaid::Token(text)),
            FromModel::Completed { request, completion } => (request, ModelSaid::Completed(within_limits(completion)?)),
            FromModel::Failed { request, reason } => (request, ModelSaid::Failed(clipped(reason))),
        };
        let is_last = !matches!(said, ModelSaid::Token(_));
        let cancelled = self.cancelled.borrow().contains(&(slot, request));
        if cancelled {
            if is_last {
                self.cancelled.borrow_mut().remove(&(slot, request));
            }
            return Ok(());
        }
        let turn = {
            let mut all = self.open.borrow_mut();
            let open = all.get_mut(&request).filter(|open| open.sent && open.slot == slot);
            let Some(open) = open else {
                return Err("a word on a completion that is not open".to_owned());
            };
            if let ModelSaid::Token(text) = &said {
                open.streamed_bytes += text.len();
                if open.streamed_bytes > COMPLETION_BYTES_MAX {
                    return Err("a completion beyond its limit".to_owned());
                }
            }
            let turn = open.turn.clone();
            if is_last {
                all.remove(&request);
            }
            turn
        };
        tell(&turn, request, said).await;
        Ok(())
    }

    /// An instance is gone: the completions that it had are told.
    pub async fn leave(&self, peer: &Rc<Peer<ToModel>>) {
        let slot = peer.who.slot;
        self.places.leave(peer);
        self.cancelled.borrow_mut().retain(|(at, _)| *at != slot);
        let lost: Vec<(u64, Open)> =
            self.open.borrow_mut().extract_if(.., |_, open| open.slot == slot && open.sent).collect();
        for (request, open) in lost {
            tell(&open.turn, request, ModelSaid::Gone).await;
        }
    }

    /// Whether a completion is open in `slot`.
    pub fn is_busy(&self, slot: u32) -> bool {
        self.open.borrow().values().any(|open| open.slot == slot)
    }

    /// Looks at deadlines. Returns those who took too long over a completion.
    pub fn tick(&self, idle: Duration, in_use: impl Fn(u32) -> bool) -> Vec<Rc<Peer<ToModel>>> {
        let late = Duration::from_millis(COMPLETION_MS);
        let slots: BTreeSet<u32> = self
            .open
            .borrow()
            .values()
            .filter(|open| open.sent && open.since.elapsed() > late)
            .map(|open| open.slot)
            .collect();
        self.places.tick(idle, |slot| in_use(slot) || self.is_busy(slot));
        slots.into_iter().filter_map(|slot| self.places.here(slot)).collect()
    }
}

async fn tell(turn: &mpsc::Sender<TurnEvent>, request: u64, said: ModelSaid) {
    // Fails when the turn is over.
    let _ = turn.send(TurnEvent::Model { request, said }).await;
}

fn within_limits(completion: Completion) -> Result<Completion, String> {
    let call = completion.call.as_ref();
    let call_fits = call.is_none_or(|call| call.name.len() <= NAME_BYTES && call.arguments.len() <= ARGUMENTS_BYTES);
    if completion.text.len() > COMPLETION_BYTES_MAX || !call_fits {
        return Err("a completion beyond its limit".to_owned());
    }
    Ok(completion)
}

fn clipped(reason: String) -> String {
    reason.chars().take(1024).collect()
}
