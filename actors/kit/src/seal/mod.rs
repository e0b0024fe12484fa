//! A role's own seal: it narrows itself to its row of the table, for good.
//!
//! In this order: one thread only (Landlock binds the calling thread), no new privileges, not dumpable, Landlock,
//! the filters that answer with an error number, the allow-list that kills. The same in every build profile.

mod filter;
mod landlock;

use nix::sched::{CloneFlags, unshare};
use roles::Row;

pub use filter::{allow_list, answers};
pub use landlock::{LandlockReport, MISSING_SINCE};

/// Which Landlock interface to use: the kernel's newest that we know, or, in tests, an older one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LandlockVersion {
    /// What the kernel has.
    Newest,
    /// At most this one, to see what an older kernel would do.
    AtMost(i32),
}

/// A step of the seal that failed. The role exits: there is no unsealed mode.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Landlock binds one thread, so a second one would stay free.
    #[error("seal: more than one thread runs before the seal ({0}); start threads afterwards")]
    Threads(nix::Error),
    /// A process attribute could not be set.
    #[error("seal: {step}: {error}")]
    Attribute {
        /// Which.
        step: &'static str,
        /// Why.
        error: nix::Error,
    },
    /// The kernel has no Landlock.
    #[error(
        "seal: this kernel has no Landlock, or it is switched off; Linux 5.13 or later is needed, with \
         `landlock` among the names in /sys/kernel/security/lsm (boot parameter lsm=landlock,...)"
    )]
    NoLandlock,
    /// The row has no ruleset: it is not a role's.
    #[error("seal: the row `{0}` has no Landlock ruleset and is not sealed by itself")]
    NotForRoles(&'static str),
    /// A step of the ruleset failed.
    #[error("seal: Landlock: {step}: {error}")]
    Landlock {
        /// Which.
        step: String,
        /// Why.
        error: String,
    },
    /// A system call of the table has no such name on this processor.
    #[error("seal: the table's row `{row}` names a system call `{name}` that does not exist")]
    UnknownSyscall {
        /// Whose row.
        row: &'static str,
        /// The name.
        name: &'static str,
    },
    /// A filter could not be compiled or installed.
    #[error("seal: seccomp: {step}: {error}")]
    Seccomp {
        /// Which step.
        step: &'static str,
        /// Why.
        error: String,
    },
}

/// Seals this process to `row` with all that the kernel has.
///
/// # Errors
/// Any step that fails; the process may be half sealed then and must exit.
pub fn seal(row: &Row) -> Result<LandlockReport, SealError> {
    seal_at(row, LandlockVersion::Newest)
}

/// As [`seal`], with a Landlock interface no newer than `version`.
///
/// # Errors
/// As [`seal`].
pub fn seal_at(row: &Row, version: LandlockVersion) -> Result<LandlockReport, SealError> {
    // Compiled first: a filter that does not compile should fail before anything is given up.
    let answers = filter::answers(row)?;
    let allowed = filter::allow_list(row)?;
    one_thread()?;
    no_way_back()?;
    let report = landlock::restrict(row, version)?;
    for answer in &answers {
        filter::install(answer)?;
    }
    filter::install(&allowed)?;
    Ok(report)
}

/// Asks the kernel: unsharing the thread group does nothing in a process of one thread and fails in any other.
fn one_thread() -> Result<(), SealError> {
    unshare(CloneFlags::CLONE_THREAD).map_err(SealError::Threads)
}

fn no_way_back() -> Result<(), SealError> {
    nix::sys::prctl::set_no_new_privs().map_err(|error| SealError::Attribute { step: "no new privileges", error })?;
    nix::sys::prctl::set_dumpable(false).map_err(|error| SealError::Attribute { step: "not dumpable", error })
}
