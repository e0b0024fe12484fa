//! The root directory: owner and modes, configuration, ids, the model's file, room on its disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use roles::account::IdBlock;

use super::Check;
use crate::setup;
use crate::workspace::Registry;

/// Room below which it is time to do something, MiB.
const FREE_MIN_MIB: u64 = 64;

/// Every check of the root.
pub fn checks(root: &Path) -> Vec<Check> {
    let set_up = format!("chela --root {} setup", root.display());
    if !root.is_dir() {
        return vec![Check::missing("root directory", format!("{} is not there", root.display()), set_up)];
    }
    let mut checks = vec![owner(root), configuration(root, &set_up), ids(root, &set_up), model(root), room(root)];
    checks.extend(audit_log_time(root));
    checks.extend(directories(root));
    checks
}

fn owner(root: &Path) -> Check {
    let name = "root directory";
    for dir in ["", "etc", "var", "run"] {
        let path = root.join(dir);
        let loose = |found: String| {
            let path = path.display();
            Check::missing(name, found, format!("chown root: {path} && chmod go-w {path}"))
        };
        match path.metadata() {
            Err(e) => {
                return Check::missing(
                    name,
                    format!("{}: {e}", path.display()),
                    format!("chela --root {} setup", root.display()),
                );
            }
            Ok(there) if there.uid() != 0 => {
                return loose(format!("{} belongs to user id {}", path.display(), there.uid()));
            }
            Ok(there) if there.mode() & 0o022 != 0 => {
                return loose(format!("{} is writable by others", path.display()));
            }
            Ok(_) => {}
        }
    }
    Check::ok(name, format!("{} is root's alone to change", root.display()))
}

fn configuration(root: &Path, set_up: &str) -> Check {
    let name = "configuration";
    let denied = |e: &setup::SetupError| matches!(e, setup::SetupError::Io { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied);
    match setup::owner_of(&root.join("etc/gate/gate.toml")) {
        Ok(uid) => Check::ok(name, format!("the owner is user id {uid}")),
        Err(e) if denied(&e) => Check::weaker(name, e.to_string(), "sudo chela doctor sees it"),
        Err(e) => Check::missing(name, e.to_string(), set_up),
    }
}

fn ids(root: &Path, set_up: &str) -> Check {
    let name = "ids of this root";
    let real = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    match (setup::read_uids(root), setup::block_of(&real), setup::reserved_range()) {
        (Err(e), _, _) | (_, Err(e), _) => Check::missing(name, e.to_string(), set_up),
        (Ok(uids), Ok(registered), Ok(range)) => judge_ids(uids, registered, range, set_up),
        (Ok(_), Ok(_), Err(_)) => Check::missing(name, "no range is reserved to take them from", "./x setup"),
    }
}

/// Pure.
fn judge_ids(uids: Option<IdBlock>, registered: Option<IdBlock>, range: IdBlock, set_up: &str) -> Check {
    let name = "ids of this root";
    let Some(uids) = uids else {
        return Check::missing(name, "etc/uids is not there", set_up);
    };
    if registered != Some(uids) {
        let found = format!("etc/uids says {}, {} says {}", words(Some(uids)), setup::REGISTRY, words(registered));
        return Check::missing(name, found, format!("delete etc/uids, then: {set_up}"));
    }
    let end = |block: IdBlock| u64::from(block.base) + u64::from(block.count);
    if uids.base < range.base || end(uids) > end(range) {
        let found = format!("{} is not within the reserved range {}", words(Some(uids)), words(Some(range)));
        return Check::missing(
            name,
            found,
            "reserve that range again (/etc/subuid, /etc/subgid), or set up a new root",
        );
    }
    Check::ok(name, words(Some(uids)))
}

fn words(block: Option<IdBlock>) -> String {
    block.map_or("nothing".into(), |b| format!("{} to {}", b.base, u64::from(b.base) + u64::from(b.count) - 1))
}

fn model(root: &Path) -> Check {
    let name = "model";
    let link = root.join("etc/model.gguf");
    let fix =
        format!("./x setup gets the default one; any GGUF file: chela --root {} setup --model FILE", root.display());
    let file = match link.canonicalize() {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            return Check::weaker(name, format!("{}: {e}", link.display()), "sudo chela doctor sees it");
        }
        Err(e) => return Check::missing(name, format!("{}: {e}", link.display()), fix),
    };
    let is_default = file.file_name().is_some_and(|name| name == setup::DEFAULT_MODEL.name);
    match setup::check_model(&file) {
        Ok(()) if is_default => Check::ok(name, format!("{} (the default one, SHA-256 as expected)", file.display())),
        Ok(()) => Check::ok(name, file.display().to_string()),
        Err(e) => Check::missing(name, e.to_string(), fix),
    }
}

