//! `chela`: what a person types. A file a command; `client` is the way to the gate that they share.
#![deny(unsafe_code)]

mod accounts;
mod actions;
mod arguments;
mod ask;
mod audit;
mod background;
mod chat;
mod client;
mod date;
mod doctor;
mod effects;
mod error;
mod files;
mod images;
mod interrupt;
mod limits;
mod log;
mod options;
mod paths;
mod policy;
mod screen;
mod setup;
mod status;
mod tool;
mod turn;
mod undo;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    options::Options::parse().run()
}
