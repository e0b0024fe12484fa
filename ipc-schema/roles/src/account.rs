//! Which user id a slot runs as: pure arithmetic over the table and the root's own block of ids.

use crate::grant::{Account, Role};
use crate::limits::UID_BLOCK_IDS;

/// A root's own block of user and group ids, out of the range that /etc/subuid reserves for `chela-range`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdBlock {
    /// First id.
    pub base: u32,
    /// Number of ids.
    pub count: u32,
}

impl IdBlock {
    /// The block that a root's `etc/uids` names: two numbers, `BASE COUNT`.
    pub fn parse(text: &str) -> Option<IdBlock> {
        let (base, count) = text.trim_end_matches('\n').split_once(' ')?;
        let block = IdBlock { base: base.parse().ok()?, count: count.parse().ok()? };
        let sound = block.base >= 1000 && (1..=UID_BLOCK_IDS).contains(&block.count);
        (sound && block.base.checked_add(block.count).is_some()).then_some(block)
    }

    /// Whether `id` is one of it.
    pub const fn contains(self, id: u32) -> bool {
        id >= self.base && id - self.base < self.count
    }
}

/// A user and its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ids {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The account of that name in the text of /etc/passwd.
pub fn find_account(passwd: &str, name: &str) -> Option<Ids> {
    let line = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Ids { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// An account, resolved as far as the table alone can.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolved {
    /// User and group 0.
    Root,
    /// A system account, to be looked up by name.
    Named(&'static str),
    /// This user and group id.
    Id(u32),
}

/// The account of `role` in `slot`; `None` when the role has no such slot or its id falls outside the block.
pub const fn account_of(role: Role, slot: u32, block: IdBlock) -> Option<Resolved> {
    let row = role.row();
    if !row.slots.contains(slot) {
        return None;
    }
    match row.account {
        Account::Root { .. } => Some(Resolved::Root),
        Account::Named { name, .. } => Some(Resolved::Named(name)),
        Account::PerSlot { offset, stride, .. } => {
            let id = offset as u64 + stride as u64 * slot as u64;
            if id >= block.count as u64 || block.count > UID_BLOCK_IDS || block.base < 1000 {
                return None;
            }
            match block.base.checked_add(id as u32) {
                Some(uid) => Some(Resolved::Id(uid)),
                None => None,
            }
        }
    }
}
