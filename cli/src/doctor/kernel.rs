//! What the kernel has.

use std::fs;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};

use super::Check;

/// What each version of Landlock brought, for the words of the report.
const LANDLOCK_BROUGHT: [(i32, &str); 5] = [
    (2, "moving files between directories by rule"),
    (3, "denying truncation"),
    (4, "denying TCP bind and connect"),
    (5, "denying device requests (ioctl)"),
    (6, "denying signals and abstract sockets outside"),
];

/// Every check of the kernel.
pub fn checks() -> Vec<Check> {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_string());
    vec![
        landlock(landlock_version()),
        seccomp(read("/proc/sys/kernel/seccomp/actions_avail").as_deref()),
        namespaces(&missing_namespaces()),
        user_namespaces(
            read("/proc/sys/user/max_user_namespaces").as_deref(),
            read("/proc/sys/kernel/unprivileged_userns_clone").as_deref(),
            read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref(),
        ),
        overlay(read("/proc/sys/kernel/osrelease").as_deref()),
        control_groups(read("/sys/fs/cgroup/cgroup.controllers").as_deref()),
    ]
}

/// The newest version that the kernel takes a ruleset of, up to the newest that is asked for; 0 for none. Making a
/// ruleset restricts nothing.
fn landlock_version() -> i32 {
    let takes = |abi: ABI| {
        let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let with_files = hard.handle_access(AccessFs::from_all(abi));
        let net = AccessNet::from_all(abi);
        let with_net = with_files.and_then(|rules| if net.is_empty() { Ok(rules) } else { rules.handle_access(net) });
        let scope = Scope::from_all(abi);
        let all = with_net.and_then(|rules| if scope.is_empty() { Ok(rules) } else { rules.scope(scope) });
        all.and_then(|rules| rules.create()).is_ok()
    };
    let newest = LANDLOCK_BROUGHT.last().map_or(1, |(version, _)| *version);
    (1..=newest).rev().find(|version| takes(ABI::from(*version))).unwrap_or(0)
}

fn landlock(version: i32) -> Check {
    let name = "Landlock";
    let lacks: Vec<&str> =
        LANDLOCK_BROUGHT.iter().filter(|(since, _)| *since > version).map(|(_, what)| *what).collect();
    match version {
        0 => Check::missing(
            name,
            "this kernel has none, or it is switched off",
            "Linux 5.13 or newer, with landlock among the names in /sys/kernel/security/lsm (boot parameter lsm=landlock,…)",
        ),
        _ if lacks.is_empty() => Check::ok(name, format!("version {version} or newer")),
        _ => Check::weaker(
            name,
            format!("version {version}: lacks {}; the rest of each seal holds", lacks.join("; ")),
            "Linux 6.12 or newer has all of it",
        ),
    }
}

fn seccomp(actions: Option<&str>) -> Check {
    let name = "seccomp";
    let has = |action| actions.is_some_and(|all| all.split_whitespace().any(|one| one == action));
    if has("kill_process") && has("errno") {
        Check::ok(name, "filters with kill_process and errno")
    } else {
        Check::missing(
            name,
            "no filters that end a process",
            "a kernel with CONFIG_SECCOMP_FILTER (Linux 4.14 or newer)",
        )
    }
}

fn missing_namespaces() -> Vec<&'static str> {
    let kinds = ["mnt", "pid", "net", "ipc", "uts", "user", "cgroup"];
    kinds.into_iter().filter(|kind| fs::symlink_metadata(format!("/proc/self/ns/{kind}")).is_err()).collect()
}

fn namespaces(missing: &[&str]) -> Check {
    match missing {
        [] => Check::ok("namespaces", "all kinds that cages and sandboxes use"),
        missing => Check::missing(
            "namespaces",
            format!("this kernel has no {}", missing.join(", ")),
            "a kernel with CONFIG_NAMESPACES and every kind of it, as every distribution's is",
        ),
    }
}

