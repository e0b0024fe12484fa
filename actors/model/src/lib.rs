//! The embedded local model: an engine that completes text, and the role around it.
//!
//! Pure parts: [`call`], [`grammar`], [`pace`], [`prefix`], [`queue`], [`sample`], [`talk`], [`template`], [`utf8`]. The engine's C
//! interface is in the files named `sys.rs` only.
#![deny(unsafe_code)]

pub mod call;
pub mod engine;
pub mod error;
pub mod grammar;
pub mod limits;
pub mod pace;
pub mod prefix;
pub mod queue;
pub mod sample;
pub mod sys;
pub mod talk;
pub mod template;
pub mod utf8;
pub mod writing;
