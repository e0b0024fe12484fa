//! The gate's inside. The binary adds the seal and the lines.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod actions;
pub mod audit;
pub mod background;
pub mod brains;
pub mod client;
pub mod config;
pub mod decide;
pub mod effects;
pub mod events;
pub mod executors;
pub mod house;
pub mod hub;
pub mod limits;
pub mod local;
pub mod memories;
pub mod models;
pub mod peer;
pub mod places;
pub mod policies;
pub mod principals;
pub mod questions;
pub mod requests;
pub mod resume;
pub mod serve;
pub mod tools;
pub mod tree;
pub mod turn;
pub mod undo;
pub mod uploads;
pub mod weight;
