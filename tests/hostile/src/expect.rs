//! What must come of an attempt, computed from the table: nothing is written down here for one role or another.

use std::path::Path;

use roles::Row;
use roles::grant::{Access, ArgRule, ArgTest, SyscallGrant, Until, Width};
use roles::rows::sandbox::{COMMANDS, SANDBOX_REFUSED};

use crate::attempts::{Attempt, Behind, How, Target, limits};
use crate::given::Given;
use crate::outcome::Outcome;

/// What must come of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// The filter kills the process.
    Killed,
    /// It fails with one of these error numbers.
    Denied(&'static [i32]),
    /// The row grants it: no filter ends it, and what comes of it is not a matter of privilege.
    Granted,
}

impl Expected {
    /// Whether it came as it must.
    pub fn holds(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (Expected::Killed, outcome) => outcome.is_killed(),
            (Expected::Denied(errors), Outcome::Denied(errno)) => errors.contains(&errno),
            (Expected::Denied(_), Outcome::Done | Outcome::Ended(_)) => false,
            (Expected::Granted, Outcome::Done | Outcome::Denied(_)) => true,
            (Expected::Granted, Outcome::Ended(_)) => false,
        }
    }

    /// Whether it is a refusal.
    pub fn is_refusal(self) -> bool {
        self != Expected::Granted
    }
}

const NOT_THERE_TO_READ: &[i32] = &[libc::ENOENT, libc::EACCES];
const NOT_THERE_TO_WRITE: &[i32] = &[libc::ENOENT, libc::EACCES, libc::EPERM, libc::EROFS];

/// What a filter says to a call.
enum Filter {
    Allows,
    Answers(&'static [i32]),
    Kills,
}

/// What must come of an attempt with these arguments in a process that is sealed to `row`.
pub fn in_role(row: &'static Row, attempt: &Attempt, args: [u64; 6], given: &Given) -> Expected {
    if matches!(attempt.how, How::X32 | How::Int80(_)) {
        return Expected::Killed;
    }
    match filter_of(row, attempt.call, args) {
        Filter::Kills => Expected::Killed,
        Filter::Answers(errors) => Expected::Denied(errors),
        Filter::Allows => behind(row, attempt, given),
    }
}

fn filter_of(row: &'static Row, call: &str, args: [u64; 6]) -> Filter {
    if let Some(answer) = row.answered.iter().find(|answer| answer.name == call) {
        return Filter::Answers(std::slice::from_ref(&answer.errno));
    }
    match row.syscalls.iter().copied().flatten().any(|grant| grants(grant, call, args)) {
        true => Filter::Allows,
        false => Filter::Kills,
    }
}

fn grants(grant: &SyscallGrant, call: &str, args: [u64; 6]) -> bool {
    grant.name == call && grant.args.iter().all(|rule| holds(rule, args))
}

fn holds(rule: &ArgRule, args: [u64; 6]) -> bool {
    let wide = args[usize::from(rule.arg)];
    let argument = match rule.width {
        Width::Low32 => wide & 0xffff_ffff,
        Width::Full64 => wide,
    };
    match rule.test {
        ArgTest::Is(value) => argument == value,
        ArgTest::Masked { mask, value } => argument & mask == value,
    }
}

/// Behind the filter: files and limits of the row, and the kernel's own rules for an account without privilege.
fn behind(row: &'static Row, attempt: &Attempt, given: &Given) -> Expected {
    let beyond = |limit: Option<u64>, wanted: u64, errors| match limit {
        Some(limit) if limit < wanted => Expected::Denied(errors),
        Some(_) | None => Expected::Granted,
    };
    match attempt.behind {
        Behind::Nothing => Expected::Granted,
        Behind::Kernel(errors) => Expected::Denied(errors),
        Behind::ReadsTarget if has_file(row, given, false) => Expected::Granted,
        Behind::WritesTarget if has_file(row, given, true) => Expected::Granted,
        Behind::ReadsTarget => Expected::Denied(NOT_THERE_TO_READ),
        Behind::WritesTarget => Expected::Denied(NOT_THERE_TO_WRITE),
        Behind::OpenFiles => beyond(Some(row.limits.open_files), u64::from(limits::DESCRIPTORS), &[libc::EMFILE]),
        Behind::AddressSpace => beyond(row.limits.address_space_bytes, limits::ADDRESS_SPACE_BYTES, &[libc::ENOMEM]),
        Behind::FileSize => beyond(row.limits.file_size_bytes, u64::MAX, &[libc::EFBIG]),
        Behind::Processes => beyond(row.limits.processes, u64::from(limits::THREADS), &[libc::EAGAIN]),
    }
}

/// Whether the row grants the target for the life of the process.
fn has_file(row: &'static Row, given: &Given, written: bool) -> bool {
    let target = given.path.to_string_lossy();
    let covers = |access| match access {
        Access::Read | Access::ReadExecute => !written,
        Access::ReadWrite | Access::ReadWriteExecute | Access::Device => true,
    };
    let below = |inside: &str| Path::new(&*target).starts_with(inside);
    row.files.iter().any(|grant| grant.until == Until::Exit && below(grant.inside) && covers(grant.access))
}

/// What a command in a sandbox finds of the paths that are tried, by the executor's own rules.
/// `/etc/hostname` is the sandbox's own.
const SANDBOX_READS: [&str; 5] = ["/proc/self/exe", "/proc", "/", "/workspace", "/etc/hostname"];

/// As [`in_role`], for a command in a sandbox: what is on no list is answered, not killed.
pub fn in_sandbox(attempt: &Attempt, args: [u64; 6], given: &Given) -> Expected {
    match attempt.how {
        How::Int80(_) => return Expected::Killed,
        How::X32 => return Expected::Denied(&[libc::ENOSYS]),
        How::Once | How::Forks | How::Repeated(_) | How::Threads(_) => {}
    }
    if SANDBOX_REFUSED.iter().any(|refused| grants(refused, attempt.call, args)) {
        return Expected::Denied(&[libc::EPERM]);
    }
    if !COMMANDS.iter().copied().flatten().any(|grant| grants(grant, attempt.call, args)) {
        return Expected::Denied(&[libc::ENOSYS]);
    }
    let target = given.path.to_string_lossy();
    match attempt.behind {
        Behind::Nothing | Behind::AddressSpace | Behind::FileSize => Expected::Granted,
        Behind::Kernel(errors) => Expected::Denied(errors),
        Behind::ReadsTarget if SANDBOX_READS.contains(&&*target) => Expected::Granted,
        Behind::ReadsTarget => Expected::Denied(NOT_THERE_TO_READ),
        Behind::WritesTarget if is_its_own(attempt.target) => Expected::Granted,
        Behind::WritesTarget => Expected::Denied(NOT_THERE_TO_WRITE),
        Behind::OpenFiles => Expected::Denied(&[libc::EMFILE]),
        Behind::Processes => Expected::Denied(&[libc::EAGAIN]),
    }
}

/// The temporary directory of the sandbox, not of the host.
fn is_its_own(target: Target) -> bool {
    matches!(target, Target::Inside(path) if path.starts_with("/tmp/"))
}

/// What a host without privilege to give, or without the interface, says to the control.
const HOST_LACKS: &[i32] =
    &[libc::ENOSYS, libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT, libc::ESOCKTNOSUPPORT, libc::EOPNOTSUPP, libc::EPERM];

/// What came of the control's attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// It worked: where it fails, it is refused.
    Proven,
    /// This host can't do it at all. A filter's refusal still differs from it.
    NotProvableHere,
    /// It failed for a reason of its own: the attempt is wrong.
    Wrong,
}

