//! Hostile twins in the real system, held against the table, and the unsealed control.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bombs;
mod lines;
mod lines_table;
mod proof;
mod protocol;
mod roles_of_the_table;
mod sandbox;
mod scene;
mod supervisor;
mod tally;
