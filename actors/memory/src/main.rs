//! `chela-memory`: keeps one principal's journal; in slot 0, the gate's own records.
//!
//! # Reads
//! `/memory/memory.db`, its own database, in a root directory that holds nothing else.
//!
//! # Writes
//! The same, and its log stream. A request is answered once what it wrote is on the disk.
//!
//! # Talks to
//! The gate, over its edge. The launcher and the supervisor, over their lines.
//!
//! # If taken over
//! That one principal's journal can be read, changed and lost. As the house: the gate's records can be replayed or
//! lost, which the gate notices. No network, no other file, no process, no other principal.
#![forbid(unsafe_code)]

mod serve;

use std::process::ExitCode;

use roles::Role;

fn main() -> ExitCode {
    kit::run(Role::Memory, |_| Ok::<(), std::convert::Infallible>(()), |sealed, ()| serve::serve(sealed))
}
