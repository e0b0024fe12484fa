//! Limits of the gate. Units last.

/// Frames that wait for one peer to read.
pub const PEER_FRAMES_MAX: usize = 256;
/// Bytes that wait for one peer to read, as they weigh in memory.
pub const PEER_BYTES_MAX: usize = 16 << 20;
/// Local clients at once.
pub const CLIENTS_MAX: usize = 256;
/// Local clients of one user id at once.
pub const CLIENTS_PER_UID_MAX: usize = 64;
/// How long a local client may take to say hello, milliseconds.
pub const CLIENT_HELLO_MS: u64 = 5_000;
/// How long a frame from or to a local client may take from its first byte to its last, milliseconds.
pub const CLIENT_FRAME_MS: u64 = 10_000;
/// What is read from a client at once, bytes.
pub const CLIENT_READ_BYTES: usize = 16 << 10;
/// Turns in flight at once, those that wait for a brain included.
pub const TURNS_OPEN_MAX: usize = 128;
/// Turns that wait for a brain.
pub const TURNS_WAITING_MAX: usize = 64;
/// People who watch one turn.
pub const WATCHERS_MAX: usize = 8;
/// Events that wait for a turn before whoever brings more has to wait.
pub const TURN_EVENTS: usize = 64;
/// Requests that wait for one memory instance.
pub const JOURNAL_REQUESTS_MAX: usize = 1024;
/// Times that an instance may die on one request to memory before the request fails.
pub const JOURNAL_DEATHS_MAX: u32 = 3;
/// How long a memory instance may take to answer, milliseconds.
pub const JOURNAL_ANSWER_MS: u64 = 30_000;
/// How long an instance that is wanted may take until its edge is there, milliseconds.
pub const EDGE_WAIT_MS: u64 = 60_000;
/// How often the supervisor is told again that an instance is wanted, milliseconds.
pub const WANT_AGAIN_MS: u64 = 1_000;
/// How long a turn waits for a brain, milliseconds.
pub const BRAIN_WAIT_MS: u64 = 60_000;
/// Context of one completion, bytes of text.
pub const CONTEXT_BYTES_MAX: usize = 3 << 20;
/// Text of one completion, and what of it is streamed, bytes.
pub const COMPLETION_BYTES_MAX: usize = 256 << 10;
/// How long one completion may take, milliseconds.
pub const COMPLETION_MS: u64 = 900_000;
/// Longest command line, bytes.
pub const COMMAND_BYTES_MAX: usize = 64 << 10;
/// A file of policies, bytes.
pub const POLICY_BYTES_MAX: u64 = 16 << 10;
/// Files of policies.
pub const POLICY_FILES_MAX: usize = 16;
/// Longest path, bytes.
pub const PATH_BYTES_MAX: usize = 4_000;
/// Paths that a command may name as all that it sees.
pub const COMMAND_PATHS_MAX: usize = 64;
/// What is searched for, and names of files to search, bytes.
pub const PATTERN_BYTES_MAX: usize = 4 << 10;
/// Lines around a match of a search.
pub const SEARCH_CONTEXT_LINES_MAX: u32 = 20;
/// Largest file that a call may write, bytes.
pub const CONTENT_BYTES_MAX: usize = schema::limits::PUT_BYTES_MAX;
/// Words of a message that is small talk at most.
pub const WORDS_OF_SMALL_TALK: usize = 3;
/// Wall-clock limit of a command that names none, milliseconds.
pub const COMMAND_TIMEOUT_MS: u32 = 120_000;
/// Largest wall-clock limit that a command may ask for, milliseconds.
pub const COMMAND_TIMEOUT_MS_MAX: u32 = 600_000;
/// Wall-clock limit of a command in the background that names none, milliseconds.
pub const BACKGROUND_TIMEOUT_MS: u32 = 3_600_000;
/// Largest wall-clock limit that a command in the background may ask for, milliseconds.
pub const BACKGROUND_TIMEOUT_MS_MAX: u32 = 86_400_000;
/// How long a call may wait for news of a command in the background, milliseconds.
pub const POLL_WAIT_MS_MAX: u32 = 60_000;
/// Text that one call may write to a command's input, bytes.
pub const INPUT_BYTES_MAX: usize = 64 << 10;
/// Lines of a pseudo-terminal that names none.
pub const TERMINAL_ROWS: u16 = 24;
/// Characters of its lines.
pub const TERMINAL_COLUMNS: u16 = 80;
/// Most lines of a pseudo-terminal, and most characters of a line.
pub const TERMINAL_CELLS_MAX: u16 = 1_000;
/// What a tool may take beyond its wall-clock limit before its executor counts as broken, milliseconds.
pub const TOOL_GRACE_MS: u64 = 60_000;
/// How often an executor may rehearse one action again.
pub const REHEARSALS_AGAIN_MAX: u32 = 12;
/// Questions to executors about undos at once.
pub const QUESTIONS_MAX: usize = 16;
/// Crashes of one role in one turn that set the turn aside.
pub const CRASHES_MAX: usize = 2;
/// Arguments of a call that an audit entry shows, bytes; the rest is held by its hash.
pub const AUDIT_ARGUMENTS_BYTES: usize = 1 << 10;
/// Words of others, reasons for example, that an audit entry shows, bytes.
pub const AUDIT_TEXT_BYTES: usize = 512;
/// End of the audit log that a start reads, bytes.
pub const AUDIT_TAIL_BYTES: u64 = 1 << 20;
/// After how long an entry that nothing waits for is on the disk, milliseconds.
pub const AUDIT_SYNC_MS: u64 = 200;
/// How often the house is told the newest audit entry, milliseconds.
pub const ANCHOR_EVERY_MS: u64 = 10_000;
/// Audit entries about refused strangers a minute; the rest is counted.
pub const STRANGERS_NAMED_PER_MINUTE: u32 = 10;
/// Entries of the audit log that one answer carries.
pub const LOG_ENTRIES_MAX: u32 = 1_000;
/// Bytes of the audit log that one answer carries.
pub const LOG_BYTES_MAX: usize = 2 << 20;
/// How long the tree has for a description or a probe, milliseconds.
pub const TREE_ANSWER_MS: u64 = 2_000;
/// Questions to the supervisor or the roles at once.
pub const TREE_QUESTIONS_MAX: usize = 64;
/// How long turns may go on after the order to stop when it names no deadline, milliseconds.
pub const DRAIN_MS: u64 = 10_000;
/// How often idle instances and deadlines are looked at, milliseconds.
pub const TICK_MS: u64 = 1_000;
/// Largest configuration file, bytes.
pub const CONFIG_BYTES_MAX: u64 = 64 << 10;
