//! Hostile twins: the same start and the same seal as a role, and an attacker's code behind them.
//!
//! [`attempts`] is the table of what is tried, each one thing. [`expect`] computes from a role's row what must come of it:
//! nothing here says per role what is forbidden. [`twin`] makes an attempt in a role's place, [`control`] makes the same
//! attempt unsealed, where it must succeed: an attempt that fails there too proves nothing and is not counted.
#![deny(unsafe_code)]

pub mod attempts;
pub mod control;
pub mod expect;
pub mod given;
pub mod orders;
pub mod outcome;
pub mod puppet;
mod sys;
pub mod trial;
pub mod twin;
