//! One entry: written, and read back.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::limits::LINE_BYTES_MAX;

/// The event of an entry that accounts for what a crash cut off before it.
pub const TORN: &str = "log.torn";
/// The event of a gate's start.
pub const STARTED: &str = "gate.started";
/// The event of a gate's orderly end.
pub const STOPPED: &str = "gate.stopped";

const HASH_FIELD: &[u8] = b",\"hash\":\"";
const HASH_TAIL_BYTES: usize = HASH_FIELD.len() + 64 + 2;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands before the first entry.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// The hash that 64 lower-case hexadecimal digits write.
    pub fn parse(text: &str) -> Option<Hash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Hash(hash))
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The newest entry of a log: number and hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its number; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Head = Head { seq: 0, hash: Hash::ZERO };
}

/// An entry that is to be written.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Highest action number that was given out so far, with this entry.
    pub action: u64,
    /// What happened, by name.
    pub event: &'a str,
    /// The rest: an object.
    pub body: &'a Value,
}

impl Draft<'_> {
    /// The line of this entry behind `before`, its line break included, and the head that it makes.
    pub fn line(&self, before: Head) -> (String, Head) {
        let seq = before.seq + 1;
        let event = Value::from(self.event);
        let mut line = format!(
            "{{\"seq\":{seq},\"at_ms\":{},\"action\":{},\"prev\":\"{}\",\"event\":{event},\"body\":{}",
            self.at_ms, self.action, before.hash, self.body
        );
        let hash = Hash::of(line.as_bytes());
        line.push_str(&format!(",\"hash\":\"{hash}\"}}\n"));
        (line, Head { seq, hash })
    }

    /// The body of the entry that accounts for a fragment: all that lies between the entry before and this one, the
    /// last line break left out.
    pub fn torn_body(fragment: &[u8]) -> Value {
        torn_body(fragment.len() as u64, Hash::of(fragment))
    }
}

fn torn_body(bytes: u64, hash: Hash) -> Value {
    serde_json::json!({ "bytes": bytes, "sha256": hash.to_string() })
}

/// An entry that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its number, counted from 1.
    pub seq: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Highest action number that was given out so far.
    pub action: u64,
    /// Hash of the entry before.
    pub prev: Hash,
    /// What happened, by name.
    pub event: String,
    /// The rest.
    pub body: Value,
    /// Its own hash.
    pub hash: Hash,
}

/// Why a line is no entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadLine {
    /// Not of the form of an entry.
    #[error("not an entry")]
    Form,
    /// Of the form of an entry, but its hash is not that of its bytes.
    #[error("edited: its hash is not that of its bytes")]
    Edited,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    seq: u64,
    at_ms: u64,
    action: u64,
    prev: String,
    event: String,
    body: Value,
    hash: String,
}

impl Entry {
    /// The entry in a line without its line break, if its own hash is right.
    ///
    /// # Errors
    /// Says whether it is no entry at all, or an edited one.
    pub fn parse(line: &[u8]) -> Result<Entry, BadLine> {
        if line.len() >= LINE_BYTES_MAX || line.len() <= HASH_TAIL_BYTES {
            return Err(BadLine::Form);
        }
        let fields: Fields = serde_json::from_slice(line).map_err(|_| BadLine::Form)?;
        let (Some(prev), Some(hash)) = (Hash::parse(&fields.prev), Hash::parse(&fields.hash)) else {
            return Err(BadLine::Form);
        };
        let (hashed, tail) = line.split_at(line.len() - HASH_TAIL_BYTES);
        if !tail.starts_with(HASH_FIELD) {
            return Err(BadLine::Form);
        }
        if Hash::of(hashed) != hash {
            return Err(BadLine::Edited);
        }
        Ok(Entry {
            seq: fields.seq,
            at_ms: fields.at_ms,
            action: fields.action,
            prev,
            event: fields.event,
            body: fields.body,
            hash,
        })
    }

    /// The head that this entry makes.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// Whether this entry accounts for a fragment of so many bytes and that hash.
    pub fn accounts_for(&self, bytes: u64, hash: Hash) -> bool {
        self.event == TORN && self.body == torn_body(bytes, hash)
    }
}
