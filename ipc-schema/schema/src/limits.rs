//! Limits of every message, checked by the codec on send and on receive. Units last.

/// Bytes of the length prefix of a frame on an edge (little-endian, the prefix itself not counted).
pub const PREFIX_BYTES: usize = 4;
/// A frame between gate and brain: one turn's whole context.
pub const BRAIN_FRAME_BYTES: usize = 4 << 20;
/// A frame between gate and model.
pub const MODEL_FRAME_BYTES: usize = 4 << 20;
/// A frame between gate and executor.
pub const EXECUTOR_FRAME_BYTES: usize = 4 << 20;
/// A frame between gate and memory.
pub const MEMORY_FRAME_BYTES: usize = 8 << 20;
/// A frame between gate and connector.
pub const CONNECTOR_FRAME_BYTES: usize = 1 << 20;
/// A frame between gate and `chela`.
pub const LOCAL_FRAME_BYTES: usize = 8 << 20;
/// The largest frame of any edge.
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// What a decoder may allocate for one frame, before it has seen the bytes: a number of one byte counts as eight there.
pub const DECODED_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// A packet on a control line.
pub const CONTROL_PACKET_BYTES: usize = 64 << 10;

/// One message that a person writes.
pub const MESSAGE_BYTES: usize = 256 << 10;
/// Arguments of one tool call, as JSON.
pub const ARGUMENTS_BYTES: usize = 1 << 20;
/// A file that one call writes.
pub const PUT_BYTES_MAX: usize = 512 << 10;
/// A part of a file that is put in parts.
pub const UPLOAD_PART_BYTES: usize = 512 << 10;
/// All of such a file.
pub const UPLOAD_BYTES_MAX: usize = 64 << 20;
/// Output of a tool that is kept, each of stdout and stderr: the tail.
pub const OUTPUT_KEPT_BYTES: usize = 256 << 10;
/// Output of one action that an executor streams while it runs; the tail of the rest is in its result.
pub const OUTPUT_STREAMED_BYTES: usize = 4 << 20;
/// Output of a tool that the model is shown: the tail.
pub const OUTPUT_SHOWN_BYTES: usize = 8 << 10;
/// A tool's or principal's name.
pub const NAME_BYTES: usize = 64;
/// Actions that one answer lists.
pub const ACTIONS_LISTED: u32 = 50;
/// Arguments of a call that a list of actions shows: their beginning.
pub const ARGUMENTS_LISTED_BYTES: usize = 256;
/// A message that an action shows as what its turn was asked: its beginning.
pub const SAID_SHOWN_BYTES: usize = 2 << 10;
// All that is journaled of one action fits into a frame.
const _: () = assert!(ARGUMENTS_BYTES + SAID_SHOWN_BYTES + EXECUTOR_FRAME_BYTES + (64 << 10) < LOCAL_FRAME_BYTES);
const _: () = assert!(LOCAL_FRAME_BYTES <= MEMORY_FRAME_BYTES);
/// A message id or an idempotency key.
pub const KEY_BYTES: usize = 128;
/// Messages of history that a turn is given.
pub const HISTORY_MESSAGES: u32 = 40;
/// Bytes of history that a turn is given, newest first.
pub const HISTORY_BYTES: usize = 16 << 10;
/// Completions and tool calls of one turn together.
pub const STEPS_PER_TURN: u32 = 16;
/// Tokens that one completion may write.
pub const COMPLETION_TOKENS: u32 = 512;
/// How long an executor that is to start anew waits for commands in the background before it stops them, seconds.
pub const RELOAD_WAIT_S: u64 = 600;
