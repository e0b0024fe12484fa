//! The gate's inside. The binary adds the seal and the lines.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod audit;
pub mod config;
pub mod decide;
pub mod limits;
pub mod principals;
pub mod tools;
