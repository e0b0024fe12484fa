//! How many threads to compute with. Pure.
//!
//! The engine's threads wait for each other hundreds of times a token, spinning. With a processor each that is the
//! fastest way; when other programs use the processors, it is slower than one thread alone by a factor of a hundred. So
//! both are timed, and the faster one is used.

use std::time::Duration;

/// Times of this many tokens are looked at before a judgement.
const TRIAL_TOKENS: u32 = 2;
/// Tokens with one thread before several are tried again.
const ALONE_TOKENS: u32 = 24;

/// Which way is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threads {
    /// All of them.
    All,
    /// One.
    One,
}

/// Chooses between them as times come in.
#[derive(Debug)]
pub struct Pace {
    now: Threads,
    /// The last trial of all threads was slower than one.
    busy: bool,
    left: u32,
    /// The best time of the current trial.
    trial: Option<Duration>,
    /// The best time of one thread, lately.
    one: Option<Duration>,
}

impl Default for Pace {
    /// Begins with one thread, for a single token, to have something to compare with.
    fn default() -> Pace {
        Pace { now: Threads::One, busy: false, left: 1, trial: None, one: None }
    }
}

impl Pace {
    /// How to compute the next token.
    pub fn writing(&self) -> Threads {
        self.now
    }

    /// How to read a batch of tokens.
    pub fn reading(&self) -> Threads {
        if self.busy { Threads::One } else { Threads::All }
    }

    /// A token took this long.
    pub fn took(&mut self, time: Duration) {
        self.trial = Some(self.trial.map_or(time, |best| best.min(time)));
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return;
        }
        let trial = self.trial.take().unwrap_or(time);
        let slow = match self.now {
            Threads::One => {
                self.one = Some(trial);
                false
            }
            Threads::All => self.one.is_some_and(|one| trial > one),
        };
        self.busy = slow;
        self.now = if slow { Threads::One } else { Threads::All };
        self.left = if slow { ALONE_TOKENS } else { TRIAL_TOKENS };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pace: &mut Pace, tokens: u32, all_ms: u64, one_ms: u64) -> u32 {
        let mut with_all = 0;
        for _ in 0..tokens {
            let ms = match pace.writing() {
                Threads::All => all_ms,
                Threads::One => one_ms,
            };
            with_all += u32::from(pace.writing() == Threads::All);
            pace.took(Duration::from_millis(ms));
        }
        with_all
    }

    #[test]
    fn on_a_quiet_machine_all_threads_are_used() {
        assert_eq!(run(&mut Pace::default(), 1000, 7, 13), 999);
    }

    #[test]
    fn on_a_busy_machine_one_thread_is_used_and_the_others_are_tried_now_and_then() {
        let with_all = run(&mut Pace::default(), 1000, 2000, 15);
        assert!((50..=100).contains(&with_all), "{with_all} of 1000 tokens with all threads");
    }

    #[test]
    fn it_goes_back_to_all_threads_when_the_machine_is_quiet_again() {
        let mut pace = Pace::default();
        run(&mut pace, 100, 2000, 15);
        run(&mut pace, 60, 7, 13);
        assert_eq!(run(&mut pace, 100, 7, 13), 100);
    }

    #[test]
    fn one_slow_token_changes_nothing() {
        let mut pace = Pace::default();
        run(&mut pace, 2, 7, 13);
        pace.took(Duration::from_millis(900));
        assert_eq!(run(&mut pace, 50, 7, 13), 50);
    }
}
