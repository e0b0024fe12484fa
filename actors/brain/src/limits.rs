//! Limits of a brain. Units last.

/// What the brain keeps of a context, bytes of text: below the edge's frame, whatever the turn adds.
pub const CONTEXT_BYTES_MAX: usize = 2 << 20;
/// Longest text that is looked at for a call written as plain text, bytes.
pub const TEXT_CALL_BYTES_MAX: usize = 64 << 10;
