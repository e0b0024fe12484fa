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
#[path = "../tests/unit/backoff.rs"]
mod tests;
