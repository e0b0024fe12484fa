//! Facts against a row of the table. Pure: every rule is here, none looks anything up.

use roles::grant::{Account, Namespace, Processes, Row};
use roles::seal::filter_count;

use super::compare_fds;
use super::facts::{Bounds, CAPABILITY_SETS, Deviation, Expected, Facts, Thread};

/// Mode number of a seccomp filter.
pub const SECCOMP_FILTER: u32 = 2;
/// Kinds of namespace that no role has of its own.
const NEVER_OWN: [&str; 3] = ["user", "cgroup", "time"];

/// Every way in which `facts` is not what `row` says, a line each; empty is what it should be.
pub fn compare(facts: &Facts, row: &Row, expected: &Expected) -> Vec<Deviation> {
    let mut found = Vec::new();
    account(facts, row, expected, &mut found);
    privileges(facts, row, expected, &mut found);
    namespaces(facts, row, expected, &mut found);
    mounts(facts, row, expected, &mut found);
    compare_fds::descriptors(facts, row, expected, &mut found);
    limits(facts, row, expected, &mut found);
    if !is_launcher(row) && !facts.environment.is_empty() {
        found.push(format!("environment has {}; the table says it is empty", facts.environment.join(", ")));
    }
    match row.processes {
        Processes::None if !facts.children.is_empty() => {
            found.push(format!("has children ({:?}); the table says it starts no process", facts.children));
        }
        Processes::None | Processes::Sandboxes { .. } | Processes::Roles { .. } => {}
    }
    found.into_iter().map(|what| Deviation { pid: facts.pid, process: facts.kind.name(), what }).collect()
}

fn is_launcher(row: &Row) -> bool {
    matches!(row.account, Account::Root { .. })
}

fn account(facts: &Facts, row: &Row, expected: &Expected, found: &mut Vec<String>) {
    let Some((uid, gid)) = expected.ids else {
        found.push(format!("slot has no account: the table's slots of {} are {:?}", row.name, row.slots));
        return;
    };
    for thread in &facts.threads {
        if thread.uids.iter().any(|id| *id != uid) {
            found.push(format!("user ids {:?}; the table says {uid}", thread.uids));
        }
        if thread.gids.iter().any(|id| *id != gid) {
            found.push(format!("group ids {:?}; the table says {gid}", thread.gids));
        }
        // Root's own groups are whatever the service manager or the login gave it.
        if !is_launcher(row) && !thread.groups.is_empty() {
            found.push(format!("supplementary groups {:?}; the table says none", thread.groups));
        }
    }
    found.dedup();
}

fn privileges(facts: &Facts, row: &Row, expected: &Expected, found: &mut Vec<String>) {
    let kept = row.capabilities.iter().filter_map(|c| number_of(c.name)).fold(0, |set, n| set | (1u64 << n));
    // Effective, permitted and bounding hold what the row lists; inheritable and ambient never hold anything.
    let wanted = [0, kept, kept, kept, 0];
    let filters = expected.filters_base + filter_count(row);
    if facts.threads.is_empty() {
        found.push("no thread could be looked at".to_string());
    }
    for thread in &facts.threads {
        capability_sets(thread, &wanted, found);
        if is_launcher(row) {
            continue;
        }
        seal(thread, found);
        if thread.seccomp_filters != filters {
            found.push(format!("{} seccomp filters; the table makes {filters}", thread.seccomp_filters));
        }
    }
    found.dedup();
}

/// Whether the five sets are the wanted ones.
pub fn capability_sets(thread: &Thread, wanted: &[u64; 5], found: &mut Vec<String>) {
    for ((name, is), should) in CAPABILITY_SETS.iter().zip(thread.capabilities).zip(wanted) {
        if is & !should != 0 {
            found.push(format!("{name} holds {}; the table does not", names_of(is & !should)));
        }
        if should & !is != 0 {
            found.push(format!("{name} lacks {}", names_of(should & !is)));
        }
    }
}

/// Whether the thread is confined at all.
pub fn seal(thread: &Thread, found: &mut Vec<String>) {
    if !thread.no_new_privs {
        found.push("no_new_privs is not set".to_string());
    }
    if thread.seccomp_mode != SECCOMP_FILTER {
        found.push(format!("seccomp mode {}; must be {SECCOMP_FILTER} (filter)", thread.seccomp_mode));
    }
}

