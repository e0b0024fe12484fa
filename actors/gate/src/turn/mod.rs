//! A turn: [`state`] says what happens next, purely; [`driver`] makes it happen; [`all`] keeps those in flight.

pub mod action;
pub mod all;
pub mod driver;
pub mod past;
pub mod report;
pub mod state;
pub mod words;
