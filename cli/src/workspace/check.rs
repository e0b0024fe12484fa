//! What may be added: pure rules over paths, owners and names.

use std::path::{Path, PathBuf};

use roles::account::IdBlock;

/// The host's own: neither these, nor what is in them, nor what they are in.
const SYSTEM: [&str; 13] =
    ["/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot", "/dev", "/proc", "/sys", "/run", "/root"];

/// All that a decision takes.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The directory, without links.
    pub directory: &'a Path,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Every root directory of a Chela on this host.
    pub roots: &'a [PathBuf],
    /// Every directory that was added already, for whomever.
    pub added: &'a [PathBuf],
    /// Ids that Chela gives its own accounts.
    pub own_ids: Option<IdBlock>,
}

/// Whether one is the other, or in it.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Why a directory can't be added.
pub fn refuse(facts: &Facts) -> Option<String> {
    let directory = facts.directory;
    if let Some(system) = SYSTEM.iter().map(Path::new).find(|system| overlap(directory, system)) {
        let why = match directory.starts_with(system) {
            true => format!("{} is the host's own", system.display()),
            false => format!("{}, which is the host's own, is in it", system.display()),
        };
        return Some(format!("{why}; add a directory of a person's own"));
    }
    if let Some(root) = facts.roots.iter().find(|root| overlap(directory, root)) {
        return Some(format!("it overlaps {}, where Chela keeps its own files", root.display()));
    }
    if let Some(other) = facts.added.iter().find(|other| overlap(directory, other)) {
        return Some(format!("it overlaps {}, which was added already", other.display()));
    }
    if facts.uid == 0 || facts.gid == 0 {
        return Some("it belongs to root, or to root's group; give it to the person whose it is (chown)".to_owned());
    }
    if facts.own_ids.is_some_and(|own| own.contains(facts.uid) || own.contains(facts.gid)) {
        return Some("it belongs to an account of Chela's own; add a directory of a person's own".to_owned());
    }
    None
}

/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 64;

/// Why a name can't be one: it is typed in paths, and stands in logs.
pub fn refuse_name(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Some("a name has 1 to 64 bytes");
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !plain || !name.as_bytes()[0].is_ascii_alphanumeric() {
        return Some("a name is of letters, digits, - _ and ., and begins with a letter or digit");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(directory: &str, uid: u32) -> String {
        let roots = ["/var/lib/chela".into()];
        let added = ["/home/ann/papers".into()];
        let own_ids = Some(IdBlock { base: 1_000_000, count: 4096 });
        let facts = Facts { directory: Path::new(directory), uid, gid: 1000, roots: &roots, added: &added, own_ids };
        refuse(&facts).unwrap_or_default()
    }

    #[test]
    fn a_persons_own_directory_may_be_added() {
        for directory in ["/home/ann/Documents", "/home/ann/papers2", "/srv/photos", "/var/lib/chela2"] {
            assert_eq!(refused(directory, 1000), "", "{directory}");
        }
    }

    #[test]
    fn the_hosts_chelas_and_what_overlaps_is_refused_by_name() {
        for (directory, words) in [
            ("/", "in it"),
            ("/etc", "/etc is the host's own"),
            ("/etc/ssh", "/etc is the host's own"),
            ("/usr/local/share", "/usr"),
            ("/proc/1", "/proc"),
            ("/var/lib/chela", "Chela keeps"),
            ("/var/lib/chela/var/principals/2/workspace", "Chela keeps"),
            ("/var/lib", "Chela keeps"),
            ("/home/ann/papers", "added already"),
            ("/home/ann/papers/2026", "added already"),
            ("/home/ann", "added already"),
        ] {
            let why = refused(directory, 1000);
            assert!(why.contains(words), "{directory}: {why:?}");
        }
    }

    #[test]
    fn roots_files_and_those_of_chelas_accounts_are_refused() {
        assert!(refused("/srv/photos", 0).contains("root"));
        assert!(refused("/srv/photos", 1_000_001).contains("Chela's own"));
    }

    #[test]
    fn a_name_is_plain() {
        for name in ["documents", "2026", "my-papers_v1.2", "A"] {
            assert_eq!(refuse_name(name), None, "{name}");
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", ".", "..", ".hidden", "a/b", "a b", "a,b", "a:b", "ä", "-x", &long] {
            assert!(refuse_name(name).is_some(), "{name}");
        }
    }
}
