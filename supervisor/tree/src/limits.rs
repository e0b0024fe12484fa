//! Limits of the supervisor. Units last.

/// Failures in a row, before ready or without progress, after which an instance is given up.
pub const FAILURES_MAX: u32 = 8;
/// Shortest delay of a restart that is delayed at all, milliseconds.
pub const DELAY_MIN_MS: u64 = 50;
/// Longest delay of a restart, milliseconds.
pub const DELAY_MAX_MS: u64 = 10_000;
/// An instance that was ready for this long has shown that it is well: its failures are forgotten, milliseconds.
pub const STEADY_MS: u64 = 10_000;
/// Until a start is asked for again that met a slot not yet free, milliseconds.
pub const SLOT_RETRY_MS: u64 = 20;
/// Until a start is asked for again that the launcher called one too many for now, milliseconds.
pub const TOO_OFTEN_RETRY_MS: u64 = 500;
/// How long a role may take from its edge until it says that it is ready, milliseconds.
pub const READY_DEADLINE_MS: u64 = 30_000;
/// How long a role that is told to stop may take where no drain time is configured for it, milliseconds.
pub const STOP_GRACE_MS: u32 = 2_000;
/// From SIGTERM to SIGKILL, milliseconds.
pub const TERM_GRACE_MS: u64 = 500;
/// How long a process may live after it has closed its control line, milliseconds.
pub const CLOSED_GRACE_MS: u64 = 1_000;
/// Between signs of life to the service manager, milliseconds.
pub const ALIVE_INTERVAL_MS: u64 = 5_000;

/// Longest packet that a role may send on its control line, bytes.
pub const FROM_ROLE_BYTES: usize = 256;
/// Packets of one role that wait to be looked at.
pub const FROM_ROLE_QUEUE: usize = 64;
/// Packets of one role within [`FLOOD_WINDOW_MS`]; one more and it is ended.
pub const FLOOD_PACKETS: u32 = 4_000;
/// The window of [`FLOOD_PACKETS`], milliseconds.
pub const FLOOD_WINDOW_MS: u64 = 1_000;
/// Requests to the launcher that wait for it.
pub const REQUEST_QUEUE: usize = 1024;
/// Instances in one description of the tree; those that run come first.
pub const DESCRIBED_MAX: usize = 512;
/// Longest text on why an instance ended, bytes.
pub const LAST_EXIT_BYTES: usize = 64;
/// Longest reason told to the gate, bytes.
pub const REASON_BYTES: usize = 512;

/// Largest configuration file, bytes.
pub const CONFIG_BYTES: usize = 64 << 10;
/// Warm spare brains at most: the rest of the slots is for turns.
pub const SPARES_MAX: u32 = roles::limits::BRAIN_SLOTS / 2;
/// Shortest and longest time between heartbeats, milliseconds.
pub const HEARTBEAT_MS: (u32, u32) = (10, 60_000);
/// Shortest and longest patience with a hung role, milliseconds.
pub const HUNG_MS: (u32, u32) = (50, 600_000);
/// Shortest and longest time for turns in flight when everything stops, milliseconds.
pub const DRAIN_MS: (u32, u32) = (0, 20_000);

// Turns in flight, then two waves of other roles: all within what the launcher gives the supervisor.
const WAVE_MS: u64 = STOP_GRACE_MS as u64 + TERM_GRACE_MS;
const _: () = assert!(DRAIN_MS.1 as u64 + TERM_GRACE_MS + 2 * WAVE_MS < roles::limits::SHUTDOWN_DEADLINE_MS);
// Every number of an InstanceState at its longest, its text, and the packet's own head.
const _: () = assert!(DESCRIBED_MAX * (40 + LAST_EXIT_BYTES) + 64 <= schema::limits::CONTROL_PACKET_BYTES);
