//! `chela-executor`: one a principal. Runs commands, each in a disposable sandbox.
//!
//! It is two processes: the executor, which talks with the gate, has that principal's directory and no exec or fork; and its maker,
//! forked before the executor seals itself, which makes sandboxes and talks with nobody else. A filter is inherited by
//! what a process starts: one process that did both would need every system call that any command needs.

use super::common::{FILES_READ, LIFE, LINE_AND_CONTROL, RUNTIME, SEALED_OFF, any, is, only};
use crate::fd;
use crate::grant::{
    Access, Account, Edge, FileGrant, Landlock, Limits, Network, Processes, Role, Row, Slots, Source, SyscallGrant,
    Until,
};
use crate::limits::{PRINCIPAL_MAX, PRINCIPAL_OFFSET, PRINCIPAL_STRIDE};

/// What driving its maker takes: the sandboxes' own lists are in [`super::sandbox`].
const MAKER: &[SyscallGrant] = &[
    any("pipe2", "output of a sandbox, and what it is to do"),
    only("sendmsg", &[is(0, fd::MAKER as u64)], "descriptors go to its own maker and nowhere else"),
];

/// From the kernel's fs.h.
const FICLONE: u64 = 0x4004_9409;

const STAGED: &str = "stages what was changed, beneath directories that it holds";
const APPLIED: &str = "applies it, beneath the workspace's own directory";
const DURABLE: &str = "what is said to be done is on the disk";

/// What transactions take: every path is relative to a directory that is open already, and none follows a link.
const TRANSACTIONS: &[SyscallGrant] = &[
    any("dup", "reads a directory that it holds"),
    any("openat2", "opens beneath a directory, through no link"),
    any("pwrite64", STAGED),
    any("ftruncate", STAGED),
    any("fallocate", STAGED),
    any("copy_file_range", STAGED),
    only("ioctl", &[is(1, FICLONE)], "clones contents for the copy that a command in the background works over"),
    any("mkdirat", APPLIED),
    any("symlinkat", APPLIED),
    any("linkat", APPLIED),
    any("unlinkat", APPLIED),
    any("renameat", APPLIED),
    any("renameat2", APPLIED),
    any("fchmod", APPLIED),
    any("fchmodat", APPLIED),
    any("fchmodat2", APPLIED),
    any("utimensat", APPLIED),
    any("fgetxattr", "attributes of a file that it holds"),
    any("flistxattr", "attributes of a file that it holds"),
    any("fsetxattr", APPLIED),
    any("fremovexattr", APPLIED),
    any("fsync", DURABLE),
    any("fdatasync", DURABLE),
    any("syncfs", DURABLE),
    any("flock", "one process at a time has the store"),
    any("fstatfs", "whether there is room"),
    any("geteuid", "files of another owner are none that it made"),
];

// From the kernel's uapi headers for x86-64.
const F_SETLK: u64 = 6;

/// What the table of labels takes at an end in order. It is opened before the seal, and what it takes in between
/// transactions take as well.
const LABELS: &[SyscallGrant] = &[
    any("unlink", "the table's log goes when all of it is in the table"),
    only("fcntl", &[is(1, F_SETLK)], "the table is unlocked"),
];

/// Where root's links to them are.
const DIRECTORIES: &str = "etc/directories";
const SYSTEM: &str = "programs and libraries of the sandboxes, read-only";
const DEVICE: &str = "one of the six harmless device nodes, bound into the sandboxes";

const fn system(path: &'static str) -> FileGrant {
    FileGrant {
        source: Source::Host(path),
        inside: path,
        access: Access::ReadExecute,
        until: Until::Sealed,
        optional: true,
        why: SYSTEM,
    }
}

const fn device(path: &'static str) -> FileGrant {
    FileGrant {
        source: Source::Host(path),
        inside: path,
        access: Access::Device,
        until: Until::Sealed,
        optional: false,
        why: DEVICE,
    }
}

/// Its row.
pub const ROW: Row = Row {
    role: Role::Executor,
    name: "executor",
    binary: "chela-executor",
    purpose: "Rehearses one principal's tool calls, each in a disposable sandbox, and commits what the gate allows.",
    if_taken_over: "That one principal's workspace; no network, no other account's file.",
    slots: Slots::Each { first: 1, last: PRINCIPAL_MAX },
    account: Account::PerSlot {
        offset: PRINCIPAL_OFFSET,
        stride: PRINCIPAL_STRIDE,
        why: "an account a principal: one member's files are out of another's reach by the kernel's oldest rule",
    },
    capabilities: &[],
    network: Network::None,
    processes: Processes::Sandboxes { why: "commands run in processes of their own, in namespaces below its own" },
    edge: Edge::Gate,
    namespaces: SEALED_OFF,
    files: &[
        system("/usr"),
        system("/bin"),
        system("/sbin"),
        system("/lib"),
        system("/lib32"),
        system("/lib64"),
        system("/etc/alternatives"),
        system("/etc/ld.so.cache"),
        device("/dev/null"),
        device("/dev/zero"),
        device("/dev/full"),
        device("/dev/random"),
        device("/dev/urandom"),
        device("/dev/tty"),
        FileGrant {
            source: Source::Proc,
            inside: "/proc",
            access: Access::ReadWrite,
            until: Until::Sealed,
            optional: false,
            why: "writes the id maps of its sandboxes, and the kernel lets them mount a /proc of their own",
        },
        FileGrant {
            source: Source::Tmpfs { size_bytes: 1 << 20 },
            inside: "/sandbox",
            access: Access::ReadWriteExecute,
            until: Until::Sealed,
            optional: false,
            why: "where a sandbox's root is put together",
        },
        FileGrant {
            source: Source::Root("var/images"),
            inside: "/images",
            access: Access::ReadExecute,
            until: Until::Exit,
            optional: true,
            why: "images that commands may have as their root: which there are, and for the sandboxes what is in them",
        },
        FileGrant {
            source: Source::Slot { parent: "var/principals", leaf: "" },
            inside: "/principal",
            access: Access::ReadWriteExecute,
            until: Until::Exit,
            optional: false,
            why: "the principal's workspace, and beside it the store of staged changes and of what undoes them",
        },
        FileGrant {
            source: Source::Directories { parent: DIRECTORIES, leaf: "read-only" },
            inside: "/directories/read-only",
            access: Access::ReadExecute,
            until: Until::Sealed,
            optional: false,
            why: "directories of the principal's own that root has added for the sandboxes to read",
        },
        FileGrant {
            source: Source::Directories { parent: DIRECTORIES, leaf: "read-write" },
            inside: "/directories/read-write",
            access: Access::ReadWriteExecute,
            until: Until::Exit,
            optional: false,
            why: "the same, to be changed: by transactions, as the workspace is; what is written is the owner's",
        },
    ],
    descriptors: LINE_AND_CONTROL,
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME, FILES_READ, MAKER, TRANSACTIONS, LABELS],
    answered: &[],
    limits: Limits {
        address_space_bytes: None,
        open_files: 1024,
        processes: Some(512),
        file_size_bytes: Some(4 << 30),
        cgroup_memory_bytes: 2 << 30,
        cgroup_tasks: 512,
        why: "compilers run in the sandboxes; each sandbox has tighter limits of its own",
    },
};
