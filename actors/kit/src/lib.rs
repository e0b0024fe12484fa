//! What every role shares: start-up from inherited descriptors, the role's own seal, the typed edge, the lines to
//! launcher and supervisor, the log stream, shutdown.
//!
//! A role's whole life is one call of [`run`]: check what was inherited, prepare (open what is needed before the seal),
//! seal, say so on the launcher line, serve. There is no way past the seal, in no build profile.
#![deny(unsafe_code)]

pub mod control;
pub mod limits;
pub mod line;
pub mod link;
pub mod log;
pub mod packet;
pub mod probe;
pub mod seal;
pub mod start;
mod sys;

pub use control::{Control, ControlEvent};
pub use line::{Line, LineError};
pub use link::{Link, LinkError, LinkReader, LinkWriter};
pub use roles::Role;
pub use start::{Sealed, Seat, StartError, run};
pub use sys::make_nonblocking;