fn namespaces(facts: &Facts, row: &Row, expected: &Expected, found: &mut Vec<String>) {
    if is_launcher(row) {
        return;
    }
    let own = |name: &str| facts.namespaces.get(name) != expected.launcher_namespaces.get(name);
    for namespace in Namespace::ALL {
        let name = namespace.proc_name();
        match (row.namespaces.contains(&namespace), own(name)) {
            (true, false) => found.push(format!("shares the {name} namespace with chelad; the table says its own")),
            (false, true) => found.push(format!("has a {name} namespace of its own; the table says chelad's")),
            (true, true) | (false, false) => {}
        }
    }
    for name in NEVER_OWN {
        if own(name) {
            found.push(format!("has a {name} namespace of its own; the table says chelad's"));
        }
    }
}

fn mounts(facts: &Facts, row: &Row, expected: &Expected, found: &mut Vec<String>) {
    if is_launcher(row) {
        return;
    }
    let mut seen = Vec::new();
    for mount in &facts.mounts {
        let Some(granted) = expected.mounts.get(&mount.point) else {
            let writable = if mount.options.iter().any(|o| o == "rw") { ", writable" } else { "" };
            found
                .push(format!("{} is mounted ({}{writable}); the table does not grant it", mount.point, mount.fs_type));
            continue;
        };
        if seen.contains(&&mount.point) {
            found.push(format!("{} is mounted over a second time ({})", mount.point, mount.fs_type));
        }
        seen.push(&mount.point);
        for option in granted.options {
            if !mount.options.iter().any(|o| o == option) {
                found.push(format!(
                    "{} is mounted without {option}; the table says {}",
                    mount.point,
                    granted.options.join(",")
                ));
            }
        }
        match (granted.mapped, mount.options.iter().any(|o| o == "idmapped")) {
            (true, false) => found.push(format!("{} is mounted without its owner mapped to the account", mount.point)),
            (false, true) => {
                found.push(format!("{} is mounted with owners mapped; the table says as they are", mount.point))
            }
            (true, true) | (false, false) => {}
        }
        if let (Some(wanted), Some(is)) = (granted.identity, mount.identity)
            && wanted != is
        {
            found.push(format!("{} is another file or directory than the one that the table grants", mount.point));
        }
    }
    for (point, granted) in &expected.mounts {
        if !granted.optional && !seen.contains(&point) {
            found.push(format!("{point} is not mounted; the table grants it"));
        }
    }
}

fn limits(facts: &Facts, row: &Row, expected: &Expected, found: &mut Vec<String>) {
    if is_launcher(row) {
        return;
    }
    let bounds = [
        ("Max core file size", Some(1)),
        ("Max address space", row.limits.address_space_bytes),
        ("Max open files", Some(row.limits.open_files)),
        ("Max processes", row.limits.processes),
        ("Max file size", row.limits.file_size_bytes),
    ];
    for (name, bound) in bounds {
        let Some(bound) = bound else { continue };
        let held = facts.limits.get(name).is_some_and(|(soft, hard)| {
            soft.is_some_and(|soft| soft <= bound) && hard.is_some_and(|hard| hard <= bound)
        });
        if !held {
            found.push(format!("{name}: {}; the table says {bound}", limit_words(facts.limits.get(name))));
        }
    }
    if !expected.has_cgroups {
        return;
    }
    let wanted = (row.limits.cgroup_memory_bytes, row.limits.cgroup_tasks);
    match facts.cgroup_bounds {
        Some((Some(memory), Some(tasks))) if memory <= wanted.0 && tasks <= wanted.1 => {}
        bounds => found.push(format!(
            "control group {} has the bounds {bounds:?}; the table says {} bytes and {} tasks",
            facts.cgroup, wanted.0, wanted.1
        )),
    }
}

fn limit_words(is: Option<&Bounds>) -> String {
    let one = |value: Option<u64>| value.map_or("unlimited".to_string(), |v| v.to_string());
    is.map_or("unknown".to_string(), |(soft, hard)| format!("{} (hard {})", one(*soft), one(*hard)))
}

/// Names by number, as in capabilities(7).
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

fn number_of(name: &str) -> Option<usize> {
    CAPABILITIES.iter().position(|known| *known == name)
}

/// The capabilities of a set, in words.
pub fn names_of(set: u64) -> String {
    if set == 0 {
        return "none".to_string();
    }
    let names: Vec<String> = (0..64)
        .filter(|n| set & (1 << n) != 0)
        .map(|n| CAPABILITIES.get(n).map_or(format!("capability {n}"), |name| name.to_string()))
        .collect();
    names.join(" ")
}
