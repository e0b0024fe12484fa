//! From a clone to a role's program: the steps of a child, each of which may fail and says so over a pipe.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Pid, Uid, execveat, pipe2, setgroups, setresgid, setresuid, setsid, write};
use roles::Row;
use roles::fd;
use roles::grant::Limits;

use crate::accounts::Ids;
use crate::cage::{self, NotPlaced};
use crate::errors::errno_of;
use crate::sanitize::FIRST_OWN_FD;
use crate::sys;

/// Numbers of the descriptors that a child needs until it becomes its program, among the reserved ones.
const STATUS: i32 = 7;
const PROGRAM: i32 = 8;
const LAUNCHER: i32 = 9;

/// Bytes that a child writes about the step that failed.
pub const STATUS_BYTES: usize = 6;

/// All that a child needs to become its role.
pub struct Plan<'a> {
    pub row: &'static Row,
    pub slot: u32,
    pub ids: Ids,
    pub libexec: &'a Path,
    pub cgroup: Option<&'a Path>,
    pub program: BorrowedFd<'a>,
    pub null: BorrowedFd<'a>,
    pub log: BorrowedFd<'a>,
    /// A pidfd of the launcher.
    pub launcher: BorrowedFd<'a>,
    /// Descriptors of the role besides null and log, by number.
    pub given: Vec<(i32, BorrowedFd<'a>)>,
}

/// A step of a child's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Step {
    Descriptors = 1,
    Session,
    Cgroup,
    Namespaces,
    Floor,
    Grant,
    GrantMissing,
    Root,
    Limits,
    Bounding,
    Account,
    ParentDeath,
    NoNewPrivs,
    Exec,
}

impl Step {
    const ALL: [(Step, &'static str); 14] = [
        (Step::Descriptors, "put descriptors in place"),
        (Step::Session, "start a session"),
        (Step::Cgroup, "join the control group"),
        (Step::Namespaces, "make namespaces"),
        (Step::Floor, "make the root directory"),
        (Step::Grant, "mount"),
        (Step::GrantMissing, "find"),
        (Step::Root, "enter the root directory"),
        (Step::Limits, "set limits"),
        (Step::Bounding, "empty the bounding set"),
        (Step::Account, "change the account"),
        (Step::ParentDeath, "die with the launcher"),
        (Step::NoNewPrivs, "set no_new_privs"),
        (Step::Exec, "run the program"),
    ];
}

/// Which step failed, at which of the row's file grants, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepFailed {
    pub step: Step,
    pub grant: u8,
    pub errno: i32,
}

impl StepFailed {
    fn to_bytes(self) -> [u8; STATUS_BYTES] {
        let [a, b, c, d] = self.errno.to_le_bytes();
        [self.step as u8, self.grant, a, b, c, d]
    }

    /// What a child wrote.
    pub fn from_bytes(bytes: [u8; STATUS_BYTES]) -> Option<StepFailed> {
        let [step, grant, a, b, c, d] = bytes;
        let (step, _) = Step::ALL.into_iter().find(|(s, _)| *s as u8 == step)?;
        let errno = i32::from_le_bytes([a, b, c, d]);
        Some(StepFailed { step, grant, errno })
    }

    /// Step, object and cause, for the log.
    pub fn describe(self, row: &Row) -> String {
        let step = Step::ALL.into_iter().find(|(s, _)| *s == self.step);
        let step = step.map_or("start", |(_, words)| words);
        let grant = row.files.get(usize::from(self.grant));
        let object = match (self.step, grant) {
            (Step::Grant | Step::GrantMissing, Some(g)) => format!("{:?} as {}", g.source, g.inside),
            _ => row.binary.to_owned(),
        };
        format!("{step}: {object}: {}", Errno::from_raw(self.errno).desc())
    }
}

/// Clones a child that becomes its role. Returns its process id and the pipe that says how that went.
pub fn spawn(plan: &Plan) -> nix::Result<(Pid, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    if let Some(pid) = sys::fork_into(libc::CLONE_NEWPID)? {
        return Ok((pid, reader));
    }
    let Err(failed) = become_role(plan, writer.as_raw_fd());
    report(failed);
    sys::exit_now(127)
}

fn report(failed: StepFailed) {
    let _ = write(sys::reserved(STATUS), &failed.to_bytes());
}

fn become_role(plan: &Plan, status: i32) -> Result<Infallible, StepFailed> {
    let at = |step: Step| move |errno: Errno| StepFailed { step, grant: u8::MAX, errno: errno as i32 };
    place_descriptors(plan, status).map_err(at(Step::Descriptors))?;
    start_session().map_err(at(Step::Session))?;
    join(plan.cgroup).map_err(at(Step::Cgroup))?;
    cage::leave_namespaces(plan.row).map_err(at(Step::Namespaces))?;
    cage::lay_floor().map_err(at(Step::Floor))?;
    place_grants(plan)?;
    cage::enter().map_err(at(Step::Root))?;
    limit(&plan.row.limits).map_err(at(Step::Limits))?;
    sys::drop_bounding(|_| false).map_err(at(Step::Bounding))?;
    change_account(plan.ids).map_err(at(Step::Account))?;
    die_with_launcher().map_err(at(Step::ParentDeath))?;
    prctl::set_no_new_privs().map_err(at(Step::NoNewPrivs))?;
    run(plan).map_err(at(Step::Exec))
}

