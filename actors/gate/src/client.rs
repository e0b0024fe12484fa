//! A local person's connection, as the rest of the gate sees it: a queue to it, and the one request that it may have
//! open.

use std::cell::RefCell;
use std::rc::Rc;

use schema::edge::local::ToClient;

use crate::peer::Outbox;
use crate::turn::all::OpenTurn;

/// A connection.
pub struct Client {
    /// The user id that the kernel says.
    pub uid: u32,
    /// The queue to it.
    pub outbox: Outbox<ToClient>,
    request: RefCell<Request>,
}

enum Request {
    None,
    Open { cancelled: bool },
    Turn(Rc<OpenTurn>),
}

impl Client {
    /// A connection without a request.
    pub fn new(uid: u32, outbox: Outbox<ToClient>) -> Client {
        Client { uid, outbox, request: RefCell::new(Request::None) }
    }

    /// Opens a request; false when one is open already.
    pub fn open(&self) -> bool {
        let mut request = self.request.borrow_mut();
        match *request {
            Request::None => {
                *request = Request::Open { cancelled: false };
                true
            }
            Request::Open { .. } | Request::Turn(_) => false,
        }
    }

    /// The open request has become this turn. False when it has been taken back since.
    pub fn watches(&self, turn: Rc<OpenTurn>) -> bool {
        let taken_back = matches!(*self.request.borrow(), Request::Open { cancelled: true });
        *self.request.borrow_mut() = Request::Turn(turn);
        !taken_back
    }

    /// Takes the open request back.
    pub fn cancel(&self) {
        let turn = match &mut *self.request.borrow_mut() {
            Request::None => None,
            Request::Open { cancelled } => {
                *cancelled = true;
                None
            }
            Request::Turn(turn) => Some(turn.clone()),
        };
        if let Some(turn) = turn {
            turn.cancel();
        }
    }

    /// Says something about the open request. A client that does not read is ended; the turn goes on without it.
    pub fn say(&self, message: ToClient) {
        if let Err(error) = self.outbox.push(message) {
            tracing::debug!(uid = self.uid, "local client: {error}");
        }
    }

    /// Answers the open request, which ends it.
    pub fn answer(&self, message: ToClient) {
        *self.request.borrow_mut() = Request::None;
        self.say(message);
    }

    /// The open request failed, or is refused by a rule.
    pub fn fail(&self, reason: impl Into<String>, refused: bool) {
        let reason = reason.into();
        self.answer(ToClient::Failed { reason, refused });
    }
}
