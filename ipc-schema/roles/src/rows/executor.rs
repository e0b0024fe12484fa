//! `chela-executor`: one a principal. Runs commands, each in a disposable sandbox.

use super::common::{FILES_READ, LIFE, LINE_AND_CONTROL, RUNTIME, SEALED_OFF, any};
use crate::grant::{
    Access, Account, Edge, FileGrant, Landlock, Limits, Network, Processes, Role, Row, Slots,
    Source, SyscallGrant, Until,
};
use crate::limits::{PRINCIPAL_MAX, PRINCIPAL_OFFSET, PRINCIPAL_STRIDE};

/// What making a sandbox takes. Without a capability in the parent namespace these reach the sandbox's own
/// namespaces only.
const SANDBOX_MAKING: &[SyscallGrant] = &[
    any("clone", "the sandbox, in namespaces of its own"),
    any("execve", "the command, after the sandbox has sealed itself"),
    any("wait4", "reaps the sandbox"),
    any("waitid", "reaps the sandbox"),
    any(
        "pidfd_open",
        "waits for the sandbox without a signal handler",
    ),
    any("pidfd_send_signal", "kills the sandbox"),
    any("kill", "kills the sandbox"),
    any("pipe2", "the sandbox's output"),
    any("dup2", "the sandbox's output"),
    any("dup3", "the sandbox's output"),
    any("close_range", "the sandbox inherits nothing"),
    any("unshare", "the sandbox's namespaces"),
    any("mount", "the sandbox's root"),
    any("umount2", "the sandbox's root"),
    any("pivot_root", "the sandbox's root"),
    any("chdir", "the sandbox's root"),
    any("mkdir", "the sandbox's root"),
    any("mkdirat", "the sandbox's root"),
    any("symlink", "the sandbox's root"),
    any("symlinkat", "the sandbox's root"),
    any("umask", "the sandbox's root"),
    any("fchmod", "the sandbox's root"),
    any("fchmodat", "the sandbox's root"),
    any("sethostname", "the sandbox's host name"),
    any("setsid", "the sandbox's session"),
    any("setresuid", "the sandbox's user inside its own namespace"),
    any("setresgid", "the sandbox's group inside its own namespace"),
    any("setgroups", "the sandbox's groups inside its own namespace"),
    any("capset", "the sandbox drops what its own namespace gave it"),
    any("capget", "the sandbox drops what its own namespace gave it"),
    any(
        "prctl",
        "the sandbox's bounding set, no_new_privs and parent-death signal",
    ),
    any("prlimit64", "the sandbox's limits"),
    any("seccomp", "the sandbox's own filter"),
    any("landlock_create_ruleset", "the sandbox's own ruleset"),
    any("landlock_add_rule", "the sandbox's own ruleset"),
    any("landlock_restrict_self", "the sandbox's own ruleset"),
    any(
        "unlinkat",
        "removes what a sandbox left in its staging area",
    ),
    any("renameat", "replaces a file in one step"),
    any("getuid", "its own account, to map it"),
    any("getgid", "its own account, to map it"),
    any("geteuid", "its own account, to map it"),
    any("getegid", "its own account, to map it"),
    any("getppid", "whether its parent is still there"),
];

const SYSTEM: &str = "programs and libraries of the sandboxes, read-only";
const DEVICE: &str = "one of the six harmless device nodes, bound into the sandboxes";

const fn system(path: &'static str) -> FileGrant {
    FileGrant {
        source: Source::Host(path),
        inside: path,
        access: Access::ReadExecute,
        until: Until::Exit,
        optional: true,
        why: SYSTEM,
    }
}

const fn device(path: &'static str) -> FileGrant {
    FileGrant {
        source: Source::Host(path),
        inside: path,
        access: Access::Device,
        until: Until::Exit,
        optional: false,
        why: DEVICE,
    }
}

/// Its row.
pub const ROW: Row = Row {
    role: Role::Executor,
    name: "executor",
    binary: "chela-executor",
    purpose: "Runs one principal's tool calls, each in a disposable sandbox.",
    if_taken_over: "That one principal's workspace; no network, no other account's file.",
    slots: Slots::Each {
        first: 1,
        last: PRINCIPAL_MAX,
    },
    account: Account::PerSlot {
        offset: PRINCIPAL_OFFSET,
        stride: PRINCIPAL_STRIDE,
        why: "an account a principal: one member's files are out of another's reach by the kernel's oldest rule",
    },
    capabilities: &[],
    network: Network::None,
    processes: Processes::Sandboxes {
        why: "commands run in processes of their own, in namespaces below its own",
    },
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
            until: Until::Exit,
            optional: false,
            why: "writes the id maps of its sandboxes, and the kernel lets them mount a /proc of their own",
        },
        FileGrant {
            source: Source::Tmpfs {
                size_bytes: 1 << 20,
            },
            inside: "/sandbox",
            access: Access::ReadWriteExecute,
            until: Until::Exit,
            optional: false,
            why: "where a sandbox's root is put together",
        },
        FileGrant {
            source: Source::Slot {
                parent: "var/principals",
                leaf: "workspace",
            },
            inside: "/workspace",
            access: Access::ReadWriteExecute,
            until: Until::Exit,
            optional: false,
            why: "the principal's own files",
        },
    ],
    descriptors: LINE_AND_CONTROL,
    landlock: Landlock::WithoutFiles {
        why: "a domain with filesystem rules may not mount; each sandbox gets its filesystem rules afterwards",
    },
    syscalls: &[LIFE, RUNTIME, FILES_READ, SANDBOX_MAKING],
    answered: &[super::common::NO_CLONE3],
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
