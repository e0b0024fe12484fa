//! `chela-supervisor`: decides when, never what.

use super::common::{FILES_READ, LIFE, NO_CLONE3, RUNTIME, SEALED_OFF};
use crate::fd;
use crate::grant::{
    Access, Account, Descriptor, DescriptorKind, Edge, FileGrant, Landlock, Limits, Network, Processes, Role, Row,
    Slots, Source, Until,
};
use crate::limits::{LOG_ONLY_FILE_BYTES, SMALL_ADDRESS_SPACE_BYTES};

/// Its row.
pub const ROW: Row = Row {
    role: Role::Supervisor,
    name: "supervisor",
    binary: "chela-supervisor",
    purpose: "Decides when a role starts, stops and restarts.",
    if_taken_over: "Stops and starts roles; holds no edge, no data, and can mislabel nothing.",
    slots: Slots::One,
    account: Account::Named { name: "chela", why: "an account of its own, so that no role can signal it" },
    capabilities: &[],
    network: Network::None,
    processes: Processes::None,
    edge: Edge::None { why: "a supervisor that waits for a role's message could be blocked by it" },
    namespaces: SEALED_OFF,
    files: &[FileGrant {
        source: Source::Root("etc/supervisor"),
        inside: "/etc/supervisor",
        access: Access::Read,
        until: Until::Exit,
        optional: false,
        why: "its configuration, read again on SIGHUP",
    }],
    descriptors: &[
        Descriptor {
            number: Some(fd::LINE),
            what: DescriptorKind::Line,
            why: "asks the launcher, hears its reports; control lines arrive on it",
        },
        Descriptor { number: None, what: DescriptorKind::Control, why: "one control line an instance" },
    ],
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME, FILES_READ],
    answered: &[NO_CLONE3],
    limits: Limits {
        address_space_bytes: Some(SMALL_ADDRESS_SPACE_BYTES),
        open_files: 2048,
        processes: None,
        file_size_bytes: Some(LOG_ONLY_FILE_BYTES),
        cgroup_memory_bytes: 128 << 20,
        cgroup_tasks: 8,
        why: "one control line an instance; an actor is a few kilobytes",
    },
};
