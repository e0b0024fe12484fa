//! Admitted calls: each goes to the executor of its principal, once, and what the executor says of it to the turn.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::{Control, Role};
use schema::edge::executor::{FromExecutor, ToExecutor};
use schema::effects::Standing;
use schema::label::Label;
use schema::limits::{OUTPUT_KEPT_BYTES, OUTPUT_STREAMED_BYTES};
use schema::tool::{Admitted, Settled, ToolOutcome};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Duration, Instant};

use crate::audit::now_ms;
use crate::effects::Settlement;
use crate::events::{ToolSaid, TurnEvent};
use crate::limits::{COMMAND_TIMEOUT_MS, REHEARSALS_AGAIN_MAX, TOOL_GRACE_MS};
use crate::peer::Peer;
use crate::places::Places;

/// The executors.
pub struct Executors {
    /// Who is there.
    pub places: Places<ToExecutor>,
    open: RefCell<BTreeMap<u64, Open>>,
}

struct Open {
    slot: u32,
    turn: mpsc::Sender<TurnEvent>,
    /// How long one rehearsal of it may take.
    wall: Duration,
    late: Instant,
    /// How often it was rehearsed again.
    again: u32,
    streamed_bytes: usize,
    cancelled: bool,
    /// What the gate has decided on what it changes.
    settlement: Option<Settlement>,
    /// Its outcome, until what it changes is settled.
    outcome: Option<ToolOutcome>,
    /// The turn's label.
    label: Label,
    /// What it writes comes from what it reads.
    writes_what_it_reads: bool,
    written: Rc<Written>,
}

/// Whether the decision on an action is on the disk: what the action did becomes real only then.
#[derive(Debug, Default)]
pub struct Written {
    is: Cell<Option<bool>>,
    known: Notify,
}

impl Written {
    /// It is, or it can't be.
    pub fn set(&self, is: bool) {
        if self.is.get().is_none() {
            self.is.set(Some(is));
            self.known.notify_one();
        }
    }

    async fn wait(&self) -> bool {
        loop {
            match self.is.get() {
                Some(is) => return is,
                None => self.known.notified().await,
            }
        }
    }
}

/// Says, at the latest when it goes, whether the decision is on the disk.
pub struct Writing(Rc<Written>);

