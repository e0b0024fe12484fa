//! The instances of one role, by slot: who is there, who waits for one that is not there yet, who has been idle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kit::{Control, Role};
use schema::edge::control::{FromRole, Place};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use crate::limits::{EDGE_WAIT_MS, WANT_AGAIN_MS};
use crate::peer::{Peer, Weigh};

type Waiter<M> = oneshot::Sender<Result<Rc<Peer<M>>, String>>;

/// The instances of a role.
pub struct Places<M> {
    role: Role,
    control: Control,
    slots: RefCell<BTreeMap<u32, Slot<M>>>,
}

struct Slot<M> {
    peer: Option<Rc<Peer<M>>>,
    waiters: Vec<(Instant, Waiter<M>)>,
    wanted: Instant,
    used: Instant,
    /// The supervisor was told that it may be stopped.
    let_go: bool,
}

impl<M> Slot<M> {
    fn new() -> Slot<M> {
        let now = Instant::now();
        Slot { peer: None, waiters: Vec::new(), wanted: now, used: now, let_go: false }
    }
}

impl<M: Weigh + 'static> Places<M> {
    /// Nobody is there yet.
    pub fn new(role: Role, control: Control) -> Places<M> {
        Places { role, control, slots: RefCell::default() }
    }

    /// Who is in `slot` now.
    pub fn here(&self, slot: u32) -> Option<Rc<Peer<M>>> {
        let slots = self.slots.borrow();
        slots.get(&slot).and_then(|slot| slot.peer.clone())
    }

    /// Everybody.
    pub fn all(&self) -> Vec<Rc<Peer<M>>> {
        let slots = self.slots.borrow();
        slots.values().filter_map(|slot| slot.peer.clone()).collect()
    }

    /// Waits for who is in `slot`; the supervisor is asked to start it if need be. In words why, when it can't be had.
    pub async fn peer(&self, slot: u32) -> Result<Rc<Peer<M>>, String> {
        let gone = || format!("{} {slot}: the gate is stopping", self.role.name());
        let waits = {
            let mut slots = self.slots.borrow_mut();
            let state = slots.entry(slot).or_insert_with(Slot::new);
            state.used = Instant::now();
            state.let_go = false;
            if let Some(peer) = &state.peer {
                return Ok(peer.clone());
            }
            let (tell, waits) = oneshot::channel();
            state.waiters.push((Instant::now(), tell));
            state.wanted = Instant::now();
            waits
        };
        self.want(slot);
        waits.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Asks the supervisor for an instance, and waits for nothing.
    pub fn want(&self, slot: u32) {
        if let Some(state) = self.slots.borrow_mut().get_mut(&slot) {
            state.wanted = Instant::now();
        }
        self.control.tell(FromRole::Want(Place::new(self.role, slot)));
    }

    /// Somebody is there. Returns who was there before.
    pub fn arrive(&self, peer: Rc<Peer<M>>) -> Option<Rc<Peer<M>>> {
        let mut slots = self.slots.borrow_mut();
        let state = slots.entry(peer.who.slot).or_insert_with(Slot::new);
        for (_, waiter) in state.waiters.drain(..) {
            // Fails when whoever waited has given up.
            let _ = waiter.send(Ok(peer.clone()));
        }
        state.used = Instant::now();
        state.peer.replace(peer)
    }

    /// They are gone, unless somebody else is in their place already.
    pub fn leave(&self, peer: &Rc<Peer<M>>) {
        let mut slots = self.slots.borrow_mut();
        if let Some(state) = slots.get_mut(&peer.who.slot)
            && state.peer.as_ref().is_some_and(|here| Rc::ptr_eq(here, peer))
        {
            state.peer = None;
        }
    }

    /// The supervisor says that `slot` can't be filled.
    pub fn unavailable(&self, slot: u32, reason: &str) {
        let waiters = match self.slots.borrow_mut().get_mut(&slot) {
            Some(state) => std::mem::take(&mut state.waiters),
            None => Vec::new(),
        };
        for (_, waiter) in waiters {
            let _ = waiter.send(Err(format!("{} {slot} can't be started: {reason}", self.role.name())));
        }
    }

    /// Looks at deadlines: asks again for what is waited for, gives up on what is waited for too long, and lets go of
    /// what has been idle for `idle`. `in_use` says for a slot whether anybody works with it.
    pub fn tick(&self, idle: Duration, in_use: impl Fn(u32) -> bool) {
        let now = Instant::now();
        let (mut again, mut unwanted) = (Vec::new(), Vec::new());
        for (number, state) in self.slots.borrow_mut().iter_mut() {
            let late = Duration::from_millis(EDGE_WAIT_MS);
            for (_, waiter) in state.waiters.extract_if(.., |(since, _)| now - *since > late) {
                let reason = format!(
                    "{} {number} did not start within {} s: `chela status` says why",
                    self.role.name(),
                    EDGE_WAIT_MS / 1000
                );
                let _ = waiter.send(Err(reason));
            }
            if !state.waiters.is_empty() && now - state.wanted > Duration::from_millis(WANT_AGAIN_MS) {
                again.push(*number);
            }
            if in_use(*number) {
                state.used = now;
            } else if state.peer.is_some() && !state.let_go && now - state.used > idle {
                state.let_go = true;
                unwanted.push(*number);
            }
        }
        again.into_iter().for_each(|slot| self.want(slot));
        for slot in unwanted {
            self.control.tell(FromRole::Unwant(Place::new(self.role, slot)));
        }
    }
}
