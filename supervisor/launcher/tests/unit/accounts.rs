//! Unit tests of `src/accounts.rs`.

use super::*;

#[test]
fn a_block_is_two_numbers() {
    let block = IdBlock::parse("1879048192 4096\n");
    assert_eq!(block.map(|b| (b.base, b.count)), Some((1879048192, 4096)));
}

#[test]
fn a_block_that_reaches_system_accounts_or_is_no_block_is_refused() {
    for text in ["", "5", "0 4096", "999 1", "1000 0", "1000 4097", "4294967295 2", "1 2 3", "-1 5", "1000  5"] {
        assert_eq!(IdBlock::parse(text), None, "{text:?}");
    }
}

#[test]
fn an_account_is_found_by_its_whole_name() {
    let passwd = "root:x:0:0::/root:/bin/sh\nchela-gate:x:101:102::/:/no\nchela:x:98:99::/:/no\n";
    assert_eq!(find_account(passwd, "chela"), Some(Ids { uid: 98, gid: 99 }));
    assert_eq!(find_account(passwd, "chela-gat"), None);
    assert_eq!(find_account("chela:x:y:0", "chela"), None);
}

#[test]
fn no_slot_runs_as_root() {
    let block = IdBlock { base: 70_000, count: 4096 };
    let accounts = Accounts { block, named: BTreeMap::new() };
    assert_eq!(accounts.of(Role::Launcher, 0), None);
    assert_eq!(accounts.of(Role::Connector, 0), None, "links count from 1");
    assert_eq!(accounts.of(Role::Connector, 1).map(|i| i.uid), Some(70_001));
    assert_eq!(accounts.of(Role::Memory, 0).map(|i| i.uid), Some(71_025));
}
