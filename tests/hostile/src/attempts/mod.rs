//! The table of attempts. Each is one thing tried, and says nothing about who may do it.

use crate::given::Given;

mod files;
mod kernel;
pub mod limits;
mod processes;
pub mod sockets;

/// One thing tried.
#[derive(Clone, Copy)]
pub struct Attempt {
    /// Its name in orders, logs and reports.
    pub name: &'static str,
    /// What an attacker would have of it.
    pub what: &'static str,
    /// The system call, by its name in the kernel's table.
    pub call: &'static str,
    /// Its arguments.
    pub args: fn(&Given) -> [u64; 6],
    /// How the call is made.
    pub how: How,
    /// The file it is about.
    pub target: Target,
    /// What refuses it where the filter lets the call through.
    pub behind: Behind,
}

/// How a system call is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// As it is.
    Once,
    /// It makes a second process, which ends at once.
    Forks,
    /// Up to so many times, until one fails.
    Repeated(u32),
    /// By starting threads that stay, up to so many, until one can't be started.
    Threads(u32),
    /// By its number in the x32 table.
    X32,
    /// Through the gate of 32-bit programs, by this number there; without arguments.
    Int80(u32),
}

/// The file that an attempt is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// None.
    Nothing,
    /// An absolute path of the host.
    Host(&'static str),
    /// A path below the service's root directory on the host.
    Root(&'static str),
    /// An absolute path in the role's own root; for the control, below a directory of its own.
    Inside(&'static str),
    /// A file of the other process in /proc.
    OfVictim(&'static str),
}

/// What refuses an attempt where the filter lets its call through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    /// Nothing: who has the call has what is tried.
    Nothing,
    /// The kernel, with one of these error numbers.
    Kernel(&'static [i32]),
    /// What the row says about files: the target is read.
    ReadsTarget,
    /// What the row says about files: the target is changed.
    WritesTarget,
    /// The row's limit of open files.
    OpenFiles,
    /// The row's limit of address space.
    AddressSpace,
    /// The row's limit of a file's size.
    FileSize,
    /// The row's limit of processes and threads.
    Processes,
}

/// A call as it is, behind which there is nothing.
const fn call(name: &'static str, what: &'static str, call: &'static str, args: fn(&Given) -> [u64; 6]) -> Attempt {
    Attempt { name, what, call, args, how: How::Once, target: Target::Nothing, behind: Behind::Nothing }
}

impl Attempt {
    const fn made(self, how: How) -> Attempt {
        Attempt { how, ..self }
    }

    const fn behind(self, behind: Behind) -> Attempt {
        Attempt { behind, ..self }
    }

    const fn at(self, target: Target) -> Attempt {
        Attempt { target, ..self }
    }

    const fn reads(self, target: Target) -> Attempt {
        Attempt { target, behind: Behind::ReadsTarget, ..self }
    }

    const fn writes(self, target: Target) -> Attempt {
        Attempt { target, behind: Behind::WritesTarget, ..self }
    }
}

/// Every attempt.
pub fn all() -> impl Iterator<Item = &'static Attempt> {
    [sockets::ATTEMPTS, processes::ATTEMPTS, kernel::ATTEMPTS, files::ATTEMPTS, limits::ATTEMPTS].into_iter().flatten()
}

/// The attempt of that name.
pub fn find(name: &str) -> Option<&'static Attempt> {
    all().find(|attempt| attempt.name == name)
}

/// Error numbers of calls that need a privilege, or name an id that the namespace does not have.
const PRIVILEGE: Behind = Behind::Kernel(&[libc::EPERM, libc::EINVAL]);

/// Arguments of a call without any.
fn none(_: &Given) -> [u64; 6] {
    [0; 6]
}

/// A descriptor, or any other signed number, as an argument.
fn n(number: i32) -> u64 {
    number as i64 as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_calls_exist() {
        let names: BTreeSet<_> = all().map(|attempt| attempt.name).collect();
        assert_eq!(names.len(), all().count());
        for attempt in all() {
            attempt.call.parse::<syscalls::Sysno>().map_err(|()| attempt.call).unwrap();
            assert!(!attempt.what.is_empty() && !attempt.name.contains(' '), "{}", attempt.name);
        }
    }
}
