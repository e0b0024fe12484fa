//! How much of what the engine has read already can stay.

/// Number of leading tokens of `prompt` that need not be read again when `read` is what the engine holds. At least one
/// token is always read, since the next one is predicted from it.
pub fn reusable(read: &[i32], prompt: &[i32]) -> usize {
    let same = read.iter().zip(prompt).take_while(|(a, b)| a == b).count();
    same.min(prompt.len().saturating_sub(1))
}

/// The context to have, in tokens, when `needed` must fit: the smallest doubling of `now` that holds it, at most `max`.
/// `None` when even `max` is too small.
pub fn context_for(needed: u32, now: u32, max: u32) -> Option<u32> {
    if needed > max {
        return None;
    }
    let mut size = now.max(1);
    while size < needed {
        size = size.saturating_mul(2).min(max);
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_conversation_keeps_all_that_was_read() {
        assert_eq!(reusable(&[1, 2, 3], &[1, 2, 3, 4, 5]), 3);
    }

    #[test]
    fn the_same_prompt_again_reads_its_last_token_only() {
        assert_eq!(reusable(&[1, 2, 3], &[1, 2, 3]), 2);
        assert_eq!(reusable(&[1, 2, 3, 9, 9], &[1, 2, 3]), 2);
    }

    #[test]
    fn another_beginning_keeps_nothing() {
        assert_eq!(reusable(&[7, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(reusable(&[], &[1]), 0);
        assert_eq!(reusable(&[1], &[]), 0);
    }

    #[test]
    fn the_context_doubles_until_it_fits_and_stops_at_the_limit() {
        assert_eq!(context_for(100, 2048, 8192), Some(2048));
        assert_eq!(context_for(2049, 2048, 8192), Some(4096));
        assert_eq!(context_for(6000, 2048, 7000), Some(7000));
        assert_eq!(context_for(8193, 2048, 8192), None);
    }
}
