//! Every message of Chela: one file an edge in [`edge`], one enum a direction, and the one [`codec`] they pass through.
#![forbid(unsafe_code)]

pub mod actions;
pub mod codec;
pub mod edge;
pub mod effects;
mod ended;
pub mod fingerprint;
pub mod image;
pub mod label;
pub mod limits;
mod outcome;
pub mod policy;
pub mod render;
mod repeat;
pub mod talk;
pub mod tool;
pub mod undo;

pub use fingerprint::FINGERPRINT;
