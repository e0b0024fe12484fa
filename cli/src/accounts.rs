//! Accounts by /etc/passwd alone. The C library would ask further sources through plug-ins, which a statically linked
//! program can't load; and the accounts of the table are always in that file.

use std::path::PathBuf;

/// One account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of its primary group.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// The account of that name.
pub fn by_name(name: &str) -> Option<Account> {
    read().into_iter().find(|account| account.name == name)
}

/// The account of that user id.
pub fn by_uid(uid: u32) -> Option<Account> {
    read().into_iter().find(|account| account.uid == uid)
}

fn read() -> Vec<Account> {
    parse(&std::fs::read_to_string("/etc/passwd").unwrap_or_default())
}

/// `name:password:uid:gid:comment:home:shell`
fn parse(text: &str) -> Vec<Account> {
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        Some(Account {
            name: (*fields.first()?).to_string(),
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: fields.get(5)?.into(),
        })
    };
    text.lines().filter_map(account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_account_is_passed_over() {
        let accounts = parse("root:x:0:0:root:/root:/bin/bash\n+::::::\n\nchela:x:995:994:Chela:/:/usr/sbin/nologin\n");
        assert_eq!(accounts.len(), 2, "{accounts:?}");
        assert_eq!((accounts[1].uid, accounts[1].gid, accounts[1].name.as_str()), (995, 994, "chela"));
    }
}
