//! The audit log's format: one JSON text a line, each bound to the one before it by a hash. The gate writes it with
//! [`entry::Draft`]; the gate's start, `chela log verify` and the tests read it with [`verify()`], which needs nothing but
//! the file.
//!
//! A line, without spaces: `{"seq":3,"at_ms":…,"action":7,"prev":"HASH","event":"tool.decided","body":{…},"hash":"HASH"}`.
//! `hash` is SHA-256 over the bytes of the line up to `,"hash"`, and so covers `prev`, the hash of the entry before;
//! the first entry has number 1 and 64 zeros there. `action` is the highest action number that was given out so far.
//!
//! What crashes cut off in the middle of a line stays in the file, as lines that are no entries; the entry behind them
//! ([`entry::TORN`]) holds their length and hash. So nothing is ever removed, and what is missing can't look like a crash.
//!
//! The chain alone can't show that whole entries are missing at the end: for that, hold it against a [`Head`] that is
//! kept elsewhere.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod entry;
pub mod find;
pub mod limits;
pub mod verify;

pub use entry::{Draft, Entry, Hash, Head};
pub use verify::{Fault, Found, Report, verify};
