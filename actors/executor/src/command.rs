//! A command line, handed to the shell.

use std::convert::Infallible;
use std::ffi::{CStr, CString};

use nix::errno::Errno;

use crate::step::{Failure, Step};

/// What a command runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surroundings {
    /// Pipes.
    Pipes,
    /// A pseudo-terminal.
    Terminal,
}

/// All that a command is told of its surroundings, but for its terminal.
const ENVIRONMENT: [&CStr; 5] = [
    c"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    c"HOME=/workspace",
    c"USER=user",
    c"LANG=C.UTF-8",
    c"TMPDIR=/tmp",
];

/// All that it is told.
pub(crate) fn environment(on: Surroundings) -> Vec<&'static CStr> {
    ENVIRONMENT.into_iter().chain([terminal(on)]).collect()
}

/// What it is told of its terminal.
pub(crate) fn terminal(on: Surroundings) -> &'static CStr {
    match on {
        Surroundings::Pipes => c"TERM=dumb",
        Surroundings::Terminal => c"TERM=xterm",
    }
}

/// Whether a variable is that one.
pub(crate) fn is_of_terminal(variable: &CStr) -> bool {
    variable.to_bytes().starts_with(b"TERM=")
}

/// Becomes the shell; returns only when that fails.
pub fn exec(line: &[u8], on: Surroundings) -> Failure {
    exec_in(line, &environment(on))
}

/// As [`exec`], with other variables.
pub fn exec_in<V: AsRef<CStr>>(line: &[u8], environment: &[V]) -> Failure {
    // The line has no zero byte: the gate refuses it, and the executor before it got here.
    let Ok(line) = CString::new(line) else {
        return Failure::new(Step::Payload, Errno::EINVAL as i32);
    };
    let arguments = [c"sh".to_owned(), c"-c".to_owned(), line];
    let result: Result<Infallible, Errno> = nix::unistd::execve(c"/bin/sh", &arguments, environment);
    match result {
        Ok(never) => match never {},
        Err(errno) => Failure::new(Step::Exec, errno as i32),
    }
}
