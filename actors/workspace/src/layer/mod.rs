//! What a sandbox's overlay has in its upper layer, as a stream of tar.
//!
//! Each entry has an extended header (`x`) with its path, its time and what else a plain header can't hold. A whiteout is
//! the character device 0:0, as in the layer itself. The stream ends with a global header that says how many entries there
//! were: a tar that is cut between two entries is one that ended, and this one must not be taken for whole.

pub mod entries;
pub mod export;
pub mod pax;

/// A directory hides what is below it: `CHELA.opaque=1`.
pub const OPAQUE: &[u8] = b"CHELA.opaque";
/// The overlay made this file as a copy of a lower one that has one name: `CHELA.origin=1`.
pub const ORIGIN: &[u8] = b"CHELA.origin";
/// The end of the stream: how many entries there were.
pub const END: &[u8] = b"CHELA.end";
/// An extended attribute, as GNU tar and star write it; its name follows, with `=` and `%` escaped.
pub const XATTR: &[u8] = b"SCHILY.xattr.";
/// Length of a sparse file.
pub const SPARSE_SIZE: &[u8] = b"GNU.sparse.size";
/// How many runs of data a sparse file has.
pub const SPARSE_BLOCKS: &[u8] = b"GNU.sparse.numblocks";
/// Its runs of data: offset, length, offset, length.
pub const SPARSE_MAP: &[u8] = b"GNU.sparse.map";

/// Tar's unit.
pub const BLOCK_BYTES: u64 = 512;

/// What an extended header may take: attributes and a map of runs.
pub const PAX_BYTES_MAX: u64 = 8 << 20;