impl Writing {
    /// It is.
    pub fn done(self) {
        self.0.set(true);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Executors {
    /// Nobody is there yet.
    pub fn new(control: Control) -> Executors {
        Executors { places: Places::new(Role::Executor, control), open: RefCell::default() }
    }

    /// Sends an action to `peer`; what comes of it goes to `turn`. What it changes waits for the returned word.
    pub fn run(
        &self,
        peer: &Rc<Peer<ToExecutor>>,
        action: u64,
        (call, label): (Admitted, Label),
        turn: mpsc::Sender<TurnEvent>,
    ) -> Writing {
        let written = Rc::new(Written::default());
        let wall_ms = match &call {
            Admitted::RunCommand { timeout_ms, .. } => *timeout_ms,
            Admitted::ReadFile { .. }
            | Admitted::GetFile { .. }
            | Admitted::SearchFiles { .. }
            | Admitted::WriteFile { .. }
            | Admitted::PutFile { .. }
            | Admitted::EditFile { .. }
            | Admitted::Move { .. }
            | Admitted::Delete { .. }
            | Admitted::MakeDirectory { .. }
            | Admitted::ListFiles { .. }
            | Admitted::Undo { .. }
            // It has begun by then, or a poll has waited as long as it may.
            | Admitted::Start { .. }
            | Admitted::Poll { .. }
            | Admitted::Input { .. }
            | Admitted::Stop { .. } => COMMAND_TIMEOUT_MS,
        };
        let wall = Duration::from_millis(u64::from(wall_ms) + TOOL_GRACE_MS);
        let open = Open {
            slot: peer.who.slot,
            turn,
            wall,
            late: Instant::now() + wall,
            again: 0,
            streamed_bytes: 0,
            cancelled: false,
            settlement: None,
            outcome: None,
            label,
            writes_what_it_reads: call.writes_what_it_reads(),
            written: written.clone(),
        };
        self.open.borrow_mut().insert(action, open);
        // One that takes nothing is ended, and its end is told to the turn.
        let _ = peer.outbox.push(ToExecutor::Run { action, call, label });
        Writing(written)
    }

    /// Waits until the decision on an action is on the disk; false when it can't be.
    pub async fn is_written(&self, action: u64) -> bool {
        let written = self.open.borrow().get(&action).map(|open| open.written.clone());
        match written {
            Some(written) => written.wait().await,
            None => false,
        }
    }

    /// What is to become of what an action changes: said to its executor once its outcome has been heard.
    pub fn settle(&self, action: u64, settlement: Settlement) {
        if let Some(open) = self.open.borrow_mut().get_mut(&action) {
            open.settlement = Some(settlement);
        }
    }

    /// Asks for the end of an action; its outcome follows.
    pub fn cancel(&self, action: u64) {
        let mut all = self.open.borrow_mut();
        let Some(open) = all.get_mut(&action).filter(|open| !open.cancelled) else {
            return;
        };
        open.cancelled = true;
        open.late = open.late.min(Instant::now() + Duration::from_millis(TOOL_GRACE_MS));
        if let Some(peer) = self.places.here(open.slot) {
            let _ = peer.outbox.push(ToExecutor::Cancel { action });
        }
    }

    /// An action is rehearsed again, which takes its time again.
    pub fn again(&self, peer: &Rc<Peer<ToExecutor>>, action: u64) -> Result<(), String> {
        let mut all = self.open.borrow_mut();
        let open = all.get_mut(&action).filter(|open| open.slot == peer.who.slot);
        let open = open.ok_or("a word on an action that is not open")?;
        open.again += 1;
        if open.again > REHEARSALS_AGAIN_MAX {
            return Err("an action that is rehearsed again and again".to_owned());
        }
        if !open.cancelled {
            open.late = Instant::now() + open.wall;
        }
        (open.settlement, open.outcome) = (None, None);
        Ok(())
    }

    /// What an executor says: of an action that is open at it, within the limits; in words what is wrong otherwise.
    pub async fn hear(&self, peer: &Rc<Peer<ToExecutor>>, said: FromExecutor) -> Result<(), String> {
        let slot = peer.who.slot;
        let (action, said) = match said {
            FromExecutor::Output { action, from_stderr, bytes } => (action, ToolSaid::Output { from_stderr, bytes }),
            FromExecutor::Finished { action, outcome } => match self.finished(peer, action, within_limits(outcome)?)? {
                Some(outcome) => (action, ToolSaid::Ended(Box::new(outcome))),
                None => return Ok(()),
            },
            FromExecutor::UndoPreviewed { .. } | FromExecutor::Uploaded { .. } => {
                return Err("an answer to no question about an action".to_owned());
            }
            FromExecutor::Settled { action, standing } => {
                (action, ToolSaid::Ended(Box::new(self.settled(action, standing)?)))
            }
            FromExecutor::Again { action } => return self.again(peer, action),
            FromExecutor::Background { .. } | FromExecutor::Ended { .. } => {
                return Err("a command in the background is no turn's".to_owned());
            }
        };
        let turn = {
            let mut all = self.open.borrow_mut();
            let open = all.get_mut(&action).filter(|open| open.slot == slot);
            let Some(open) = open else {
                return Err("a word on an action that is not open".to_owned());
            };
            let turn = open.turn.clone();
            match &said {
                ToolSaid::Output { bytes, .. } => {
                    open.streamed_bytes = open.streamed_bytes.saturating_add(bytes.len());
                    if open.streamed_bytes > OUTPUT_STREAMED_BYTES {
                        return Err("more output of one action than may be streamed".to_owned());
                    }
                }
                ToolSaid::Ended(_) | ToolSaid::Gone => {
                    all.remove(&action);
                }
            }
            turn
        };
        // Fails when the turn is over.
        let _ = turn.send(TurnEvent::Tool { action, said }).await;
        Ok(())
    }

    /// An outcome whose effects are to be settled is held until they are.
    fn finished(
        &self,
        peer: &Rc<Peer<ToExecutor>>,
        action: u64,
        outcome: ToolOutcome,
    ) -> Result<Option<ToolOutcome>, String> {
        if outcome.standing != Standing::Staged {
            let settled = Settled { ended_at_ms: now_ms(), ..Settled::default() };
            return Ok(Some(ToolOutcome { settled, ..outcome }));
        }
        let mut all = self.open.borrow_mut();
        let open = all.get_mut(&action).filter(|open| open.slot == peer.who.slot);
        let open = open.ok_or("an end of an action that is not open")?;
        let commit = open.settlement.as_ref().is_some_and(|settlement| settlement.commit);
        let word = open.settlement.as_ref().map(|settlement| (settlement.rule.clone(), settlement.reason.clone()));
        let (rule, reason) = word.unwrap_or_default();
        let settled = Settled { ended_at_ms: now_ms(), rule: rule.to_owned(), reason: reason.to_owned() };
        let label = if open.writes_what_it_reads { open.label.join(outcome.reads) } else { open.label };
        open.outcome = Some(ToolOutcome { settled, wrote: commit.then_some(label), ..outcome });
        // One that takes nothing is ended, and its end is told to the turn.
        let _ = peer.outbox.push(ToExecutor::Settle { action, commit, label });
        Ok(None)
    }

    fn settled(&self, action: u64, standing: Standing) -> Result<ToolOutcome, String> {
        let mut all = self.open.borrow_mut();
        let open = all.get_mut(&action).ok_or("a settlement of an action that is not open")?;
        let outcome = open.outcome.take().ok_or("a settlement that nobody asked for")?;
        let standing = match (standing, &open.settlement) {
            (Standing::Staged, _) => return Err("a settlement that settles nothing".to_owned()),
            // The gate's own reason says more.
            (Standing::Discarded { .. }, Some(settlement)) if !settlement.commit => {
                Standing::Discarded { reason: settlement.reason.clone() }
            }
            (standing, _) => standing,
        };
        let wrote = outcome.wrote.filter(|_| standing == Standing::Committed);
        Ok(ToolOutcome { standing, wrote, ..outcome })
    }

    /// An instance is gone: the actions that it had are told.
    pub async fn leave(&self, peer: &Rc<Peer<ToExecutor>>) {
        let slot = peer.who.slot;
        self.places.leave(peer);
        let lost: Vec<(u64, Open)> = self.open.borrow_mut().extract_if(.., |_, open| open.slot == slot).collect();
        for (action, open) in lost {
            let said = ToolSaid::Gone;
            let _ = open.turn.send(TurnEvent::Tool { action, said }).await;
        }
    }

    /// Whether this gate waits for that action.
    pub fn is_open(&self, action: u64) -> bool {
        self.open.borrow().contains_key(&action)
    }

    /// Whether an action is open in `slot`.
    pub fn is_busy(&self, slot: u32) -> bool {
        self.open.borrow().values().any(|open| open.slot == slot)
    }

    /// Looks at deadlines. Returns those who let an action run far beyond its limit.
    pub fn tick(&self, idle: Duration, in_use: impl Fn(u32) -> bool) -> Vec<Rc<Peer<ToExecutor>>> {
        let now = Instant::now();
        let late = self.open.borrow();
        let late = late.values().filter(|open| now > open.late);
        let late = late.filter_map(|open| self.places.here(open.slot)).collect();
        self.places.tick(idle, |slot| in_use(slot) || self.is_busy(slot));
        late
    }
}

fn within_limits(outcome: ToolOutcome) -> Result<ToolOutcome, String> {
    if outcome.stdout.len() > OUTPUT_KEPT_BYTES || outcome.stderr.len() > OUTPUT_KEPT_BYTES {
        return Err("a result beyond its limit".to_owned());
    }
    Ok(outcome)
}
