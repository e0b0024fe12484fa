//! Limits of the executor and its sandboxes. Units last.

use schema::limits::OUTPUT_KEPT_BYTES;

use std::time::Duration;

/// Actions that run at once: one, since a workspace must not change under another's layer.
pub const RUNNING_MAX: usize = 1;
/// How often an action is rehearsed while others are committed beside it.
pub const REHEARSALS_MAX: usize = 3;
/// Sandboxes that a maker keeps at once.
pub const SANDBOXES_MAX: usize = 4;
/// Those and what has told its end and is not quite gone: the kernel takes its time with a large layer.
pub const SANDBOXES_ENDING_MAX: usize = 16;
/// Sandboxes that are made beforehand and wait, each 1 MB of memory or less (`./x bench` measures it).
pub const WAITING_SANDBOXES: usize = 2;
/// How long after a request, or the end of its sandbox, a maker makes another: what is asked for comes first.
pub const REFILL_AFTER_MS: Duration = Duration::from_millis(5);
/// How long after the start the first one is made: others start at that time too.
pub const FIRST_SANDBOX_AFTER_MS: Duration = Duration::from_millis(50);
/// Commands in the background at once. Always room for one sandbox more, for what is not in the background.
pub const BACKGROUND_MAX: usize = 3;
/// Commands in the background that are over and that one can still ask about.
pub const BACKGROUND_REMEMBERED_MAX: usize = 16;
/// Longest wall-clock limit of a command in the background, milliseconds.
pub const BACKGROUND_TIMEOUT_MAX_MS: u32 = 86_400_000;
/// How long the gate may take to decide on what a command in the background has changed: it may be restarting, milliseconds.
pub const BACKGROUND_SETTLE_MS: u64 = 120_000;
/// How long a command may take to take its input, milliseconds.
pub const INPUT_MS: u64 = 10_000;
/// How long a command that is stopped may take to be gone, milliseconds.
pub const STOP_MS: u64 = 30_000;
/// Changed paths that a conflict names; the others are counted.
pub const CONFLICTS_NAMED_MAX: usize = 20;
/// Files that are being uploaded at once; one more takes the place of the oldest.
pub const UPLOADS_MAX: usize = 2;
/// How long one is held to which nothing is added, milliseconds.
pub const UPLOAD_KEPT_MS: u64 = 120_000;
/// Questions about commands in the background that are answered at once.
pub const ASIDE_MAX: usize = 16;
/// Actions that wait for one of those to end.
pub const WAITING_MAX: usize = 16;
/// Bytes of commands and content in those.
pub const WAITING_BYTES: usize = 8 << 20;
/// Results of ended actions that are remembered, to answer a repeated request.
pub const REMEMBERED_MAX: usize = 64;
/// Bytes of output in those results.
pub const REMEMBERED_BYTES: usize = 4 << 20;
/// A command line: what one argument of a program may hold, less its final zero.
pub const COMMAND_BYTES: usize = (128 << 10) - 1;
/// An admitted call, encoded, as it is handed to its sandbox: it came in one frame.
pub const PAYLOAD_BYTES: usize = schema::limits::EXECUTOR_FRAME_BYTES;
/// Longest wall-clock limit of a command, milliseconds.
pub const TIMEOUT_MAX_MS: u32 = 3_600_000;
/// Wall-clock limit of a file operation, milliseconds.
pub const FILE_OPERATION_MS: u32 = 30_000;
/// How long the rest of the output may take once every process of a sandbox is gone, milliseconds.
pub const REST_OF_OUTPUT_MS: u64 = 2_000;
/// Bytes of output in one message.
pub const OUTPUT_CHUNK_BYTES: usize = 32 << 10;
/// Messages that wait to be sent; output beyond that is not streamed (the result has its tail all the same).
pub const OUTGOING_MAX: usize = 16;
/// Text of a file, names of a directory or lines of a search that one answer shows. A model is shown this much of an
/// answer, and what there is to say about it.
pub const SHOWN_BYTES: usize = schema::limits::OUTPUT_SHOWN_BYTES - 512;
/// Bytes of a file that one answer copies out.
pub const PART_BYTES_MAX: u64 = OUTPUT_KEPT_BYTES as u64;
/// A binary file whose digest is told.
pub const DIGEST_BYTES_MAX: u64 = 1 << 30;
/// What is read of a file at once, and looked at to see whether it is text.
pub const READ_BUFFER_BYTES: usize = 64 << 10;
/// Lines of a search that match.
pub const SEARCH_MATCHES_MAX: usize = 200;
/// What one search reads.
pub const SEARCH_BYTES_MAX: u64 = 4 << 30;
/// How long one search may take, milliseconds: less than a file operation.
pub const SEARCH_MS: u64 = 10_000;
/// A line of a search, as it is shown.
pub const SEARCH_LINE_BYTES: usize = 300;
/// A line of a search, as it is held: a file with a longer one is left out.
pub const SEARCH_LINE_IN_MEMORY_BYTES: usize = 8 << 20;
/// A compiled pattern.
pub const SEARCH_PATTERN_BYTES: usize = 8 << 20;
/// Groups in groups of a pattern.
pub const SEARCH_PATTERN_NEST: u32 = 100;
/// Directories in directories that are looked into.
pub const DEPTH_MAX: usize = 200;
/// The tree that a command's paths are bound into, bytes.
pub const SKELETON_BYTES: u64 = 1 << 20;
/// Directories and files of that.
pub const SKELETON_INODES: u64 = 16_384;
/// A file that is edited.
pub const EDIT_FILE_BYTES: u64 = 16 << 20;
/// Lines that are named where an edit fits in several places.
pub const EDIT_LINES_NAMED: usize = 10;
/// Hunks of one diff.
pub const DIFF_HUNKS_MAX: usize = 1_000;
/// Names that are counted to say how many there are.
pub const LIST_NAMES_MAX: usize = 200_000;

