//! One file a role. `common` holds the groups of system calls that several rows share.

pub mod brain;
pub mod common;
pub mod connector;
pub mod executor;
pub mod gate;
pub mod launcher;
pub mod memory;
pub mod model;
pub mod sandbox;
pub mod supervisor;
pub mod unpack;
