//! `chela-gate`, the policy gate: the hub of the star.

use super::common::{FILES_READ, LIFE, NO_CLONE3, RUNTIME, SEALED_OFF, any, is, only};
use crate::fd;
use crate::grant::{
    Access, Account, Descriptor, DescriptorKind, Edge, FileGrant, Landlock, Limits, Network, Processes, Role, Row,
    Slots, Source, SyscallGrant, Until,
};
use crate::limits::SMALL_ADDRESS_SPACE_BYTES;

const LOCAL_PEOPLE: &[SyscallGrant] = &[
    only("accept4", &[is(0, fd::LISTENER as u64)], "local people, on the listener handed to it and no other"),
    any("fdatasync", "an audit entry is on the disk before what it allows happens"),
];

/// Its row.
pub const ROW: Row = Row {
    role: Role::Gate,
    name: "gate",
    binary: "chela-gate",
    purpose: "Decides and records everything that passes between two roles.",
    if_taken_over: "Everything that passes through it. Together with the launcher it is the trusted base.",
    slots: Slots::One,
    account: Account::Named { name: "chela-gate", why: "an account of its own: no other role can signal or read it" },
    capabilities: &[],
    network: Network::None,
    processes: Processes::None,
    edge: Edge::Hub { why: "a star: nothing passes between two roles but through the reference monitor" },
    namespaces: SEALED_OFF,
    files: &[FileGrant {
        source: Source::Root("etc/gate"),
        inside: "/etc/gate",
        access: Access::Read,
        until: Until::Exit,
        optional: false,
        why: "policies, read again on SIGHUP",
    }],
    descriptors: &[
        Descriptor { number: Some(fd::LINE), what: DescriptorKind::Line, why: "edges arrive on it, labelled" },
        Descriptor {
            number: Some(fd::CONTROL),
            what: DescriptorKind::Control,
            why: "heartbeats; which instances are wanted",
        },
        Descriptor { number: Some(fd::LISTENER), what: DescriptorKind::Listener, why: "local people connect to it" },
        Descriptor { number: Some(fd::AUDIT_LOG), what: DescriptorKind::AuditLog, why: "appends what was decided" },
        Descriptor { number: None, what: DescriptorKind::Edge, why: "one an instance of every other role" },
    ],
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME, FILES_READ, LOCAL_PEOPLE],
    answered: &[NO_CLONE3],
    limits: Limits {
        address_space_bytes: Some(SMALL_ADDRESS_SPACE_BYTES),
        open_files: 2048,
        processes: None,
        file_size_bytes: None,
        cgroup_memory_bytes: 256 << 20,
        cgroup_tasks: 8,
        why: "an edge an instance and a connection a local client; the audit log grows without bound",
    },
};
