//! From a row's files and network to a Landlock ruleset: whatever is handled and not granted is denied.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use roles::Row;
use roles::grant::{Access, FileGrant, Landlock, Network, Until};

use super::{LandlockVersion, SealError};
use crate::sys;

/// What each version of the interface brought, newest last: what a kernel lacks that is older.
pub const MISSING_SINCE: [(i32, &str); 5] = [
    (2, "moving files between directories by rule"),
    (3, "denying truncation"),
    (4, "denying TCP bind and connect"),
    (5, "denying device requests (ioctl)"),
    (6, "denying signals and abstract sockets outside"),
];

/// What the seal could do with the kernel's Landlock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LandlockReport {
    /// Version used.
    pub version: i32,
}

impl LandlockReport {
    /// What this kernel's Landlock can't do.
    pub fn missing(self) -> impl Iterator<Item = &'static str> {
        MISSING_SINCE.into_iter().filter(move |(since, _)| *since > self.version).map(|(_, what)| what)
    }
}

/// The newest version whose meaning this code knows.
const KNOWN_VERSION: i32 = 10;

pub(super) fn restrict(row: &Row, version: LandlockVersion) -> Result<LandlockReport, SealError> {
    let with_files = match row.landlock {
        Landlock::None { .. } => return Err(SealError::NotForRoles(row.name)),
        Landlock::Full => true,
        Landlock::WithoutFiles { .. } => false,
    };
    let report = LandlockReport { version: usable(version) };
    if report.version == 0 {
        return Err(SealError::NoLandlock);
    }
    let abi = ABI::from(report.version);
    let net = handled_net(row, abi);
    let scope = Scope::from_all(abi);
    if !with_files && net.is_empty() && scope.is_empty() {
        return Ok(report);
    }
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if with_files {
        ruleset = ruleset.handle_access(AccessFs::from_all(abi)).map_err(at("handling files"))?;
    }
    if !net.is_empty() {
        ruleset = ruleset.handle_access(net).map_err(at("handling network"))?;
    }
    if !scope.is_empty() {
        ruleset = ruleset.scope(scope).map_err(at("handling signals and abstract sockets"))?;
    }
    let mut created = ruleset.create().map_err(at("making the ruleset"))?;
    if with_files {
        for grant in row.files.iter().filter(|grant| grant.until == Until::Exit) {
            if let Some(rule) = rule(grant, abi)? {
                created = created.add_rule(rule).map_err(at(&format!("allowing {}", grant.inside)))?;
            }
        }
    }
    let status = created.restrict_self().map_err(at("restricting this process"))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(report),
        RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => Err(SealError::Landlock {
            step: "restricting this process".into(),
            error: format!("the kernel enforces it {:?} only", status.ruleset),
        }),
    }
}

fn usable(version: LandlockVersion) -> i32 {
    let kernel = sys::landlock_version().min(KNOWN_VERSION);
    match version {
        LandlockVersion::Newest => kernel,
        LandlockVersion::AtMost(most) => kernel.min(most),
    }
}

/// Connecting is left unhandled where the row has egress: which hosts is the firewall's business, ports are no bound.
fn handled_net(row: &Row, abi: ABI) -> BitFlags<AccessNet> {
    let all = AccessNet::from_all(abi);
    // Nor is UDP: handling its bind would also deny the implicit one of a question to a name server.
    match row.network {
        Network::Egress { .. } => all & AccessNet::BindTcp,
        Network::None | Network::Unused { .. } => all,
    }
}

/// `None` when the grant is optional and the host has no such file.
fn rule(grant: &FileGrant, abi: ABI) -> Result<Option<PathBeneath<PathFd>>, SealError> {
    let path = Path::new(grant.inside);
    let kind = match std::fs::metadata(path) {
        Ok(kind) => kind,
        Err(error) if grant.optional && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => {
            return Err(SealError::Landlock { step: format!("looking at {}", grant.inside), error: error.to_string() });
        }
    };
    let opened = PathFd::new(path).map_err(at(&format!("opening {}", grant.inside)))?;
    let mut rights = rights(grant.access) & AccessFs::from_all(abi);
    if !kind.is_dir() {
        rights &= AccessFs::from_file(abi);
    }
    Ok(Some(PathBeneath::new(opened, rights).set_compatibility(CompatLevel::HardRequirement)))
}

fn rights(access: Access) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::MakeSym
        | AccessFs::MakeFifo
        | AccessFs::MakeSock
        | AccessFs::Refer;
    match access {
        Access::Read => read,
        Access::ReadExecute => read | AccessFs::Execute,
        Access::ReadWrite => read | write,
        Access::ReadWriteExecute => read | write | AccessFs::Execute,
        Access::Device => AccessFs::ReadFile | AccessFs::WriteFile,
    }
}

fn at<E: std::fmt::Display>(step: &str) -> impl FnOnce(E) -> SealError {
    let step = step.to_string();
    move |error| SealError::Landlock { step, error: error.to_string() }
}
