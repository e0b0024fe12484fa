//! Brains: spares that wait for a turn, turns that wait for a spare. A brain serves one turn and is never used again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use roles::launch::Instance;
use schema::edge::brain::{FromBrain, ToBrain};
use tokio::sync::{mpsc, oneshot};

use crate::events::TurnEvent;
use crate::limits::TURNS_WAITING_MAX;
use crate::peer::Peer;

/// A brain, and the turn that it serves.
pub struct Brain {
    /// The peer.
    pub peer: Rc<Peer<ToBrain>>,
    turn: RefCell<Option<mpsc::Sender<TurnEvent>>>,
}

impl Brain {
    /// A fresh spare.
    pub fn new(peer: Rc<Peer<ToBrain>>) -> Brain {
        Brain { peer, turn: RefCell::default() }
    }

    /// Who it is.
    pub fn who(&self) -> Instance {
        self.peer.who
    }

    /// From here on, what it says goes to that turn.
    pub fn give(&self, turn: mpsc::Sender<TurnEvent>) {
        *self.turn.borrow_mut() = Some(turn);
    }

    /// What it says; only one that has a turn may say anything.
    pub async fn hear(&self, said: FromBrain) -> Result<(), String> {
        let turn = self.turn.borrow().clone();
        let Some(turn) = turn else {
            return Err("a word before it was given a turn".to_owned());
        };
        let number = self.who().number;
        // Fails when the turn is over, which ends this brain too.
        let _ = turn.send(TurnEvent::Brain { number, said }).await;
        Ok(())
    }

    /// It is gone: its turn is told.
    pub async fn leave(&self) {
        let turn = self.turn.borrow_mut().take();
        if let Some(turn) = turn {
            let number = self.who().number;
            let _ = turn.send(TurnEvent::BrainGone { number }).await;
        }
    }
}

/// All brains.
#[derive(Default)]
pub struct Brains {
    idle: RefCell<VecDeque<Rc<Brain>>>,
    waiting: RefCell<VecDeque<oneshot::Sender<Rc<Brain>>>>,
}

impl Brains {
    /// A brain for a turn, now or as soon as there is one; `None` when too many turns wait already.
    pub fn take(&self) -> Option<oneshot::Receiver<Rc<Brain>>> {
        let (give, wait) = oneshot::channel();
        while let Some(brain) = self.idle.borrow_mut().pop_front() {
            if !brain.peer.outbox.has_ended() {
                let _ = give.send(brain);
                return Some(wait);
            }
        }
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|turn| !turn.is_closed());
        if waiting.len() >= TURNS_WAITING_MAX {
            return None;
        }
        waiting.push_back(give);
        Some(wait)
    }

    /// A fresh spare is there.
    pub fn arrive(&self, brain: Rc<Brain>) {
        let mut brain = brain;
        while let Some(turn) = self.waiting.borrow_mut().pop_front() {
            match turn.send(brain) {
                Ok(()) => return,
                // That turn has given up.
                Err(back) => brain = back,
            }
        }
        self.idle.borrow_mut().push_back(brain);
    }

    /// A spare is gone.
    pub fn leave(&self, brain: &Rc<Brain>) {
        self.idle.borrow_mut().retain(|idle| !Rc::ptr_eq(idle, brain));
    }

    /// The spares.
    pub fn spares(&self) -> Vec<Rc<Brain>> {
        self.idle.borrow().iter().cloned().collect()
    }

    /// Turns that wait for a brain.
    pub fn waiting(&self) -> usize {
        self.waiting.borrow().iter().filter(|turn| !turn.is_closed()).count()
    }
}
