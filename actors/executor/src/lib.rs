//! The executor: admitted calls of one principal, each carried out in a disposable sandbox.
//!
//! Two processes. The executor ([`serve`], [`action`], [`ledger`]) talks with the gate; it can open nothing and start
//! nothing. Its maker ([`maker`], [`stage`], [`pool`], [`sandbox`], [`child`]) makes the sandboxes; it talks with the executor only, in
//! fixed-size records.
#![deny(unsafe_code)]

pub mod action;
pub mod again;
pub mod area;
pub mod background;
pub mod child;
pub mod command;
pub mod confine;
pub mod directories;
pub mod drain;
pub mod ended_by;
pub mod files;
pub mod filter;
pub mod handed;
pub mod hands;
pub mod image;
pub mod labels;
pub mod layer;
pub mod ledger;
pub mod limits;
pub mod line;
pub mod maker;
pub mod memory;
pub mod names;
pub mod narrow;
pub mod notify;
pub mod pipe;
pub mod pipes;
pub mod pool;
pub mod record;
pub mod sandbox;
pub mod serve;
mod settle;
pub mod settled;
pub mod stage;
pub mod step;
mod sys;
pub mod tail;
pub mod taken_back;
pub mod terminal;
pub mod uploads;
