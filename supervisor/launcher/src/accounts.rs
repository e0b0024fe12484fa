//! Which user and group a role runs as. `etc/uids` is the only file of ours that the launcher reads: two numbers.
//!
//! Named accounts are taken from /etc/passwd itself, where sysusers puts them, and not through the name service switch,
//! which would load other people's libraries into a root process.

use std::{collections::BTreeMap, fs};

use roles::account::{IdBlock, Ids, Resolved, account_of, find_account};
use roles::{Role, grant::Account};

use crate::errors::{Context, Failure, failure};

const WAY_OUT: &str = "run `./x setup` in a clone, or `chela setup`";

/// All accounts of this root.
pub struct Accounts {
    block: IdBlock,
    named: BTreeMap<&'static str, Ids>,
}

impl Accounts {
    /// Reads them; the current directory is the root.
    pub fn load() -> Result<Accounts, Failure> {
        let text = fs::read_to_string("etc/uids").step("read", "etc/uids");
        let block = IdBlock::parse(&text.map_err(|f| f.or(WAY_OUT))?)
            .ok_or_else(|| failure("read", "etc/uids", "not `BASE COUNT`").or(WAY_OUT))?;
        let passwd = fs::read("/etc/passwd").step("read", "/etc/passwd")?;
        let passwd = String::from_utf8_lossy(&passwd);
        let mut named = BTreeMap::new();
        for role in Role::ALL {
            if let Account::Named { name, .. } = role.row().account {
                let missing = || failure("find the account", name, "there is none").or(WAY_OUT);
                let ids = find_account(&passwd, name).ok_or_else(missing)?;
                let shared = named.values().any(|other: &Ids| other.uid == ids.uid);
                if ids.uid == 0 || ids.gid == 0 || shared || block.contains(ids.uid) {
                    let wrong = "it must have a user id of its own, other than root's";
                    return Err(failure("check the account", name, wrong).or(WAY_OUT));
                }
                named.insert(name, ids);
            }
        }
        Ok(Accounts { block, named })
    }

    /// The account of a slot; `None` where the table or the root's block has none.
    pub fn of(&self, role: Role, slot: u32) -> Option<Ids> {
        match account_of(role, slot, self.block)? {
            Resolved::Root => None,
            Resolved::Named(name) => self.named.get(name).copied(),
            Resolved::Id(id) => Some(Ids { uid: id, gid: id }),
        }
    }
}

#[path = "../tests/unit/accounts.rs"]
#[cfg(test)]
mod tests;
