//! What runs below an executor: its maker, and the processes of its sandboxes. Pure.

use roles::seal::{MAKER_FILTERS, SANDBOX_FILTERS_MIN};

use super::compare::{capability_sets, seal};
use super::facts::{Deviation, Expected, Facts, Family, Target};

/// Namespaces that a sandbox shares with nobody outside it.
const SANDBOX_OWN: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];
/// Namespaces that a maker has of its own, and those it shares with its executor.
const MAKER_OWN: [&str; 2] = ["user", "mnt"];
const MAKER_SHARED: [&str; 4] = ["pid", "net", "ipc", "uts"];

/// Every way in which the maker is not what it should be. `expected` and `executor` are its executor's.
pub fn maker(facts: &Facts, expected: &Expected, executor: &Facts) -> Vec<Deviation> {
    let mut found = confined(facts, expected, Capabilities::None);
    for thread in &facts.threads {
        let filters = expected.filters_base + MAKER_FILTERS;
        if thread.seccomp_filters != filters {
            found.push(format!("{} seccomp filters; a maker has {filters}", thread.seccomp_filters));
        }
    }
    for name in MAKER_OWN {
        if facts.namespaces.get(name) == executor.namespaces.get(name) {
            found.push(format!("shares the {name} namespace with its executor; a maker has its own"));
        }
    }
    for name in MAKER_SHARED {
        if facts.namespaces.get(name) != executor.namespaces.get(name) {
            found.push(format!("has another {name} namespace than its executor"));
        }
    }
    for descriptor in &facts.fds {
        if let Target::Socket { family, .. } = &descriptor.target
            && *family != Family::UnixOwn
        {
            found.push(format!(
                "descriptor {}: a socket ({family:?}); a maker has its line to the executor only",
                descriptor.number
            ));
        }
    }
    as_deviations(facts, found)
}

/// Every way in which a process of a sandbox is not what it should be.
pub fn sandbox(facts: &Facts, expected: &Expected, executor: &Facts) -> Vec<Deviation> {
    let mut found = confined(facts, expected, Capabilities::None);
    for thread in &facts.threads {
        let filters = expected.filters_base + SANDBOX_FILTERS_MIN;
        if thread.seccomp_filters < filters {
            found.push(format!("{} seccomp filters; a sandbox has {filters} or more", thread.seccomp_filters));
        }
    }
    apart(facts, expected, executor, &mut found);
    as_deviations(facts, found)
}

/// The same of a sandbox that has no request yet: nothing of a person's runs in it. It has the maker's filter, and what it
/// is capable of in namespaces of its own, to mount its layer with.
pub fn waiting(facts: &Facts, expected: &Expected, executor: &Facts) -> Vec<Deviation> {
    let makers = expected.filters_base + MAKER_FILTERS;
    let [thread] = &facts.threads[..] else {
        return as_deviations(facts, vec![format!("{} threads; one that waits has one", facts.threads.len())]);
    };
    if thread.seccomp_filters != makers {
        return sandbox(facts, expected, executor);
    }
    let mut found = confined(facts, expected, Capabilities::OfItsOwnNamespace);
    apart(facts, expected, executor, &mut found);
    as_deviations(facts, found)
}

fn apart(facts: &Facts, expected: &Expected, executor: &Facts, found: &mut Vec<String>) {
    for name in SANDBOX_OWN {
        let outside = [executor.namespaces.get(name), expected.launcher_namespaces.get(name)];
        if outside.contains(&facts.namespaces.get(name)) {
            found.push(format!("shares the {name} namespace with what is outside the sandbox"));
        }
    }
    for descriptor in &facts.fds {
        if let Target::Socket { family: Family::Unix { .. }, .. } = &descriptor.target {
            found.push(format!("descriptor {}: a Unix socket from outside the sandbox", descriptor.number));
        }
    }
}

/// What a process may be capable of.
enum Capabilities {
    None,
    /// Anything, in its own user namespace and what belongs to that; nothing that a program it ran would keep.
    OfItsOwnNamespace,
}

fn confined(facts: &Facts, expected: &Expected, capabilities: Capabilities) -> Vec<String> {
    let mut found = Vec::new();
    for thread in &facts.threads {
        if let Some((uid, gid)) = expected.ids {
            if thread.uids.iter().any(|id| *id != uid) {
                found.push(format!("user ids {:?}; must be the executor's, {uid}", thread.uids));
            }
            if thread.gids.iter().any(|id| *id != gid) {
                found.push(format!("group ids {:?}; must be the executor's, {gid}", thread.gids));
            }
        }
        if !thread.groups.is_empty() {
            found.push(format!("supplementary groups {:?}; must be none", thread.groups));
        }
        let wanted = match capabilities {
            Capabilities::None => [0; 5],
            Capabilities::OfItsOwnNamespace => {
                let [_, permitted, effective, bounding, _] = thread.capabilities;
                [0, permitted, effective, bounding, 0]
            }
        };
        capability_sets(thread, &wanted, &mut found);
        seal(thread, &mut found);
    }
    found.dedup();
    found
}

fn as_deviations(facts: &Facts, found: Vec<String>) -> Vec<Deviation> {
    let process = facts.kind.name();
    found.into_iter().map(|what| Deviation { pid: facts.pid, process: process.clone(), what }).collect()
}
