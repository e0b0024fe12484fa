//! Limits of the audit log. Units last.

/// Longest line, its line break included, bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Faults that a report names; the rest are counted.
pub const FAULTS_NAMED_MAX: usize = 100;
