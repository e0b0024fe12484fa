//! Malformed peers: a twin of each role says what it may not, at the real system. Whoever hears it ends it or slows it,
//! memory stays bounded, and the rest goes on.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clients;
mod control;
mod gate;
mod roles_of_the_gate;
mod scene;