/// After this the child holds nothing else of the launcher's: above all no copy of another role's line.
fn place_descriptors(plan: &Plan, status: i32) -> nix::Result<()> {
    let cloexec = libc::O_CLOEXEC;
    sys::place(status, STATUS, cloexec)?;
    sys::place(plan.program.as_raw_fd(), PROGRAM, cloexec)?;
    sys::place(plan.launcher.as_raw_fd(), LAUNCHER, cloexec)?;
    sys::place(plan.null.as_raw_fd(), 0, 0)?;
    sys::place(plan.log.as_raw_fd(), 1, 0)?;
    sys::place(plan.log.as_raw_fd(), 2, 0)?;
    for (number, given) in &plan.given {
        sys::place(given.as_raw_fd(), *number, 0)?;
    }
    sys::close_from(FIRST_OWN_FD)
}

fn start_session() -> nix::Result<()> {
    SigSet::empty().thread_set_mask()?;
    sys::reset_signal_handlers();
    setsid()?;
    sys::new_session_keyring()
}

fn join(cgroup: Option<&Path>) -> nix::Result<()> {
    match cgroup {
        Some(group) => fs::write(group.join("cgroup.procs"), "0").map_err(|e| errno_of(&e)),
        None => Ok(()),
    }
}

fn place_grants(plan: &Plan) -> Result<(), StepFailed> {
    for (number, grant) in plan.row.files.iter().enumerate() {
        let placed = cage::place(grant, plan.slot, plan.ids, plan.libexec);
        let (step, errno) = match placed {
            Ok(()) => continue,
            Err(NotPlaced::Missing) => (Step::GrantMissing, Errno::ENOENT),
            Err(NotPlaced::Failed(errno)) => (Step::Grant, errno),
        };
        return Err(StepFailed { step, grant: number as u8, errno: errno as i32 });
    }
    Ok(())
}

/// Limits are lowered, never raised: not every host leaves root the right to.
fn limit(limits: &Limits) -> nix::Result<()> {
    let wanted = [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_AS, limits.address_space_bytes),
        (Resource::RLIMIT_NOFILE, Some(limits.open_files)),
        (Resource::RLIMIT_NPROC, limits.processes),
        (Resource::RLIMIT_FSIZE, limits.file_size_bytes),
    ];
    for (resource, value) in wanted {
        if let Some(value) = value {
            let (_, hard) = getrlimit(resource)?;
            let value = value.min(hard);
            setrlimit(resource, value, value)?;
        }
    }
    Ok(())
}

fn change_account(Ids { uid, gid }: Ids) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    // Leaving user 0 empties the permitted and effective sets; the others are empty since the launcher's start.
    setresuid(uid, uid, uid)
}

/// After the change of account, which clears the signal. A launcher that died before it was set is seen by its line,
/// hung up, or by its pidfd: getppid says 0 in a new pid namespace either way.
fn die_with_launcher() -> nix::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut looked = [
        PollFd::new(sys::reserved(fd::LINE), PollFlags::empty()),
        PollFd::new(sys::reserved(LAUNCHER), PollFlags::POLLIN),
    ];
    match poll(&mut looked, PollTimeout::ZERO)? {
        0 => Ok(()),
        _ => Err(Errno::EPIPE),
    }
}

fn run(plan: &Plan) -> nix::Result<Infallible> {
    let name = CString::new(plan.row.binary).map_err(|_| Errno::EINVAL)?;
    let slot = CString::new(plan.slot.to_string()).map_err(|_| Errno::EINVAL)?;
    let environment: [CString; 0] = [];
    let by_descriptor = AtFlags::AT_EMPTY_PATH;
    execveat(sys::reserved(PROGRAM), c"", &[name, slot], &environment, by_descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_step_survives_the_pipe() {
        for (step, words) in Step::ALL {
            let failed = StepFailed { step, grant: 0, errno: libc::EPERM };
            assert_eq!(StepFailed::from_bytes(failed.to_bytes()), Some(failed));
            assert!(failed.describe(roles::Role::Gate.row()).starts_with(words));
        }
        assert_eq!(StepFailed::from_bytes([0; STATUS_BYTES]), None);
    }

    #[test]
    fn a_failed_grant_is_named() {
        let failed = StepFailed { step: Step::GrantMissing, grant: 0, errno: libc::ENOENT };
        let words = failed.describe(roles::Role::Gate.row());
        assert!(words.contains("etc/gate"), "{words}");
    }
}
