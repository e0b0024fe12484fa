//! `chela-memory`: one a principal, and one for the house.

use super::common::{FILES_READ, LIFE, LINE_AND_CONTROL, NO_CLONE3, RUNTIME, SEALED_OFF, any, is, only};
use crate::grant::{
    Access, Account, Edge, FileGrant, Landlock, Limits, Network, Processes, Role, Row, Slots, Source, SyscallGrant,
    Until,
};
use crate::limits::{PRINCIPAL_MAX, PRINCIPAL_OFFSET, PRINCIPAL_STRIDE, SMALL_ADDRESS_SPACE_BYTES};

// Numbers from the kernel's uapi headers for x86-64.
const F_GETLK: u64 = 5;
const F_SETLK: u64 = 6;

const DATABASE: &[SyscallGrant] = &[
    only("fcntl", &[is(1, F_GETLK)], "whether the database is locked"),
    only("fcntl", &[is(1, F_SETLK)], "locks the database"),
    any("pwrite64", "database pages"),
    any("ftruncate", "the write-ahead log"),
    any("fallocate", "reserves room before it is needed"),
    any("fsync", "what is answered is on the disk"),
    any("fdatasync", "what is answered is on the disk"),
    any("unlink", "the database's side files"),
    any("rename", "a damaged database is set aside, not deleted"),
    any("access", "whether a side file is there"),
    any("stat", "metadata, by the database library"),
    any("lstat", "metadata, by the database library"),
    any("mkdir", "the database library's lock"),
    any("fchmod", "mode of the database's side files"),
    any("fchown", "the database library keeps the owner; it is its own"),
    any("geteuid", "whether it is root: it never is"),
    any("getcwd", "the database's full name"),
];

/// Its row.
pub const ROW: Row = Row {
    role: Role::Memory,
    name: "memory",
    binary: "chela-memory",
    purpose: "Keeps one principal's journal and memories; slot 0 keeps the gate's own records.",
    if_taken_over: "That one principal's memories; as the house: replays or loses records, which the gate notices.",
    slots: Slots::Each { first: 0, last: PRINCIPAL_MAX },
    account: Account::PerSlot {
        offset: PRINCIPAL_OFFSET + 1,
        stride: PRINCIPAL_STRIDE,
        why: "an account a principal, not the executor's: a command can't reach the memories of its own principal",
    },
    capabilities: &[],
    network: Network::None,
    processes: Processes::None,
    edge: Edge::Gate,
    namespaces: SEALED_OFF,
    files: &[FileGrant {
        source: Source::Slot { parent: "var/memory", leaf: "" },
        inside: "/memory",
        access: Access::ReadWrite,
        until: Until::Exit,
        optional: false,
        why: "the principal's database",
    }],
    descriptors: LINE_AND_CONTROL,
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME, FILES_READ, DATABASE],
    answered: &[NO_CLONE3],
    limits: Limits {
        address_space_bytes: Some(SMALL_ADDRESS_SPACE_BYTES),
        open_files: 64,
        processes: Some(8),
        file_size_bytes: None,
        cgroup_memory_bytes: 256 << 20,
        cgroup_tasks: 8,
        why: "a database's page cache; the database grows with the conversation",
    },
};
