//! Questions to executors that are no action, and wait for their answers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::limits::QUESTIONS_MAX;

/// Those of one kind, answered by a `T`.
pub struct Questions<T> {
    next: Cell<u64>,
    open: RefCell<BTreeMap<u64, (u32, oneshot::Sender<T>)>>,
}

impl<T> Default for Questions<T> {
    fn default() -> Questions<T> {
        Questions { next: Cell::new(0), open: RefCell::default() }
    }
}

impl<T> Questions<T> {
    /// One to the executor of `slot`: its number, and where its answer comes. In words why not, when too many wait.
    pub fn start(&self, slot: u32) -> Result<(u64, oneshot::Receiver<T>), String> {
        let mut open = self.open.borrow_mut();
        if open.len() >= QUESTIONS_MAX {
            return Err("too many such questions wait for an answer: ask again soon".to_owned());
        }
        let request = self.next.get();
        self.next.set(request + 1);
        let (tell, told) = oneshot::channel();
        open.insert(request, (slot, tell));
        Ok((request, told))
    }

    /// An executor's answer; in words what is wrong with it.
    pub fn hear(&self, slot: u32, request: u64, answer: T) -> Result<(), String> {
        let mut open = self.open.borrow_mut();
        match open.remove(&request) {
            Some((of, tell)) if of == slot => {
                // Fails when whoever asked has gone.
                let _ = tell.send(answer);
                Ok(())
            }
            other => {
                if let Some(other) = other {
                    open.insert(request, other);
                }
                Err("an answer to no question of its own".to_owned())
            }
        }
    }

    /// The executor of `slot` is gone: who waits for it hears so.
    pub fn leave(&self, slot: u32) {
        self.open.borrow_mut().retain(|_, (of, _)| *of != slot);
    }

    /// Whether an answer is due from `slot`.
    pub fn is_busy(&self, slot: u32) -> bool {
        self.open.borrow().values().any(|(of, _)| *of == slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_answers_for_another_and_nobody_waits_for_who_is_gone() {
        let questions = Questions::default();
        let (first, mut told) = questions.start(1).unwrap();
        let (second, mut lost) = questions.start(2).unwrap();
        let answer = || "x";
        assert!(questions.hear(2, first, answer()).is_err(), "slot 2 was not asked that");
        assert!(questions.hear(1, 99, answer()).is_err());
        assert!(questions.hear(1, first, answer()).is_ok() && told.try_recv().is_ok());
        assert!(questions.hear(1, first, answer()).is_err(), "once");
        assert!(questions.is_busy(2));
        questions.leave(2);
        assert!(lost.try_recv().is_err() && questions.hear(2, second, answer()).is_err());
        for _ in 0..QUESTIONS_MAX {
            assert!(questions.start(3).is_ok());
        }
        assert!(questions.start(3).is_err());
    }
}