/// What executors make sandboxes with.
fn user_namespaces(most: Option<&str>, clone: Option<&str>, apparmor: Option<&str>) -> Check {
    let name = "user namespaces";
    if most.is_none() || most == Some("0") {
        return Check::missing(
            name,
            format!("user.max_user_namespaces is {}: no sandbox can be made", most.unwrap_or("not there")),
            "sysctl -w user.max_user_namespaces=15000, and the same line in /etc/sysctl.d/",
        );
    }
    if clone == Some("0") {
        return Check::missing(
            name,
            "kernel.unprivileged_userns_clone is 0: no sandbox can be made",
            "sysctl -w kernel.unprivileged_userns_clone=1, and the same line in /etc/sysctl.d/",
        );
    }
    if apparmor == Some("1") {
        return Check::missing(
            name,
            "kernel.apparmor_restrict_unprivileged_userns is 1: no sandbox can be made",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for chela-executor that has userns",
        );
    }
    Check::ok(name, format!("{} at most", most.unwrap_or_default()))
}

/// Rehearsals put an overlay over the workspace, without privilege.
fn overlay(release: Option<&str>) -> Check {
    let name = "overlay";
    let mut numbers = release.unwrap_or_default().split(['.', '-']).map(|word| word.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (5, 11) {
        Check::ok(name, format!("Linux {} mounts it in a user namespace (userxattr)", release.unwrap_or_default()))
    } else {
        Check::weaker(
            name,
            format!(
                "Linux {} can't mount it in a user namespace: no rehearsals",
                release.unwrap_or("of unknown version")
            ),
            "Linux 5.11 or newer",
        )
    }
}

fn control_groups(controllers: Option<&str>) -> Check {
    let name = "control groups";
    let fix =
        "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1) and run chelad by its unit, which has Delegate=yes";
    let Some(controllers) = controllers else {
        return Check::weaker(name, "no cgroup v2 at /sys/fs/cgroup: memory of a role is bounded by rlimits only", fix);
    };
    let lacks: Vec<&str> =
        ["memory", "pids"].into_iter().filter(|name| !controllers.split_whitespace().any(|one| one == *name)).collect();
    if lacks.is_empty() {
        Check::ok(name, "version 2 with memory and pids")
    } else {
        Check::weaker(name, format!("version 2 without {}", lacks.join(" and ")), fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn an_older_landlock_is_weaker_and_says_what_it_lacks() {
        let debian_12 = landlock(2);
        assert_eq!(debian_12.state, State::Weaker);
        assert!(
            debian_12.found.contains("TCP bind and connect") && debian_12.found.contains("signals"),
            "{debian_12:?}"
        );
        assert!(!debian_12.found.contains("between directories"), "{debian_12:?}");
        assert_eq!(landlock(6).state, State::Ok);
        assert_eq!(landlock(0).state, State::Missing);
    }

    #[test]
    fn each_switch_that_forbids_user_namespaces_is_named_with_its_way_out() {
        for (most, clone, apparmor, name) in [
            (Some("0"), None, None, "user.max_user_namespaces"),
            (Some("100"), Some("0"), None, "kernel.unprivileged_userns_clone"),
            (Some("100"), Some("1"), Some("1"), "kernel.apparmor_restrict_unprivileged_userns"),
        ] {
            let check = user_namespaces(most, clone, apparmor);
            assert_eq!(check.state, State::Missing);
            assert!(check.found.contains(name) && check.fix.contains(name), "{check:?}");
        }
        assert_eq!(user_namespaces(Some("100"), Some("1"), Some("0")).state, State::Ok);
        assert_eq!(user_namespaces(None, None, None).state, State::Missing);
    }

    #[test]
    fn what_is_needed_and_what_is_only_better_are_told_apart() {
        assert_eq!(seccomp(Some("kill_process kill_thread trap errno log allow")).state, State::Ok);
        assert_eq!(seccomp(None).state, State::Missing);
        assert_eq!(control_groups(None).state, State::Weaker);
        assert_eq!(control_groups(Some("cpu memory")).state, State::Weaker);
        assert_eq!(control_groups(Some("cpu memory pids")).state, State::Ok);
        assert_eq!(overlay(Some("5.10.0-1")).state, State::Weaker);
        assert_eq!(overlay(Some("6.1.0-18-amd64")).state, State::Ok);
        assert_eq!(namespaces(&["user"]).state, State::Missing);
    }
}
