//! What the host has been given: accounts, the reserved range, the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use roles::grant::Account;

use super::Check;
use crate::{accounts, setup};

/// 2025-01-01: no clock that is right shows an earlier time.
const EARLIEST_S: u64 = 1_735_689_600;

/// Every check of the host.
pub fn checks() -> Vec<Check> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    vec![judge_accounts(&missing_accounts()), range(), clock(now)]
}

fn missing_accounts() -> Vec<&'static str> {
    let named = roles::TABLE.iter().filter_map(|row| match row.account {
        Account::Named { name, .. } => Some(name),
        Account::Root { .. } | Account::PerSlot { .. } => None,
    });
    let there = |name: &&str| accounts::by_name(name).is_some();
    named.chain([setup::RANGE_HOLDER, roles::rows::unpack::ACCOUNT]).filter(|name| !there(name)).collect()
}

fn judge_accounts(missing: &[&str]) -> Check {
    match missing {
        [] => Check::ok("accounts", "every account of the table"),
        missing => Check::missing(
            "accounts",
            format!("no account {}", missing.join(", ")),
            "./x setup, or: systemd-sysusers packaging/sysusers.d/chela.conf",
        ),
    }
}

fn range() -> Check {
    match setup::reserved_range() {
        Ok(range) => Check::ok("reserved ids", format!("{} to {}", range.base, range.base + range.count - 1)),
        Err(error) => Check::missing("reserved ids", error.to_string(), "./x setup, or: packaging/reserve-ids"),
    }
}

fn clock(now_s: u64) -> Check {
    if now_s >= EARLIEST_S {
        Check::ok("clock", "plausible")
    } else {
        Check::missing("clock", "shows a time before this program was made", "timedatectl set-ntp true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_clock_before_its_time_and_a_missing_account_are_found() {
        assert_eq!(clock(0).state, State::Missing);
        assert_eq!(clock(EARLIEST_S).state, State::Ok);
        let check = judge_accounts(&["chela-gate"]);
        assert!(check.state == State::Missing && check.found.contains("chela-gate"), "{check:?}");
    }
}
