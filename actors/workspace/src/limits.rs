//! Limits of a workspace's transactions. Units last; each is checked where what it bounds comes in.

/// What one action may hold, and what the undo store may keep.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Files, directories, links and whiteouts of one layer.
    pub entries_max: usize,
    /// Nodes that one action may create, change or delete, those below a deleted directory among them.
    pub changes_max: usize,
    /// Directories above a node. Each takes a descriptor while it is looked at, so keep it well below RLIMIT_NOFILE.
    pub depth_max: usize,
    /// A path, from the workspace.
    pub path_bytes_max: usize,
    /// One file's length, holes included.
    pub file_bytes_max: u64,
    /// All lengths of one layer, holes included: what has to be hashed.
    pub length_bytes_max: u64,
    /// All data of one layer: what has to be stored.
    pub layer_bytes_max: u64,
    /// Runs of data in one sparse file.
    pub extents_max: usize,
    /// Extended attributes of one node.
    pub xattrs_max: usize,
    /// Names and values of one node's extended attributes.
    pub xattr_bytes_max: usize,
    /// Effects that are listed; the others are counted.
    pub effects_listed_max: usize,
    /// A text that is shown as a diff, either side of it.
    pub diff_text_bytes_max: u64,
    /// Lines of a text that is shown as a diff, either side of it.
    pub diff_text_lines_max: usize,
    /// One diff.
    pub diff_bytes_max: usize,
    /// All diffs of one action.
    pub diffs_bytes_max: usize,
    /// What the caller notes beside an action.
    pub note_bytes_max: usize,
    /// The undo store, on disk.
    pub undo_bytes_max: u64,
    /// How long an action can be undone.
    pub undo_age_max_s: u64,
    /// Records of actions; the oldest go first.
    pub actions_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries_max: 200_000,
            changes_max: 500_000,
            depth_max: DEPTH_MAX,
            path_bytes_max: 4095,
            file_bytes_max: 4 << 30,
            length_bytes_max: 16 << 30,
            layer_bytes_max: 4 << 30,
            extents_max: 100_000,
            xattrs_max: 64,
            xattr_bytes_max: 64 << 10,
            effects_listed_max: 1_000,
            diff_text_bytes_max: 128 << 10,
            diff_text_lines_max: 4_000,
            diff_bytes_max: 32 << 10,
            diffs_bytes_max: 1 << 20,
            note_bytes_max: 1 << 20,
            undo_bytes_max: 1 << 30,
            undo_age_max_s: 90 * 24 * 3600,
            actions_max: 10_000,
        }
    }
}

/// What a frozen copy of a workspace may take.
#[derive(Debug, Clone, Copy)]
pub struct Frozen {
    /// Files, directories and links.
    pub nodes_max: usize,
    /// Directories above a node. Each takes two descriptors while it is copied.
    pub depth_max: usize,
    /// Bytes of content that the filesystem can't clone.
    pub bytes_max: u64,
    /// Room on the disk that must be left, bytes.
    pub room_left_bytes: u64,
    /// Time for all of it, milliseconds.
    pub time_ms: u64,
}

impl Default for Frozen {
    fn default() -> Frozen {
        Frozen { nodes_max: 200_000, depth_max: 128, bytes_max: 2 << 30, room_left_bytes: 256 << 20, time_ms: 60_000 }
    }
}

/// Links that are followed to say what a path leads to; the kernel follows as many.
pub(crate) const LINKS_FOLLOWED_MAX: usize = 40;
/// Labels of paths that are gone that one question forgets, before it takes the next for one that is there.
pub(crate) const LABELS_FORGOTTEN_MAX: usize = 1_000;
/// Page cache of the table of labels, KiB.
pub(crate) const LABEL_CACHE_KIB: i64 = 2048;
/// Pages of its write-ahead log before they are carried over into it.
pub(crate) const LABEL_LOG_PAGES_MAX: i64 = 256;
/// Its write-ahead log is cut back to this after it was larger, bytes.
pub(crate) const LABEL_LOG_BYTES: i64 = 1 << 20;
/// Rehearsals that are remembered to have begun.
pub(crate) const REHEARSING_MAX: usize = 256;
/// Directories above a node, unless somebody asks for less.
pub(crate) const DEPTH_MAX: usize = 200;
/// Bytes that are read, hashed or written at once.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// A file of at most so many bytes is read at once, and not again for what else is to be known of its content.
pub(crate) const SMALL_BYTES_MAX: u64 = 128 << 10;
/// What `st_blocks` counts.
pub(crate) const BLOCK_BYTES: u64 = 512;
/// Nodes that the action staged last may change for its plan to be kept in memory until it is committed.
pub(crate) const PLANNED_CHANGES_MAX: usize = 20_000;
/// All content that is read once for two uses, of one action.
pub(crate) const REMEMBERED_BYTES_MAX: usize = 4 << 20;
/// One encoded line of a record: a symlink's target, a node's attributes and one diff fit.
pub(crate) const LINE_BYTES_MAX: usize = 2 << 20;
/// A whole record on disk.
pub(crate) const RECORD_BYTES_MAX: u64 = 512 << 20;
/// A pre-image of at most so many bytes stands in the undo record itself, without a file of its own.
pub(crate) const INLINE_BYTES_MAX: u64 = 4 << 10;
/// All pre-images that stand in one undo record.
pub(crate) const INLINE_TOTAL_BYTES_MAX: u64 = 8 << 20;
/// Up to so many files and directories are synced one by one; more are synced with their whole filesystem.
pub(crate) const SYNC_ONE_BY_ONE_MAX: usize = 24;
/// A name: the kernel's own bound.
pub(crate) const NAME_BYTES: usize = 255;
/// Names that are tried for what is put beside its place.
pub(crate) const NAMES_BESIDE_MAX: usize = 1000;
/// Names of one directory.
pub(crate) const NAMES_MAX: usize = 4_000_000;
/// Later actions that are looked through for who changed a path.
pub(crate) const CHANGERS_SOUGHT_MAX: usize = 100;
