//! Each role killed, hung or unable to start, at every stage of a turn. What was in flight is answered once, what ran is
//! not run twice, what was not harmed goes on.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod any_moment;
mod given_up;
mod hung;
mod killed;
mod poisoned;
mod whole;
