//! Limits that the table and the launcher share. Units last.

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

const MIB: u64 = 1 << 20;
/// RLIMIT_FSIZE of a role that writes nothing but its log stream, in bytes.
pub const LOG_ONLY_FILE_BYTES: u64 = 64 * MIB;
/// Address space of a small role, in bytes.
pub const SMALL_ADDRESS_SPACE_BYTES: u64 = 256 * MIB;

const _: () = assert!(LINK_OFFSET + LINK_MAX < PRINCIPAL_OFFSET);
const _: () = assert!(PRINCIPAL_OFFSET + PRINCIPAL_STRIDE * (PRINCIPAL_MAX + 1) <= UID_BLOCK_IDS);
