//! What the process that unpacks takes from itself before it reads a byte of the image.

use std::os::fd::BorrowedFd;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, getresuid, setgid, setgroups, setresgid, setresuid};

use crate::filter;
use crate::limits::{Limits, UNPACK_ADDRESS_SPACE_BYTES, UNPACK_CPU_S, UNPACK_OPEN_FILES};

/// The newest Landlock this code knows; an older kernel enforces what it has.
const NEWEST: ABI = ABI::V6;

/// A step that failed. There is no unconfined mode: nothing is unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A call failed.
    #[error("confining the process that unpacks: {step}: {errno}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// The error.
        errno: Errno,
    },
    /// Landlock or the filter.
    #[error("confining the process that unpacks: {0}; `chela doctor` says what the kernel lacks")]
    Kernel(String),
}

fn at(step: &'static str) -> impl FnOnce(Errno) -> ConfineError {
    move |errno| ConfineError::Step { step, errno }
}

/// Gives up root, network, every file but what is beneath `into`, and every system call but the table's. The process
/// has one thread.
///
/// # Errors
/// See [`ConfineError`].
pub fn confine(uid: u32, gid: u32, into: BorrowedFd<'_>) -> Result<(), ConfineError> {
    let alone = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    unshare(alone).map_err(at("leaving the network"))?;
    limit().map_err(at("setting limits"))?;
    umask(Mode::from_bits_truncate(0o022));
    become_nobody(uid, gid)?;
    landlock(into)?;
    let program = filter::allow_list(roles::rows::unpack::SYSCALLS).map_err(ConfineError::Kernel)?;
    seccompiler::apply_filter(&program).map_err(|error| ConfineError::Kernel(format!("its filter: {error}")))
}

fn limit() -> Result<(), Errno> {
    let largest_file = Limits::default().unpacked_bytes;
    for (what, bound) in [
        (Resource::RLIMIT_AS, UNPACK_ADDRESS_SPACE_BYTES),
        (Resource::RLIMIT_FSIZE, largest_file),
        (Resource::RLIMIT_CPU, UNPACK_CPU_S),
        (Resource::RLIMIT_NOFILE, UNPACK_OPEN_FILES),
        (Resource::RLIMIT_CORE, 0),
    ] {
        setrlimit(what, bound, bound)?;
    }
    Ok(())
}

fn become_nobody(uid: u32, gid: u32) -> Result<(), ConfineError> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&[]).map_err(at("leaving groups"))?;
    setgid(group).and_then(|()| setresgid(group, group, group)).map_err(at("changing the group"))?;
    setresuid(user, user, user).map_err(at("changing the account"))?;
    let now = getresuid().map_err(at("looking at the account"))?;
    if user.is_root() || [now.real, now.effective, now.saved] != [user; 3] {
        return Err(at("changing the account")(Errno::EPERM));
    }
    // Not before: a change of account takes it back.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("ending with the command"))?;
    nix::sys::prctl::set_dumpable(false).map_err(at("keeping others from looking in"))
}

fn landlock(into: BorrowedFd<'_>) -> Result<(), ConfineError> {
    let failed = |error: landlock::RulesetError| ConfineError::Kernel(format!("Landlock: {error}"));
    let rights = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let rules = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .add_rule(PathBeneath::new(into, rights))?
            .restrict_self()
    };
    match rules().map_err(failed)?.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(ConfineError::Kernel("it has no Landlock".to_owned())),
    }
}