/// RLIMIT_AS of each process in a sandbox, bytes.
pub const ADDRESS_SPACE_BYTES: u64 = 8 << 30;
/// RLIMIT_DATA of each process in a sandbox, bytes.
pub const DATA_BYTES: u64 = 2 << 30;
/// What all processes of a sandbox may have in memory together, bytes (and half of the host's memory at most): the maker
/// looks at it, and kills a sandbox that has more.
pub const SANDBOX_MEMORY_BYTES: u64 = 3 << 30;
/// How often it looks while a sandbox runs.
pub const MEMORY_LOOK_MS: Duration = Duration::from_millis(100);
/// RLIMIT_NPROC of a sandbox, processes and threads.
pub const PROCESSES: u64 = 256;
/// RLIMIT_FSIZE, bytes of one file.
pub const FILE_BYTES: u64 = 1 << 30;
/// RLIMIT_NOFILE of each process in a sandbox.
pub const OPEN_FILES: u64 = 1024;
/// A sandbox's private /tmp, bytes.
pub const TMP_BYTES: u64 = 256 << 20;
/// Files in a sandbox's private /tmp.
pub const TMP_INODES: u64 = 65_536;
/// A sandbox's own /run where an image is its root, bytes.
pub const RUN_BYTES: u64 = 16 << 20;
/// Files in it.
pub const RUN_INODES: u64 = 4_096;
/// What a sandbox may write over the workspace, bytes: a bound of its mount.
pub const LAYER_BYTES: u64 = 512 << 20;
/// Files in that.
pub const LAYER_INODES: u64 = 262_144;
/// Effects of one action that are told one by one: with the output they have to fit into a frame.
pub const EFFECTS_BYTES: usize = 2 << 20;
/// What is noted of an outcome beside its commit: both outputs fit.
pub const NOTE_BYTES: usize = 768 << 10;
/// Conflicts of an undo that are told one by one.
pub const CONFLICTS_LISTED: usize = 100;
/// Hosts that one action is said to have tried to reach.
pub const HOSTS: usize = 64;
/// One of those: a name, a port and a protocol.
pub const HOST_BYTES: usize = 264;
/// All of them.
pub const HOSTS_BYTES: usize = HOSTS * (HOST_BYTES + 1);
/// Names that one sandbox's resolver knows.
pub const NAMES: usize = 256;
/// Bytes of a question to it.
pub const QUESTION_BYTES: usize = 1232;
/// Who may be connected to it over TCP at once; one more takes the place of the first.
pub const ASKERS: usize = 8;
/// Questions that it answers before it looks at anything else.
pub const QUESTIONS_AT_ONCE: usize = 16;
/// Renames of directories that a sandbox carries out at once: one, as the kernel would. A tree that two move at once would
/// come to be in two places.
pub const WORKERS: usize = 1;
/// Directories below each other in a tree that is moved. Each takes two descriptors.
pub const MOVE_DEPTH: usize = 256;
/// Names of one directory in such a tree.
pub const MOVE_NAMES: usize = LAYER_INODES as usize;
/// How often what others make in a tree while it is moved is moved too.
pub const MOVE_ROUNDS: usize = 8;
/// An extended attribute, or the names of all of one directory's: the kernel's own bound.
pub const ATTRIBUTE_BYTES: usize = 64 << 10;
/// How long the gate may take to decide on what was staged, milliseconds.
pub const SETTLE_MS: u64 = 30_000;
/// What a commit replaced is removed in pieces of so many nodes; between them others work.
pub const TIDIED_AT_ONCE: usize = 100;
/// How long a sandbox that hands out its layer may pause, milliseconds.
pub const HAND_OUT_PAUSE_MS: u16 = 5_000;
/// The root directory that all sandboxes of an executor share, read-only, bytes.
pub const ROOT_BYTES: u64 = 1 << 20;
