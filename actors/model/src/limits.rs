//! Limits of the model role. Units last.

/// Context that an engine starts with; it grows by doubling when a conversation needs more.
pub const CONTEXT_START_TOKENS: u32 = 2048;
/// Context that an engine grows to at most, if the model was trained for so much.
pub const CONTEXT_MAX_TOKENS: u32 = 8192;
/// Room that must be left for an answer, or the request is refused.
pub const ANSWER_ROOM_TOKENS: u32 = 16;
/// Tokens read at once. Larger batches read no faster on a processor and need more memory.
pub const BATCH_TOKENS: u32 = 256;
/// Threads that compute; more than this gains nothing on a model that fits into a cage.
pub const THREADS_MAX: usize = 16;
/// Completions that wait while one is computed.
pub const QUEUE_MAX: usize = 8;
/// Events between the computing thread and the edge; a gate that reads slowly slows the computation.
pub const EVENTS_MAX: usize = 64;
/// Tools of one request.
pub const TOOLS_MAX: usize = 64;
/// Arguments of one tool.
pub const PARAMETERS_MAX: usize = 16;
/// Steps that a chat template may take for one conversation.
pub const TEMPLATE_FUEL_STEPS: u64 = 1_000_000;
/// What is kept of the engine's complaints while a model is loaded.
pub const COMPLAINT_BYTES: usize = 2048;
/// Largest number of bytes that one token stands for.
pub const PIECE_BYTES_MAX: usize = 1024;
