//! Limits of an import. Units last.

/// Bytes of an index, a manifest or a configuration.
pub const DOCUMENT_BYTES: u64 = 4 << 20;
/// Indexes within indexes.
pub const INDEX_DEPTH: usize = 4;
/// Manifests and indexes that are looked at to find the one for this platform.
pub const MANIFESTS: usize = 256;
/// Blobs of a layout directory.
pub const BLOBS: usize = 512;
/// Files of an archive.
pub const ARCHIVE_FILES: usize = 4_096;
/// Bytes of one path of an extended header, and of all its records together.
pub const EXTENDED_HEADER_BYTES: u64 = 1 << 20;
/// Bytes of one name.
pub const NAME_BYTES: usize = 255;
/// Bytes of a symbolic link's target.
pub const TARGET_BYTES: usize = 4_095;
/// Variables of the environment.
pub const VARIABLES: usize = 256;
/// Bytes of all of them.
pub const ENVIRONMENT_BYTES: usize = 64 << 10;
/// Bytes of an image's own list of accounts.
pub const ACCOUNTS_BYTES: u64 = 1 << 20;
/// Images with a name.
pub const NAMED_IMAGES: usize = 256;
/// Bytes of the list of names.
pub const NAMES_BYTES: u64 = 1 << 20;
/// What a zstd frame may ask to remember, as a power of two of bytes.
pub const ZSTD_WINDOW_LOG_BYTES: u32 = 27;
/// Address space of the process that unpacks, bytes.
pub const UNPACK_ADDRESS_SPACE_BYTES: u64 = 2 << 30;
/// Its descriptors: a layout's blobs, and a few.
pub const UNPACK_OPEN_FILES: u64 = BLOBS as u64 + 64;
/// Its processor time, seconds.
pub const UNPACK_CPU_S: u64 = 3_600;
/// What the process that unpacks may answer, bytes.
pub const ANSWER_BYTES: u64 = 64 << 10;

/// What one image may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Layers.
    pub layers: usize,
    /// Bytes of one layer as it is stored.
    pub blob_bytes: u64,
    /// Bytes of all layers when unpacked, what later ones replace included.
    pub unpacked_bytes: u64,
    /// Entries of all layers.
    pub entries: u64,
    /// Bytes of a path.
    pub path_bytes: usize,
    /// Names of a path.
    pub depth_names: usize,
    /// Unpacked bytes for each stored one, once a layer has more than [`Limits::ratio_free_bytes`].
    pub ratio: u64,
    /// What a layer may unpack to whatever its size, bytes.
    pub ratio_free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            layers: 128,
            blob_bytes: 8 << 30,
            unpacked_bytes: 16 << 30,
            entries: 1_000_000,
            path_bytes: 3_800,
            depth_names: 64,
            ratio: 100,
            ratio_free_bytes: 64 << 20,
        }
    }
}
