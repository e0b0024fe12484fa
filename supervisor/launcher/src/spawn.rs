//! From a clone to a role's program: the steps of a child, each of which may fail and says so over a pipe.

use std::fs::{self, File};
use std::{ffi::CString, io::Result, os::fd::OwnedFd, path::Path};

use nix::fcntl::{AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Pid, Uid, execveat, pipe2, setgroups, setresgid, setresuid, setsid, write};
use nix::{errno::Errno, sys::prctl};
use roles::grant::{DescriptorKind, FileGrant, Limits};
use roles::launch::{Failed, Instance, Refusal};
use roles::{Row, account::Ids, fd};

use crate::{cage, errors::errno_of, paths::Host, sanitize::FIRST_OWN_FD, sys};

/// Numbers of the descriptors that a child needs until it becomes its program, among the reserved ones.
const STATUS: i32 = 7;
const PROGRAM: i32 = 8;

/// All that a child needs to become its role.
pub struct Plan<'a> {
    pub host: &'a Host,
    pub who: Instance,
    pub ids: Ids,
    pub cgroup: Option<&'a Path>,
    pub program: &'a OwnedFd,
    pub log: &'a File,
    /// Its ends of its lines, launcher's and supervisor's.
    pub lines: [&'a OwnedFd; 2],
}

/// One act of a child on its way to its program.
enum Act {
    Step(&'static str, fn(&Plan) -> Result<()>),
    Place(&'static FileGrant),
}

const AS_ROOT: [Act; 5] = [
    Act::Step("put descriptors in place", place_descriptors),
    Act::Step("start a session", start_session),
    Act::Step("join the control group", join_cgroup),
    Act::Step("make namespaces", |plan| cage::leave_namespaces(plan.who.role.row())),
    Act::Step("make the root directory", |_| cage::lay_floor()),
];

const TO_THE_ROLE: [Act; 7] = [
    Act::Step("enter the root directory", |_| cage::enter()),
    Act::Step("set limits", |plan| limit(&plan.who.role.row().limits)),
    Act::Step("empty the bounding set", |_| Ok(sys::drop_bounding(|_| false)?)),
    Act::Step("change the account", |plan| change_account(plan.ids)),
    Act::Step("die with the launcher", |_| die_with_launcher()),
    Act::Step("set no_new_privs", |_| Ok(prctl::set_no_new_privs()?)),
    Act::Step("run the program", run_program),
];

/// All acts of a role's start, in order: between the two lists the role's files are put in place, one by one.
fn acts(row: &'static Row) -> impl Iterator<Item = Act> {
    AS_ROOT.into_iter().chain(row.files.iter().map(Act::Place)).chain(TO_THE_ROLE)
}

/// What the supervisor is told.
pub fn refusal(failed: Failed, row: &'static Row) -> (Refusal, i32) {
    match acts(row).nth(usize::from(failed.act)) {
        Some(Act::Place(_)) if failed.errno == libc::ENOENT => (Refusal::FileMissing, failed.errno),
        Some(Act::Place(_) | Act::Step(..)) | None => (Refusal::Failed, failed.errno),
    }
}

/// Step, object and cause, for the log.
pub fn describe(failed: Failed, row: &'static Row) -> String {
    let cause = Errno::from_raw(failed.errno).desc();
    match acts(row).nth(usize::from(failed.act)) {
        Some(Act::Step(words, _)) => format!("{words}: {}: {cause}", row.binary),
        Some(Act::Place(grant)) => format!("put in place: {:?} as {}: {cause}", grant.source, grant.inside),
        None => format!("unknown step: {}: {cause}", row.binary),
    }
}

/// Clones a child that becomes its role. Returns its process id and the pipe that says how that went.
pub fn spawn(plan: &Plan) -> nix::Result<(Pid, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    if let Some(pid) = sys::fork_into(libc::CLONE_NEWPID)? {
        return Ok((pid, reader));
    }
    // Should this fail, so does the first act.
    let _ = sys::place(&writer, STATUS, libc::O_CLOEXEC);
    let failed = become_role(plan);
    let _ = write(sys::reserved(STATUS), &failed.to_bytes());
    sys::exit_now(127)
}

/// Returns only when it failed. Where not even the pipe could be put in place, the launcher sees exit status 127.
fn become_role(plan: &Plan) -> Failed {
    for (number, act) in acts(plan.who.role.row()).enumerate() {
        let done = match act {
            Act::Step(_, step) => step(plan),
            Act::Place(grant) => cage::place(grant, plan.who.slot, plan.ids, &plan.host.libexec),
        };
        if let Err(e) = done {
            return Failed { act: number as u8, errno: errno_of(&e) as i32 };
        }
    }
    Failed { act: u8::MAX, errno: 0 }
}

/// After this the child holds nothing else of the launcher's: above all no copy of another role's line.
fn place_descriptors(plan: &Plan) -> Result<()> {
    sys::place(plan.program, PROGRAM, libc::O_CLOEXEC)?;
    sys::place(&plan.host.null, 0, 0)?;
    sys::place(plan.log, 1, 0)?;
    sys::place(plan.log, 2, 0)?;
    for descriptor in plan.who.role.row().descriptors {
        let Some(number) = descriptor.number else { continue };
        match descriptor.what {
            DescriptorKind::Line => sys::place(plan.lines[0], number, 0)?,
            DescriptorKind::Control => sys::place(plan.lines[1], number, 0)?,
            DescriptorKind::Listener => sys::place(&plan.host.listener, number, 0)?,
            DescriptorKind::AuditLog => sys::place(&plan.host.audit_log, number, 0)?,
            // Edges arrive later, on the line.
            DescriptorKind::Edge => {}
        }
    }
    Ok(sys::close_from(FIRST_OWN_FD)?)
}

fn start_session(_: &Plan) -> Result<()> {
    SigSet::empty().thread_set_mask()?;
    sys::reset_signal_handlers();
    setsid()?;
    Ok(sys::new_session_keyring()?)
}

fn join_cgroup(plan: &Plan) -> Result<()> {
    plan.cgroup.map_or(Ok(()), |group| fs::write(group.join("cgroup.procs"), "0"))
}

/// Limits are lowered, never raised: not every host leaves root the right to.
fn limit(limits: &Limits) -> Result<()> {
    let wanted = [
        // Not 0: a core pattern that is a pipe heeds no limit but this one.
        (Resource::RLIMIT_CORE, Some(1)),
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

fn change_account(Ids { uid, gid }: Ids) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    // Leaving user 0 empties the permitted and effective sets; the others are empty since the launcher's start.
    Ok(setresuid(uid, uid, uid)?)
}

/// After the change of account, which clears the signal. A launcher that died before it was set is seen by the line,
/// hung up: getppid says 0 in a new pid namespace either way.
fn die_with_launcher() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut line = [PollFd::new(sys::reserved(fd::LINE), PollFlags::empty())];
    match poll(&mut line, PollTimeout::ZERO)? {
        0 => Ok(()),
        _ => Err(Errno::EPIPE.into()),
    }
}

fn run_program(plan: &Plan) -> Result<()> {
    let arguments = [CString::new(plan.who.role.row().binary)?, CString::new(plan.who.slot.to_string())?];
    let environment: [CString; 0] = [];
    execveat(sys::reserved(PROGRAM), c"", &arguments, &environment, AtFlags::AT_EMPTY_PATH)?;
    Ok(())
}

#[path = "../tests/unit/spawn.rs"]
#[cfg(test)]
mod tests;
