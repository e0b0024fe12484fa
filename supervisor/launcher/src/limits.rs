//! Limits of the launcher alone; those it shares with others are in `roles::limits`. Units last.

use std::time::Duration;

/// Packets that wait for a slow reader of one line before that reader is ended.
pub const OUTBOX_PACKETS_MAX: usize = 2048;
/// Packets read from one line before the others get their turn.
pub const PACKETS_PER_TURN_MAX: usize = 32;
/// How often deadlines of many seconds are looked at while one runs, milliseconds.
pub const LOOK_EVERY_MS: u16 = 100;
/// How long a process may take to end once it has closed its line: its exit status is worth waiting for.
pub const CLOSED_GRACE: Duration = Duration::from_secs(1);
/// How long a role may take from its clone to its seal.
pub const SEAL_GRACE: Duration = Duration::from_millis(roles::limits::SEAL_DEADLINE_MS);
/// Longest packet that any line carries to the launcher, plus one to notice a longer one.
pub const PACKET_BYTES: usize = roles::launch::REQUEST_BYTES + 1;
/// A log stream of this size is set aside at the next start of its role.
pub const LOG_KEPT_BYTES: u64 = 8 << 20;
/// Delay before the supervisor's second restart; doubles up to [`RESTART_DELAY_MAX_MS`]. The first is at once.
pub const RESTART_DELAY_MS: u64 = 50;
/// Longest delay before a restart of the supervisor.
pub const RESTART_DELAY_MAX_MS: u64 = 5_000;
/// A supervisor that lived this long starts from a clean count.
pub const RESTART_CLEARS_AFTER_MS: u64 = 10_000;
/// Size of a role's root directory, which holds mount points only.
pub const CAGE_OPTIONS: &str = "size=64k,nr_inodes=512,mode=755";
