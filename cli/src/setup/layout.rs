//! Directories and default configuration of a root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use serde::Deserialize;

use super::SetupError;
use super::ids::RoleGroups;
use super::made::Made;

/// Room that a root needs to begin with, MiB.
const FREE_MIN_MIB: u64 = 16;

const TREE: &str = "\
# What the supervisor starts. Read at its start and on SIGHUP (systemctl reload chelad). Every key may be left out: what
# stands behind the # is the default.

# Brains that wait, started, for the next turn.
# spares = 1
# How often each role is asked whether it is there, and after how long without an answer it is killed. Milliseconds.
# heartbeat_ms = 2000
# hung_ms = 10000
# How long turns in flight may take to finish when everything is stopped. Milliseconds.
# drain_ms = 10000
# Numbers of the links that have a connector.
# links = [1]

# Principals whose instances are kept running when idle. 1 is the owner.
# [warm]
# executor = [1]
# memory = [1]
# model = [1]
";

fn gate_text(uid: u32, name: &str) -> String {
    format!(
        "\
# Who may use Chela. Read by the gate at its start and on SIGHUP (systemctl reload chelad).

# Seconds after which an idle executor, memory or model of a principal is stopped.
# idle_s = 300

# The owner: who they are is their user id, as the kernel tells it.
[owner]
uid = {uid}
name = \"{name}\"
"
    )
}

/// `path` from the root directory on, without `.` and links; its last part need not exist.
pub fn absolute(path: &Path) -> Result<PathBuf, SetupError> {
    let full = std::path::absolute(path).map_err(|e| SetupError::io("finding", path, e))?;
    let strange =
        full.components().any(|c| c == Component::ParentDir) || full.as_os_str().as_encoded_bytes().contains(&b'\n');
    if strange {
        return Err(SetupError::Malformed {
            file: full,
            problem: "a root's path has no .. and no line break in it: name it otherwise".into(),
        });
    }
    if let Ok(real) = full.canonicalize() {
        return Ok(real);
    }
    match (full.parent(), full.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = parent.canonicalize().map_err(|e| SetupError::io("finding the directory", parent, e))?;
            Ok(parent.join(name))
        }
        _ => Ok(full),
    }
}

/// Refuses a place where a root can't be: read-only, full, or in somebody else's hands.
pub fn check_place(root: &Path) -> Result<(), SetupError> {
    let there = if root.exists() { root } else { root.parent().unwrap_or(root) };
    let info = there.metadata().map_err(|e| SetupError::io("looking at", there, e))?;
    if !info.is_dir() {
        return Err(SetupError::io("using as a directory", there, std::io::ErrorKind::NotADirectory.into()));
    }
    let writable = info.mode() & 0o022 != 0;
    if there == root && (info.uid() != 0 || writable) {
        return Err(SetupError::Untrusted { path: root.to_path_buf(), uid: info.uid(), writable });
    }
    let volume = statvfs(there).map_err(|e| SetupError::io("looking at the disk of", there, e.into()))?;
    if volume.flags().contains(FsFlags::ST_RDONLY) {
        return Err(SetupError::ReadOnly { path: there.to_path_buf() });
    }
    let free_mib = volume.blocks_available() * volume.fragment_size() / (1 << 20);
    if free_mib < FREE_MIN_MIB {
        return Err(SetupError::NoSpace { path: there.to_path_buf(), free_mib, needed_mib: FREE_MIN_MIB });
    }
    Ok(())
}

/// The directories of a root. Below `etc` a role may read its own only.
pub fn make_directories(root: &Path, groups: &RoleGroups, made: &mut Made) -> Result<(), SetupError> {
    made.directory(root, 0o755, 0)?;
    made.directory(&root.join("etc"), 0o755, 0)?;
    made.directory(&root.join("etc/supervisor"), 0o750, groups.supervisor)?;
    made.directory(&root.join("etc/gate"), 0o750, groups.gate)?;
    made.directory(&root.join("etc/gate/policy"), 0o750, groups.gate)?;
    made.directory(&root.join("var"), 0o711, 0)?;
    made.directory(&root.join("var/images"), 0o755, 0)?;
    made.directory(&root.join("run"), 0o755, 0)
}

#[derive(Deserialize)]
struct GateFile {
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    uid: u32,
    #[serde(default)]
    name: String,
}

/// Writes the configuration files that are missing. The owner's user id as it stands there in the end.
pub fn write_configuration(
    root: &Path,
    owner_uid: u32,
    asked_for: bool,
    groups: &RoleGroups,
    made: &mut Made,
) -> Result<u32, SetupError> {
    let tree = root.join("etc/supervisor/tree.toml");
    if !tree.exists() {
        made.file(&tree, TREE, 0o640, groups.supervisor)?;
    }
    let policies = root.join("etc/gate/policy");
    let is_fresh = fs::read_dir(&policies).is_ok_and(|mut entries| entries.next().is_none());
    for (name, text) in policy::FILES.iter().filter(|_| is_fresh) {
        made.file(&policies.join(name), text, 0o640, groups.gate)?;
    }
    let gate = root.join("etc/gate/gate.toml");
    if !gate.exists() {
        made.file(&gate, &gate_text(owner_uid, &owner_name(owner_uid)), 0o640, groups.gate)?;
        return Ok(owner_uid);
    }
    let there = owner_of(&gate)?;
    if asked_for && there != owner_uid {
        return Err(SetupError::OtherOwner { file: gate, there, wanted: owner_uid });
    }
    Ok(there)
}

/// The owner that a root's `gate.toml` names.
pub fn owner_of(gate: &Path) -> Result<u32, SetupError> {
    read_gate(gate).map(|file| file.owner.uid)
}

/// What it calls them.
pub fn owner_name_of(gate: &Path) -> Result<String, SetupError> {
    read_gate(gate).map(|file| file.owner.name)
}

fn read_gate(gate: &Path) -> Result<GateFile, SetupError> {
    let text = fs::read_to_string(gate).map_err(|e| SetupError::io("reading", gate, e))?;
    toml::from_str(&text).map_err(|e| SetupError::Malformed {
        file: gate.to_path_buf(),
        problem: format!("{}: mend it, or delete it and run chela setup again", e.message()),
    })
}

/// The account's name where it is plain, else `owner`.
fn owner_name(uid: u32) -> String {
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    crate::accounts::by_uid(uid).map(|account| account.name).filter(plain).unwrap_or_else(|| "owner".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_files_are_valid() {
        let gate: GateFile = toml::from_str(&gate_text(1000, "ann")).expect("gate.toml");
        assert_eq!(gate.owner.uid, 1000);
        toml::from_str::<toml::Table>(TREE).expect("tree.toml");
        let open: String = TREE
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .filter(|line| line.contains('=') || line.starts_with('['))
            .map(|line| format!("{line}\n"))
            .collect();
        let table = toml::from_str::<toml::Table>(&open).expect("tree.toml without the #");
        assert!(table.contains_key("warm") && table.contains_key("spares"), "{table:?}");
    }

    #[test]
    fn a_path_with_dots_or_line_breaks_is_refused() {
        assert!(absolute(Path::new("/tmp/../x")).is_err());
        assert!(absolute(Path::new("/tmp/a\nb")).is_err());
        assert_eq!(absolute(Path::new("/")).ok(), Some(PathBuf::from("/")));
    }
}
