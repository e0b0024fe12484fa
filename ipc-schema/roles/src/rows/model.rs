//! `chela-model`: the embedded local model, one a principal in use; the weights are shared pages.

use super::common::{EPERM, LIFE, LINE_AND_CONTROL, NO_CLONE3, RUNTIME, SEALED_OFF, THREADS, is, only};
use crate::grant::{
    Access, Account, Edge, FileGrant, Landlock, Limits, Network, Processes, Role, Row, Slots, Source, SyscallAnswer,
    SyscallGrant, Until,
};
use crate::limits::{LOG_ONLY_FILE_BYTES, PRINCIPAL_MAX, PRINCIPAL_OFFSET, PRINCIPAL_STRIDE};

const LIBRARIES: &str = "the engine's shared libraries, loaded before the seal";

const fn library(path: &'static str) -> FileGrant {
    FileGrant {
        source: Source::Host(path),
        inside: path,
        access: Access::ReadExecute,
        until: Until::Sealed,
        optional: true,
        why: LIBRARIES,
    }
}

// Numbers from the kernel's uapi headers for x86-64.
const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
const XFEATURE_XTILEDATA: u64 = 18;

/// What the engine asks for on processors that have it, at its first use.
const PROCESSOR: &[SyscallGrant] = &[only(
    "arch_prctl",
    &[is(0, ARCH_REQ_XCOMP_PERM), is(1, XFEATURE_XTILEDATA)],
    "the processor's matrix registers (AMX); nothing else of arch_prctl",
)];

/// Its row.
pub const ROW: Row = Row {
    role: Role::Model,
    name: "model",
    binary: "chela-model",
    purpose: "Completes text with a local model.",
    if_taken_over: "That one principal's prompts, as a hijacked model; no file, no network.",
    slots: Slots::Each { first: 1, last: PRINCIPAL_MAX },
    account: Account::PerSlot {
        offset: PRINCIPAL_OFFSET + 2,
        stride: PRINCIPAL_STRIDE,
        why: "an account a principal: one member's prompts are never in the process of another's",
    },
    capabilities: &[],
    network: Network::None,
    processes: Processes::None,
    edge: Edge::Gate,
    namespaces: SEALED_OFF,
    files: &[
        library("/usr/lib"),
        library("/usr/lib64"),
        library("/lib"),
        library("/lib64"),
        library("/etc/ld.so.cache"),
        FileGrant {
            source: Source::Libexec("backends"),
            inside: "/backends",
            access: Access::ReadExecute,
            until: Until::Sealed,
            optional: true,
            why: "the engine's kernels for this processor, chosen and loaded before the seal",
        },
        FileGrant {
            source: Source::Root("etc/model.gguf"),
            inside: "/model.gguf",
            access: Access::Read,
            until: Until::Sealed,
            optional: false,
            why: "the weights: opened and mapped before the seal",
        },
    ],
    descriptors: LINE_AND_CONTROL,
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME, THREADS, PROCESSOR],
    answered: &[
        NO_CLONE3,
        SyscallAnswer {
            name: "openat",
            errno: EPERM,
            why: "with many threads the C library's allocator looks up how many processors there are; it does without",
        },
    ],
    limits: Limits {
        address_space_bytes: None,
        open_files: 64,
        processes: Some(64),
        file_size_bytes: Some(LOG_ONLY_FILE_BYTES),
        cgroup_memory_bytes: 16 << 30,
        cgroup_tasks: 64,
        why: "weights and context; as many threads as processors",
    },
};
