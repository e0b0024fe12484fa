//! Numbers of the descriptors that a role inherits. 0 is the null device; 1 and 2 are its log stream.

/// The line to the launcher (SOCK_SEQPACKET). The only descriptor on which descriptors ever arrive.
pub const LINE: i32 = 3;
/// The control line to the supervisor (SOCK_SEQPACKET). The supervisor itself has none.
pub const CONTROL: i32 = 4;
/// Gate only: the listening Unix socket for local people.
pub const LISTENER: i32 = 5;
/// Gate only: the audit log, opened O_RDWR|O_APPEND.
pub const AUDIT_LOG: i32 = 6;
/// Executor only: the line to its own maker, which it made itself before its seal.
pub const MAKER: i32 = 7;
