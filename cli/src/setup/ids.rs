//! Accounts and the reserved range, as the host has them.

use std::fs;
use std::path::Path;

use nix::unistd::getuid;
use roles::account::IdBlock;
use roles::grant::Account;

use super::SetupError;
use crate::accounts;

/// The account in whose name ids are reserved. Nothing runs as it.
pub const RANGE_HOLDER: &str = "chela-range";

/// Group ids of the role accounts that own configuration.
#[derive(Clone, Copy, Debug)]
pub struct RoleGroups {
    /// Of the supervisor.
    pub supervisor: u32,
    /// Of the gate.
    pub gate: u32,
}

/// Looks up every named account of the table.
pub fn role_accounts() -> Result<RoleGroups, SetupError> {
    for row in &roles::TABLE {
        if let Account::Named { name, .. } = row.account {
            group_of(name)?;
        }
    }
    let named = |role: roles::Role| match role.row().account {
        Account::Named { name, .. } => group_of(name),
        Account::Root { .. } | Account::PerSlot { .. } => Ok(0),
    };
    Ok(RoleGroups { supervisor: named(roles::Role::Supervisor)?, gate: named(roles::Role::Gate)? })
}

fn group_of(name: &str) -> Result<u32, SetupError> {
    let account = accounts::by_name(name).ok_or_else(|| SetupError::NoAccount { name: name.to_string() })?;
    Ok(account.gid)
}

/// The range that both /etc/subuid and /etc/subgid reserve for [`RANGE_HOLDER`].
pub fn reserved_range() -> Result<IdBlock, SetupError> {
    let read = |file: &'static str| {
        let text = fs::read_to_string(file).map_err(|e| SetupError::io("reading", Path::new(file), e))?;
        Ok::<_, SetupError>(ranges_of(&text, RANGE_HOLDER))
    };
    let uids = read("/etc/subuid")?;
    let gids = read("/etc/subgid")?;
    if uids.is_empty() {
        return Err(SetupError::NoRange { file: "/etc/subuid" });
    };
    uids.iter().find(|range| gids.contains(range)).copied().ok_or(SetupError::NoRange { file: "/etc/subgid" })
}

/// The ranges that a file in the format of subuid(5) gives to `holder`.
pub fn ranges_of(text: &str, holder: &str) -> Vec<IdBlock> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, base, count) = (fields.next()?, fields.next()?, fields.next()?);
            (name == holder).then_some(IdBlock { base: base.trim().parse().ok()?, count: count.trim().parse().ok()? })
        })
        .collect()
}

/// Who started this, also through sudo.
pub fn who_started() -> Result<u32, SetupError> {
    match std::env::var("SUDO_UID") {
        Ok(text) => text.parse().map_err(|_| SetupError::Malformed {
            file: "SUDO_UID".into(),
            problem: format!("{text:?} in the environment is no user id: give --owner-uid"),
        }),
        Err(_) => Ok(getuid().as_raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_of_the_holder_count() {
        let text = "root:100000:65536\nchela-range:1879048192:1048576\nchela-range:x:1\nchela-rangex:1:2\n";
        assert_eq!(ranges_of(text, RANGE_HOLDER), [IdBlock { base: 1_879_048_192, count: 1_048_576 }]);
    }
}
