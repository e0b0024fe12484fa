//! The brain's inside: one turn as a pure state machine. The binary adds the seal and the edge.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod limits;
pub mod turn;
