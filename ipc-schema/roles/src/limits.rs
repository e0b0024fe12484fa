//! Limits of the table and of the launcher. Units last.

use core::time::Duration;

/// Ids in a root's own block.
pub const UID_BLOCK_IDS: u32 = 4096;
/// Offset in the block of the first link's account.
pub const LINK_OFFSET: u32 = 0;
/// Offset in the block of principal 0's accounts (0 is the house).
pub const PRINCIPAL_OFFSET: u32 = 1024;
/// Accounts a principal has: executor, memory, model.
pub const PRINCIPAL_STRIDE: u32 = 3;
/// Highest principal number.
pub const PRINCIPAL_MAX: u32 = 1000;
/// Highest link number.
pub const LINK_MAX: u32 = 1000;
/// Brains at once, spares included.
pub const BRAIN_SLOTS: u32 = 16;
/// Instances that the launcher keeps at once, all roles together.
pub const INSTANCES_MAX: usize = 512;
/// Starts of one slot that the launcher carries out within [`START_WINDOW_MS`].
pub const STARTS_PER_WINDOW_MAX: u32 = 50;
/// The window of [`STARTS_PER_WINDOW_MAX`], in milliseconds.
pub const START_WINDOW_MS: u64 = 10_000;
/// How long a role may take from exec to its seal, in milliseconds.
pub const SEAL_DEADLINE_MS: u64 = 20_000;
/// How long the supervisor may take to stop everything after a shutdown report, in milliseconds.
pub const SHUTDOWN_DEADLINE_MS: u64 = 30_000;

/// Packets that wait for a slow reader of one line before that reader is ended.
pub const OUTBOX_PACKETS_MAX: usize = 2048;
/// Packets read from one line before the others get their turn.
pub const PACKETS_PER_TURN_MAX: usize = 32;
/// How often deadlines of many seconds are looked at while one runs, milliseconds.
pub const LOOK_EVERY_MS: u16 = 100;
/// How long a process may take to end once it has closed its line: its exit status is worth waiting for.
pub const CLOSED_GRACE: Duration = Duration::from_secs(1);
/// How long a role may take from its clone to its seal.
pub const SEAL_GRACE: Duration = Duration::from_millis(SEAL_DEADLINE_MS);
/// Longest packet that any line carries to the launcher, plus one to notice a longer one.
pub const PACKET_BYTES: usize = crate::launch::REQUEST_BYTES + 1;
/// A log stream of this size is set aside at the next start of its role.
pub const LOG_KEPT_BYTES: u64 = 8 << 20;
/// Delay before the supervisor's second restart; doubles up to [`RESTART_DELAY_MAX_MS`]. The first is at once.
pub const RESTART_DELAY_MS: u64 = 50;
/// Longest delay before a restart of the supervisor.
pub const RESTART_DELAY_MAX_MS: u64 = 5_000;
/// The delay before a restart after so many deaths in a row, milliseconds.
pub const fn restart_delay_ms(deaths: u32) -> u64 {
    let doubled = match deaths {
        0 | 1 => return 0,
        2..=18 => RESTART_DELAY_MS << (deaths - 2),
        _ => RESTART_DELAY_MAX_MS,
    };
    if doubled < RESTART_DELAY_MAX_MS { doubled } else { RESTART_DELAY_MAX_MS }
}

/// A supervisor that lived this long starts from a clean count.
pub const RESTART_CLEARS_AFTER_MS: u64 = 10_000;
/// Size of a role's root directory, which holds mount points only.
pub const CAGE_OPTIONS: &str = "size=64k,nr_inodes=512,mode=755";
/// Directories of their own that a principal has at most, those that may be changed and those that may not alike.
pub const DIRECTORIES_MAX: usize = 8;

const MIB: u64 = 1 << 20;
/// RLIMIT_FSIZE of a role that writes nothing but its log stream, in bytes.
pub const LOG_ONLY_FILE_BYTES: u64 = 64 * MIB;
/// Address space of a small role, in bytes.
pub const SMALL_ADDRESS_SPACE_BYTES: u64 = 256 * MIB;

const _: () = assert!(LINK_OFFSET + LINK_MAX < PRINCIPAL_OFFSET);
const _: () = assert!(PRINCIPAL_OFFSET + PRINCIPAL_STRIDE * (PRINCIPAL_MAX + 1) <= UID_BLOCK_IDS);
