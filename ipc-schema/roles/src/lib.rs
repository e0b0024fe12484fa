//! THE table: what each process of Chela may do, and why.
//!
//! One file a role in [`rows`]; the vocabulary they are written in is [`grant`]; what must hold for every row, or the
//! crate does not compile, is [`invariants`]. Readers of the table: the launcher (makes it so), each role's own seal
//! (narrows itself to it), `chela audit` (holds /proc against it), and the generated documentation.
//!
//! This crate has no dependency and allocates nothing, so that the launcher can link it and nothing else of ours.
#![no_std]
#![forbid(unsafe_code)]

pub mod account;
pub mod fd;
pub mod files;
pub mod grant;
pub mod invariants;
pub mod launch;
pub mod limits;
pub mod rows;
pub mod seal;
pub mod syscall;

pub use grant::{Role, Row};

/// Every row, in the order of [`Role::ALL`].
pub const TABLE: [Row; Role::ALL.len()] = [
    rows::launcher::ROW,
    rows::supervisor::ROW,
    rows::connector::ROW,
    rows::brain::ROW,
    rows::gate::ROW,
    rows::executor::ROW,
    rows::memory::ROW,
    rows::model::ROW,
];
