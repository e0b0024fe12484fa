//! When a failed instance is started again: at once the first time, then ever later, with jitter so that what failed
//! together does not come back together.

use crate::limits::{DELAY_MAX_MS, DELAY_MIN_MS};

/// A small generator of numbers that need not be secret (splitmix64).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator; the same seed gives the same numbers.
    pub fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high.saturating_sub(low) + 1)
    }
}

/// Milliseconds to wait before the restart after the `failures`th failure in a row.
pub fn delay_ms(failures: u32, jitter: &mut Jitter) -> u64 {
    let Some(doublings) = failures.checked_sub(2) else { return 0 };
    let most = (DELAY_MIN_MS << doublings.min(16)).min(DELAY_MAX_MS);
    jitter.between((most / 2).max(DELAY_MIN_MS), most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_restart_is_at_once() {
        let mut jitter = Jitter::new(1);
        assert_eq!(delay_ms(0, &mut jitter), 0);
        assert_eq!(delay_ms(1, &mut jitter), 0);
        assert_eq!(delay_ms(2, &mut jitter), DELAY_MIN_MS);
    }

    proptest! {
        #[test]
        fn delays_stay_in_their_bounds_and_grow(seed: u64, failures in 2u32..200) {
            let mut jitter = Jitter::new(seed);
            let delay = delay_ms(failures, &mut jitter);
            prop_assert!((DELAY_MIN_MS..=DELAY_MAX_MS).contains(&delay));
            // Half of one step's longest is the next one's shortest, so a later one is never shorter.
            prop_assert!(delay_ms(failures + 1, &mut jitter) >= delay || delay * 2 > DELAY_MAX_MS);
        }

        #[test]
        fn the_same_seed_gives_the_same_delays(seed: u64, failures in 2u32..20) {
            prop_assert_eq!(delay_ms(failures, &mut Jitter::new(seed)), delay_ms(failures, &mut Jitter::new(seed)));
        }
    }

    #[test]
    fn what_failed_together_comes_back_apart() {
        let delays: std::collections::BTreeSet<u64> = (0..20).map(|seed| delay_ms(8, &mut Jitter::new(seed))).collect();
        assert!(delays.len() > 15, "{delays:?}");
    }
}
