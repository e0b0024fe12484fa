//! Text of which parts may be unknown. A part that is not literal stands as one private-use character that says where
//! it comes from; no command may hold such a character itself (`bounds` sees to that), so nothing can forge one.

/// Anything at all.
pub const UNKNOWN: char = '\u{F8F0}';
/// What was fetched from the network.
pub const DOWNLOADED: char = '\u{F8F1}';
/// What was decoded or otherwise transformed, so that nobody could read it before.
pub const DECODED: char = '\u{F8F2}';
/// Names of files in the workspace or below /tmp.
pub const INSIDE: char = '\u{F8F3}';
/// Names of files in the system's directories, or anywhere.
pub const OUTSIDE: char = '\u{F8F8}';
/// A number.
pub const NUMBER: char = '\u{F8F4}';
/// What somebody elsewhere writes.
pub const REMOTE: char = '\u{F8F5}';
/// What a shell that reads from elsewhere writes.
pub const SHELL: char = '\u{F8F6}';
/// What a file holds that was there before.
pub const FILE: char = '\u{F8F7}';
/// The first of those that stand for a process substitution, by number.
const SUBSTITUTION: u32 = 0xE000;
/// How many of these there can be.
const SUBSTITUTIONS: u32 = 0x100;

/// Whether the character has such a meaning.
pub fn is_reserved(c: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&c)
}

/// The character for process substitution number `n`.
pub fn substitution(n: usize) -> char {
    u32::try_from(n)
        .ok()
        .filter(|n| *n < SUBSTITUTIONS)
        .and_then(|n| char::from_u32(SUBSTITUTION + n))
        .unwrap_or(UNKNOWN)
}

/// The number of the process substitution that a word stands for.
pub fn substituted(word: &str) -> Option<usize> {
    let n = u32::from(word.chars().find(|c| is_reserved(*c))?).checked_sub(SUBSTITUTION)?;
    (n < SUBSTITUTIONS).then_some(n as usize)
}

/// Whether all of it is literal.
pub fn is_literal(text: &str) -> bool {
    !text.chars().any(is_reserved)
}

/// Whether a part could be anything at all; a number or a name of a file inside can't.
pub fn is_open(text: &str) -> bool {
    text.chars().any(|c| matches!(c, UNKNOWN | DOWNLOADED | DECODED | REMOTE | SHELL | FILE | OUTSIDE))
}

/// The literal parts alone.
pub fn literal(text: &str) -> String {
    text.chars().filter(|c| !is_reserved(*c)).collect()
}

/// For a person: unknown parts as `…`, cut short.
pub fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if is_reserved(c) || c.is_control() { '…' } else { c }).collect()
}
