//! Limits of the command line. Units last.

/// How long the gate may take to say hello, ms. A gate that is just restarting takes part of it.
pub const HELLO_DEADLINE_MS: u64 = 10_000;
/// How long a connection that broke in the middle of a request is tried again, ms.
pub const RECONNECT_DEADLINE_MS: u64 = 30_000;
/// Between two tries, ms.
pub const RECONNECT_PAUSE_MS: u64 = 25;
/// How long a write may wait for a gate that reads nothing, ms.
pub const SEND_DEADLINE_MS: u64 = 10_000;
/// Read at once from socket or terminal, bytes.
pub const READ_BYTES: usize = 16 << 10;
/// Pause between two looks of `log tail --follow`, ms.
pub const FOLLOW_PAUSE_MS: u64 = 500;
/// Entries of the log that are asked for at once.
pub const LOG_ENTRIES: u32 = 500;
/// Text is wrapped at the terminal's width, at most this, columns.
pub const WRAP_COLUMNS: usize = 100;
/// A file that is copied out of the workspace, bytes.
pub const GET_BYTES_MAX: u64 = 64 << 20;
/// Changes of an action that are shown to a person.
pub const EFFECTS_SHOWN: usize = 50;
/// Actions that are listed when nobody says how many.
pub const ACTIONS_DEFAULT: u32 = 20;
/// Arguments of a call that are shown inline, characters.
pub const ARGUMENTS_SHOWN: usize = 160;