fn room(root: &Path) -> Check {
    match statvfs(root) {
        Ok(disk) => judge_room(disk.blocks_available() * disk.fragment_size() / (1 << 20)),
        Err(e) => Check::weaker("room", format!("{}: {e}", root.display()), "df"),
    }
}

fn judge_room(free_mib: u64) -> Check {
    let found = format!("{free_mib} MiB free");
    if free_mib >= FREE_MIN_MIB {
        Check::ok("room", found)
    } else {
        Check::weaker("room", found, format!("make room: below {FREE_MIN_MIB} MiB messages may soon be refused"))
    }
}

/// Directories that were added and can't be used, each with why.
fn directories(root: &Path) -> Option<Check> {
    let all = Registry::of(root, None).and_then(|registry| registry.read()).ok()?;
    judge_directories(&all.iter().map(|one| (one.name.as_str(), one.trouble.as_deref())).collect::<Vec<_>>())
}

fn judge_directories(all: &[(&str, Option<&str>)]) -> Option<Check> {
    let name = "directories";
    let trouble: Vec<String> =
        all.iter().filter_map(|(name, trouble)| trouble.map(|trouble| format!("{name}: {trouble}"))).collect();
    match (all, &trouble[..]) {
        ([], _) => None,
        (all, []) => Some(Check::ok(name, format!("{} added", all.len()))),
        (_, trouble) => {
            Some(Check::weaker(name, trouble.join("; "), "chela workspace remove NAME takes one away; its files stay"))
        }
    }
}

/// An audit log from the future means that the clock has been set back.
fn audit_log_time(root: &Path) -> Option<Check> {
    let written = fs::metadata(root.join("var/audit/audit.log")).ok()?.modified().ok()?;
    let ahead = written.duration_since(std::time::SystemTime::now()).ok()?;
    (ahead.as_secs() > 60).then(|| {
        Check::weaker(
            "audit log",
            format!("was last written {} s in the future: the clock has been set back", ahead.as_secs()),
            "timedatectl set-ntp true",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    const RANGE: IdBlock = IdBlock { base: 1000, count: 10_000 };
    const OWN: IdBlock = IdBlock { base: 1000, count: 4096 };

    #[test]
    fn ids_must_be_there_registered_and_within_the_range() {
        let state = |uids, registered| judge_ids(uids, registered, RANGE, "setup").state;
        assert_eq!(state(Some(OWN), Some(OWN)), State::Ok);
        assert_eq!(state(None, Some(OWN)), State::Missing);
        assert_eq!(state(Some(OWN), None), State::Missing);
        let outside = IdBlock { base: 8000, count: 4096 };
        assert_eq!(state(Some(outside), Some(outside)), State::Missing);
    }

    #[test]
    fn a_directory_with_trouble_is_named_and_none_is_no_matter() {
        assert_eq!(judge_directories(&[]), None);
        let well = judge_directories(&[("papers", None)]).map(|check| check.state);
        assert_eq!(well, Some(State::Ok));
        let ill = judge_directories(&[("papers", None), ("disk", Some("left out: gone"))]);
        assert!(ill.is_some_and(|check| check.state == State::Weaker && check.found == "disk: left out: gone"));
    }

    #[test]
    fn little_room_and_a_missing_root_are_said() {
        assert_eq!(judge_room(1).state, State::Weaker);
        assert_eq!(judge_room(FREE_MIN_MIB).state, State::Ok);
        let checks = checks(Path::new("/nonexistent/chela"));
        assert!(checks.len() == 1 && checks[0].state == State::Missing, "{checks:?}");
    }
}