/// Judges the control's outcome.
pub fn proof(attempt: &Attempt, outcome: Outcome) -> Proof {
    match outcome {
        Outcome::Done => Proof::Proven,
        Outcome::Denied(errno) if HOST_LACKS.contains(&errno) => Proof::NotProvableHere,
        // A kernel without 32-bit programs has no such gate.
        Outcome::Ended(libc::SIGSEGV) if matches!(attempt.how, How::Int80(_)) => Proof::NotProvableHere,
        Outcome::Denied(_) | Outcome::Ended(_) => Proof::Wrong,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use roles::Role;

    use super::*;
    use crate::attempts::find;

    fn expected(role: Role, name: &str) -> Expected {
        let attempt = find(name).unwrap();
        let mut given = Given::only(9);
        given.aim(attempt.target);
        in_role(role.row(), attempt, (attempt.args)(&given), &given)
    }

    #[test]
    fn the_row_decides() {
        assert_eq!(expected(Role::Brain, "socket_tcp"), Expected::Killed);
        assert_eq!(expected(Role::Connector, "socket_tcp"), Expected::Granted);
        assert_eq!(expected(Role::Connector, "socket_mptcp"), Expected::Killed);
        assert_eq!(expected(Role::Connector, "bind"), Expected::Denied(&[libc::EPERM]));
        assert_eq!(expected(Role::Brain, "clone3_process"), Expected::Denied(&[libc::ENOSYS]));
        assert_eq!(expected(Role::Executor, "clone3_process"), Expected::Killed);
        assert_eq!(expected(Role::Brain, "receive_descriptor"), Expected::Killed);
        assert_eq!(expected(Role::Brain, "open_shadow"), Expected::Killed);
        assert_eq!(expected(Role::Memory, "open_shadow"), Expected::Denied(NOT_THERE_TO_READ));
        assert_eq!(expected(Role::Memory, "list_inside_memory"), Expected::Granted);
        assert_eq!(expected(Role::Gate, "list_inside_gate"), Expected::Granted);
        assert_eq!(expected(Role::Gate, "overwrite_gates_policy"), Expected::Denied(NOT_THERE_TO_WRITE));
        assert_eq!(expected(Role::Model, "many_threads"), Expected::Denied(&[libc::EAGAIN]));
        assert_eq!(expected(Role::Model, "much_memory"), Expected::Granted);
        assert_eq!(expected(Role::Memory, "much_memory"), Expected::Denied(&[libc::ENOMEM]));
    }

    #[test]
    fn a_granted_attempt_may_fail_but_is_not_killed() {
        assert!(Expected::Granted.holds(Outcome::Denied(libc::EBADF)));
        assert!(!Expected::Granted.holds(Outcome::Ended(libc::SIGSYS)));
        assert!(!Expected::Killed.holds(Outcome::Denied(libc::EPERM)));
        assert!(!Expected::Denied(&[libc::EPERM]).holds(Outcome::Done));
    }
}
