//! The memory store's inside: one SQLite database, its journal or the house's records, and what may go wrong with it.
//! The binary adds the seal and the edge.
#![forbid(unsafe_code)]

pub mod error;
pub mod limits;
pub mod store;
