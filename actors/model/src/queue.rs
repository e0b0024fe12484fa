//! Which completion is computed, which wait, and which are refused. Pure: one step in, what to do out.

use std::collections::VecDeque;

use crate::engine::Request;
use crate::limits::QUEUE_MAX;

/// A numbered request.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// The number that the gate gave it.
    pub number: u64,
    /// What is asked.
    pub request: Request,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The gate asks for a completion.
    Asked(Job),
    /// The gate wants that one no more.
    Cancelled(u64),
    /// The one that was computed is done.
    Finished,
}

/// What to do now.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Compute this one.
    Compute(Job),
    /// Stop the one that is computed.
    Stop,
    /// Say that this one was cancelled before it began.
    SayCancelled(u64),
    /// Say that this one is refused, since too many wait.
    SayFull(u64),
    /// The gate used a number twice: end the edge.
    EndPeer(u64),
}

/// The completions of this process.
#[derive(Default, Debug)]
pub struct Queue {
    computing: Option<u64>,
    waiting: VecDeque<Job>,
}

impl Queue {
    /// Whether anything is computed or waits.
    pub fn is_idle(&self) -> bool {
        self.computing.is_none() && self.waiting.is_empty()
    }

    /// Whether one is computed.
    pub fn is_computing(&self) -> bool {
        self.computing.is_some()
    }

    /// One step.
    pub fn step(&mut self, event: Event) -> Action {
        match event {
            Event::Asked(job) if self.knows(job.number) => Action::EndPeer(job.number),
            Event::Asked(job) if self.computing.is_none() => self.begin(job),
            Event::Asked(job) if self.waiting.len() >= QUEUE_MAX => Action::SayFull(job.number),
            Event::Asked(job) => {
                self.waiting.push_back(job);
                Action::Nothing
            }
            Event::Cancelled(number) if self.computing == Some(number) => Action::Stop,
            Event::Cancelled(number) => {
                let before = self.waiting.len();
                self.waiting.retain(|job| job.number != number);
                // A number that is not here finished while the cancellation was under way.
                if self.waiting.len() < before { Action::SayCancelled(number) } else { Action::Nothing }
            }
            Event::Finished => {
                self.computing = None;
                match self.waiting.pop_front() {
                    Some(job) => self.begin(job),
                    None => Action::Nothing,
                }
            }
        }
    }

    fn knows(&self, number: u64) -> bool {
        self.computing == Some(number) || self.waiting.iter().any(|job| job.number == number)
    }

    fn begin(&mut self, job: Job) -> Action {
        self.computing = Some(job.number);
        Action::Compute(job)
    }
}

#[cfg(test)]
mod tests {
    use schema::talk::CallMode;

    use super::*;
    use crate::sample::Choice;

    fn job(number: u64) -> Job {
        let request =
            Request { messages: vec![], tools: vec![], call: CallMode::Never, tokens_max: 1, words: Choice::WORDS };
        Job { number, request }
    }

    #[test]
    fn one_is_computed_and_the_others_follow_in_order() {
        let mut queue = Queue::default();
        assert_eq!(queue.step(Event::Asked(job(1))), Action::Compute(job(1)));
        assert_eq!(queue.step(Event::Asked(job(2))), Action::Nothing);
        assert_eq!(queue.step(Event::Asked(job(3))), Action::Nothing);
        assert_eq!(queue.step(Event::Finished), Action::Compute(job(2)));
        assert_eq!(queue.step(Event::Finished), Action::Compute(job(3)));
        assert!(!queue.is_idle());
        assert_eq!(queue.step(Event::Finished), Action::Nothing);
        assert!(queue.is_idle());
    }

    #[test]
    fn cancelling_stops_the_running_one_and_drops_a_waiting_one() {
        let mut queue = Queue::default();
        queue.step(Event::Asked(job(1)));
        queue.step(Event::Asked(job(2)));
        assert_eq!(queue.step(Event::Cancelled(2)), Action::SayCancelled(2));
        assert_eq!(queue.step(Event::Cancelled(1)), Action::Stop);
        assert_eq!(queue.step(Event::Finished), Action::Nothing);
        assert_eq!(queue.step(Event::Cancelled(1)), Action::Nothing);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut queue = Queue::default();
        for number in 0..=QUEUE_MAX as u64 {
            assert!(!matches!(queue.step(Event::Asked(job(number))), Action::SayFull(_)));
        }
        assert_eq!(queue.step(Event::Asked(job(99))), Action::SayFull(99));
    }

    #[test]
    fn a_number_used_twice_ends_the_peer() {
        let mut queue = Queue::default();
        queue.step(Event::Asked(job(1)));
        queue.step(Event::Asked(job(2)));
        assert_eq!(queue.step(Event::Asked(job(1))), Action::EndPeer(1));
        assert_eq!(queue.step(Event::Asked(job(2))), Action::EndPeer(2));
    }
}
