//! What a sandbox's init takes from itself before anything of the person's runs in it.

use std::ffi::OsString;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::directories;
use crate::limits::{ADDRESS_SPACE_BYTES, DATA_BYTES, FILE_BYTES, OPEN_FILES, PROCESSES};
use crate::stage::{DEVICES, SYSTEM};
use crate::step::{At, Failure, Step};
use crate::terminal;

/// The newest Landlock this code knows; an older kernel enforces what it has.
const NEWEST: ABI = ABI::V6;

/// Limits of each process in the sandbox; processes of the whole sandbox.
pub fn limit() -> Result<(), Failure> {
    for (what, bound) in [
        (Resource::RLIMIT_AS, ADDRESS_SPACE_BYTES),
        (Resource::RLIMIT_DATA, DATA_BYTES),
        (Resource::RLIMIT_NPROC, PROCESSES),
        (Resource::RLIMIT_FSIZE, FILE_BYTES),
        (Resource::RLIMIT_NOFILE, OPEN_FILES),
        // Not 0: a core pattern that is a pipe heeds no limit but this one.
        (Resource::RLIMIT_CORE, 1),
    ] {
        limit_to(what, bound)?;
    }
    Ok(())
}

/// Processor time of each process from here on, seconds.
pub fn limit_cpu(cpu_s: u32) -> Result<(), Failure> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU).at(Step::Limits)?;
    let bound = u64::from(cpu_s).min(hard);
    // A process is told of its time a second before it is killed: so it is known what ended it.
    setrlimit(Resource::RLIMIT_CPU, bound, bound.saturating_add(1).min(hard)).at(Step::Limits)
}

/// A limit that is lower already can't be raised without a capability, and need not be.
fn limit_to(what: Resource, bound: u64) -> Result<(), Failure> {
    let (_, hard) = getrlimit(what).at(Step::Limits)?;
    let bound = bound.min(hard);
    setrlimit(what, bound, bound).at(Step::Limits)
}

/// Rules for a command's files, of all but what comes with its request.
pub struct Prepared(Result<RulesetCreated, landlock::RulesetError>);

impl Prepared {
    /// They hold no file open that a command could reach.
    pub fn of_a_command() -> Prepared {
        Prepared(ruleset(&[], false))
    }

    /// Adds the workspace and the directories of these names, and enforces them.
    ///
    /// # Errors
    /// The failed step.
    pub fn enforce(self, writable: &[OsString]) -> Result<(), Failure> {
        let rules = self.0.and_then(|rules| changed(rules, writable));
        enforced(rules.and_then(|rules| allow(rules, "/workspace", own())))
    }
}

/// File access by Landlock: what the mounts leave open is narrowed once more, and survives a mistake in them. `writable`:
/// names of directories that may be changed. `on_terminal`: it has terminals of its own.
///
/// # Errors
/// The failed step.
pub fn landlock(writable: &[OsString], on_terminal: bool) -> Result<(), Failure> {
    enforced(ruleset(writable, on_terminal))
}

/// As [`landlock`], for our own file tools: the workspace, directories that were added, and nothing else.
///
/// # Errors
/// The failed step.
pub fn landlock_workspace(writable: &[OsString]) -> Result<(), Failure> {
    let rules = empty().and_then(|rules| allow(rules, "/workspace", own()));
    enforced(rules.and_then(|rules| added(rules, AccessFs::ReadFile | AccessFs::ReadDir, writable)))
}

/// Directories that were added, to be read; those of these names to be changed too.
fn added(
    mut rules: RulesetCreated,
    read: BitFlags<AccessFs>,
    writable: &[OsString],
) -> Result<RulesetCreated, landlock::RulesetError> {
    rules = allow(rules, directories::INSIDE, read)?;
    changed(rules, writable)
}

/// Directories that were added, of these names, to be changed.
fn changed(mut rules: RulesetCreated, writable: &[OsString]) -> Result<RulesetCreated, landlock::RulesetError> {
    for name in writable {
        rules = allow(rules, &format!("{}/{}", directories::INSIDE, name.to_string_lossy()), own())?;
    }
    Ok(rules)
}

fn enforced(rules: Result<RulesetCreated, landlock::RulesetError>) -> Result<(), Failure> {
    let status = rules.and_then(|rules| rules.restrict_self()).map_err(|_| Failure::new(Step::Landlock, 0))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(Failure::new(Step::Landlock, libc::EOPNOTSUPP)),
    }
}

/// What the person's own files may have done to them.
fn own() -> BitFlags<AccessFs> {
    AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev)
}

/// Nothing is allowed.
fn empty() -> Result<RulesetCreated, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

fn ruleset(writable: &[OsString], on_terminal: bool) -> Result<RulesetCreated, landlock::RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let mut rules = empty()?;
    rules = allow(rules, "/", AccessFs::ReadDir.into())?;
    for name in SYSTEM {
        rules = allow(rules, &format!("/{name}"), read | AccessFs::Execute)?;
    }
    rules = added(rules, read | AccessFs::Execute, writable)?;
    rules = allow(rules, "/etc", read)?;
    rules = allow(rules, "/proc", read)?;
    for name in DEVICES {
        rules = allow(rules, &format!("/dev/{name}"), device)?;
    }
    if on_terminal {
        rules = allow(rules, terminal::AT, device | AccessFs::ReadDir)?;
    }
    rules = allow(rules, "/tmp", own())?;
    allow(rules, "/workspace", own())
}

/// As [`landlock`], where an image is the root: all of it may be read and run.
///
/// # Errors
/// The failed step.
pub fn landlock_image(writable: &[OsString], on_terminal: bool) -> Result<(), Failure> {
    let all = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    enforced(
        ruleset(writable, on_terminal)
            .and_then(|rules| allow(rules, "/", all))
            .and_then(|rules| allow(rules, "/run", own())),
    )
}

/// What is not there needs no rule.
fn allow(
    rules: RulesetCreated,
    path: &str,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    match PathFd::new(path) {
        Ok(fd) => rules.add_rule(PathBeneath::new(fd, access)),
        Err(_) => Ok(rules),
    }
}
