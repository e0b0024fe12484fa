//! When the supervisor is started again: at once, then ever later, until it has lived a while.

use crate::limits::{RESTART_CLEARS_AFTER_MS, RESTART_DELAY_MAX_MS, RESTART_DELAY_MS};

/// Deaths in a row.
#[derive(Default)]
pub struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// Milliseconds to wait after a death that ended `lived_ms` of life.
    pub fn after(&mut self, lived_ms: u64) -> u64 {
        if lived_ms >= RESTART_CLEARS_AFTER_MS {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        match self.deaths {
            1 => 0,
            deaths => (RESTART_DELAY_MS << (deaths - 2).min(16)).min(RESTART_DELAY_MAX_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_at_once_then_doubling_to_a_limit() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..10).map(|_| backoff.after(5)).collect();
        assert_eq!(waits, [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        for _ in 0..100 {
            assert_eq!(backoff.after(5), 5000);
        }
    }

    #[test]
    fn a_long_life_clears_the_count() {
        let mut backoff = Backoff::default();
        backoff.after(0);
        backoff.after(0);
        assert_eq!(backoff.after(RESTART_CLEARS_AFTER_MS), 0);
    }
}
