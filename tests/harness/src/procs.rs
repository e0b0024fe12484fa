//! The kernel's view of a tree of processes.

use std::collections::{HashMap, HashSet};
use std::fs;

use roles::Role;

/// What runs in every idle system with one principal, spare brains aside.
pub const ALWAYS: [(Role, u32); 7] = [
    (Role::Supervisor, 0),
    (Role::Connector, 1),
    (Role::Gate, 0),
    (Role::Executor, 1),
    (Role::Memory, 0),
    (Role::Memory, 1),
    (Role::Model, 1),
];

/// A role's process, found by its program name and slot argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoleProcess {
    /// Its process id on the host.
    pub pid: u32,
    /// Which role.
    pub role: Role,
    /// Which slot.
    pub slot: u32,
}

/// Whether the process is there and not a zombie.
pub fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next().map(str::to_owned));
        state.is_some_and(|state| state != "Z" && state != "X")
    })
}

/// The value of a line of `/proc/PID/status`, for example `CapEff`.
pub fn status(pid: u32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim).map(str::to_owned))
}

fn parents() -> HashMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, status(pid, "PPid")?.parse().ok()?))).collect()
}

/// Every process below `root`, itself not counted.
pub fn descendants(root: u32) -> Vec<u32> {
    let parents = parents();
    let mut found: Vec<u32> = Vec::new();
    let mut known = HashSet::from([root]);
    loop {
        let new: Vec<u32> = parents
            .iter()
            .filter(|(pid, parent)| !known.contains(pid) && known.contains(parent))
            .map(|(pid, _)| *pid)
            .collect();
        if new.is_empty() {
            return found;
        }
        known.extend(&new);
        found.extend(new);
    }
}

/// Whether a process below `root` has these words in its command line.
pub fn runs(root: u32, words: &str) -> bool {
    descendants(root).iter().any(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(words)
    })
}

/// Every role process directly below chelad.
pub fn roles_of(chelad: u32) -> Vec<RoleProcess> {
    let mut found: Vec<RoleProcess> = parents()
        .into_iter()
        .filter(|(_, parent)| *parent == chelad)
        .filter_map(|(pid, _)| {
            let cmdline = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let mut words = cmdline.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned());
            let (name, slot) = (words.next()?, words.next()?);
            let role = Role::ALL.into_iter().find(|role| role.row().binary == name)?;
            Some(RoleProcess { pid, role, slot: slot.parse().ok()? })
        })
        .collect();
    found.sort_by_key(|p| (p.role, p.slot, p.pid));
    found
}

/// The process of one role and slot.
pub fn find(chelad: u32, role: Role, slot: u32) -> Option<u32> {
    roles_of(chelad).into_iter().find(|p| p.role == role && p.slot == slot).map(|p| p.pid)
}

/// Proportional set size in KiB: its own pages, and its share of shared ones.
pub fn pss_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}
