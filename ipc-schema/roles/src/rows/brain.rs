//! `chela-brain`: one a turn. It reads what strangers wrote, so it has nothing.

use super::common::{LIFE, LINE_AND_CONTROL, NO_CLONE3, RUNTIME, SEALED_OFF};
use crate::grant::{Account, Edge, Landlock, Limits, Network, Processes, Role, Row, Slots};
use crate::limits::{BRAIN_SLOTS, LOG_ONLY_FILE_BYTES, SMALL_ADDRESS_SPACE_BYTES};

/// Its row.
pub const ROW: Row = Row {
    role: Role::Brain,
    name: "brain",
    binary: "chela-brain",
    purpose: "Runs one turn: context, completion, tool call, result, reply; then exits.",
    if_taken_over: "Asks the gate for what the model could ask for anyway, for one turn of one principal.",
    slots: Slots::Pool { first: 0, last: BRAIN_SLOTS - 1 },
    account: Account::Named { name: "chela-brain", why: "an account that owns no file anywhere" },
    capabilities: &[],
    network: Network::None,
    processes: Processes::None,
    edge: Edge::Gate,
    namespaces: SEALED_OFF,
    files: &[],
    descriptors: LINE_AND_CONTROL,
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME],
    answered: &[NO_CLONE3],
    limits: Limits {
        address_space_bytes: Some(SMALL_ADDRESS_SPACE_BYTES),
        open_files: 32,
        processes: None,
        file_size_bytes: Some(LOG_ONLY_FILE_BYTES),
        cgroup_memory_bytes: 128 << 20,
        cgroup_tasks: 4,
        why: "one conversation's context in memory, nothing else",
    },
};
