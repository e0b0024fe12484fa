//! Limits of the kit. Units last.

/// How long the other end of a fresh edge may take to say hello, milliseconds.
pub const HELLO_DEADLINE_MS: u64 = 5_000;
/// How long a frame may take from its first byte to its last, milliseconds.
pub const FRAME_DEADLINE_MS: u64 = 10_000;
/// How long a peer may read nothing while a frame waits for it, milliseconds.
pub const SEND_DEADLINE_MS: u64 = 10_000;
/// Largest hello, bytes: an enum's number and one 64-bit number.
pub const HELLO_BYTES: usize = 16;
/// What a link's buffers keep between frames, bytes.
pub const BUFFER_KEPT_BYTES: usize = 64 << 10;
/// What a link's reader grows by before it has seen more of a frame, bytes.
pub const BUFFER_STEP_BYTES: usize = 16 << 10;
/// Messages that wait for a supervisor that does not read.
pub const CONTROL_QUEUE: usize = 1024;
/// Events that wait for a role that does not listen to its control line.
pub const CONTROL_EVENTS: usize = 64;
/// Log lines a second, on average.
pub const LOG_LINES_PER_SECOND: u32 = 200;
/// Log lines at once.
pub const LOG_BURST_LINES: u32 = 400;
/// Longest log line, bytes; the rest is cut off.
pub const LOG_LINE_BYTES: usize = 4096;
