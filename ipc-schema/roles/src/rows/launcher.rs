//! `chelad`, the launcher: root, tiny, the trusted base together with the gate.

use crate::grant::{Account, Capability, Edge, Landlock, Limits, Network, Processes, Role, Row, Slots};

/// Its row.
pub const ROW: Row = Row {
    role: Role::Launcher,
    name: "launcher",
    binary: "chelad",
    purpose: "Starts every other process in its cage and makes the edges between them.",
    if_taken_over: "Everything: it is root. It parses nothing that a user or a network wrote.",
    slots: Slots::One,
    account: Account::Root { why: "changes accounts, makes namespaces and mounts, opens what roles may not open" },
    capabilities: &[
        Capability { name: "CAP_SYS_ADMIN", why: "namespaces, mounts and pivot_root of each role" },
        Capability { name: "CAP_SETUID", why: "a role's account" },
        Capability { name: "CAP_SETGID", why: "a role's group, and no other group" },
        Capability { name: "CAP_SETPCAP", why: "empties a role's bounding set" },
        Capability { name: "CAP_CHOWN", why: "gives a slot's new directory to its account" },
        Capability { name: "CAP_DAC_OVERRIDE", why: "reaches the state directories of every account" },
        Capability { name: "CAP_FOWNER", why: "sets the mode of a slot's directory that is another's already" },
        Capability { name: "CAP_KILL", why: "stops roles, which run as other accounts" },
        Capability { name: "CAP_SYS_PTRACE", why: "reads a role's /proc entry before it gets its edge" },
    ],
    network: Network::Unused { why: "roles get their empty namespaces from here; it never opens an inet socket" },
    processes: Processes::Roles { why: "that is its job" },
    edge: Edge::None { why: "no user text ever reaches it: a line to each role, fixed-size records only" },
    namespaces: &[],
    files: &[],
    descriptors: &[],
    landlock: Landlock::None { why: "a process under a filesystem ruleset may not mount" },
    syscalls: &[],
    answered: &[],
    limits: Limits {
        address_space_bytes: None,
        open_files: 4096,
        processes: None,
        file_size_bytes: None,
        cgroup_memory_bytes: 64 << 20,
        cgroup_tasks: 4,
        why: "three lines and two edge ends an instance, for up to 512 instances",
    },
};
