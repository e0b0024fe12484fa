//! Limits of what is understood: whatever exceeds one is "not understood", never an error and never guessed safe.

/// The longest command line that is parsed, bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Brackets, braces and compound commands within one another, those counted in whose end is not certain.
pub const NESTING_MAX: usize = 256;
/// Characters that separate commands (`;`, `&`, `|`, and line breaks within something), quoted ones too: the parser nests
/// a list once for each.
pub const SEPARATORS_MAX: usize = 1_000;
/// Substitutions (`$(`, `<(`, `>(`) within one another, those counted in whose end is not certain: the parser's work grows
/// with the cube of it.
pub const SUBSTITUTIONS_MAX: usize = 16;
/// Scripts within one another: `sh -c`, `eval`, substitutions, bodies of functions that are called.
pub const DEPTH_MAX: usize = 12;
/// Steps of one judgement: a node that is visited is one, and so is each of `BYTES_A_STEP` bytes that are read.
pub const STEPS_MAX: usize = 40_000;
/// Bytes that count as one step.
pub const BYTES_A_STEP: usize = 8;
/// Fields that one word may become.
pub const FIELDS_MAX: usize = 64;
/// Known output of a command, and known content of a file or variable, bytes; more is unknown.
pub const KNOWN_BYTES_MAX: usize = 8 << 10;
/// Words of a `for` loop that are tried one by one; with more, the variable is unknown besides.
pub const LOOP_WORDS_MAX: usize = 16;
/// Wrappers (`sudo`, `env`, …) around one another.
pub const WRAPPERS_MAX: usize = 16;
