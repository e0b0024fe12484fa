//! Limits of the memory store. Units last.

/// Requests that one transaction, and so one wait for the disk, may carry.
pub const GROUP_REQUESTS_MAX: usize = 64;
/// A group is closed once its requests hold this much text.
pub const GROUP_BYTES_MAX: usize = 1 << 20;
/// SQLite's page cache, KiB: a conversation's newest pages, no more.
pub const PAGE_CACHE_KIB: i64 = 256;
/// Pages of the write-ahead log before they are carried over into the database.
pub const LOG_PAGES_MAX: i64 = 256;
/// The write-ahead log is cut back to this after it was larger, bytes.
pub const LOG_FILE_BYTES: i64 = 1 << 20;
/// A database up to this size is checked whole each time it is opened (about 1 ms a MiB); a larger one as it is read.
pub const CHECK_AT_OPEN_BYTES_MAX: u64 = 4 << 20;
/// Undos of undos that are followed to say whether an action stands.
pub const UNDO_DEPTH_MAX: usize = 64;
/// Steps that a turn can have. Far above what the gate allows a turn, so that crashes can still be written down.
pub const STEPS_MAX: u32 = 4096;
