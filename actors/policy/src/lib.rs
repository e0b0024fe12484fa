//! What policies say of a call. Policies are Cedar; this is how they are read, checked against the schema and asked.
//!
//! Cedar permits or forbids, and forbidding wins. Asking is made of that: what is forbidden as it is, and is not once a
//! person has approved it (`context.approved`), is asked about. Hard rules are not here: no policy can loosen them.
#![forbid(unsafe_code)]

mod question;
mod set;

pub use question::{Answer, Effects, Integrity, Outcome, Question, Role, Secrecy};
pub use set::{FILES, Policies, PolicyError, SCHEMA};
