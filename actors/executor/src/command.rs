//! A command line, handed to the shell.

use std::convert::Infallible;
use std::ffi::CString;

use nix::errno::Errno;

use crate::step::{Failure, Step};

/// All that a command is told of its surroundings.
pub(crate) const ENVIRONMENT: [&std::ffi::CStr; 6] = [
    c"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    c"HOME=/workspace",
    c"USER=user",
    c"LANG=C.UTF-8",
    c"TERM=dumb",
    c"TMPDIR=/tmp",
];

/// Becomes the shell; returns only when that fails.
pub fn exec(line: &[u8]) -> Failure {
    exec_in(line, &ENVIRONMENT)
}

/// As [`exec`], with other surroundings.
pub fn exec_in<V: AsRef<std::ffi::CStr>>(line: &[u8], environment: &[V]) -> Failure {
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
