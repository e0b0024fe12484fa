//! Unit tests of `src/backoff.rs`.

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
