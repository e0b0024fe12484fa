//! The vocabulary of the table. Every grant carries `why`; what a row does not list, the role does not have.

pub use crate::files::{Access, FileGrant, Source, Until};
pub use crate::syscall::{ArgRule, ArgTest, SyscallAnswer, SyscallGrant, Width};

/// One kind of process. The number is its name on every wire and never changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// `chelad`: root, tiny, the only one that starts roles.
    Launcher = 0,
    /// Decides when a role runs; never what it may do.
    Supervisor = 1,
    /// One a link: the only role with network egress.
    Connector = 2,
    /// One a turn: the loop of context, completion, tool call, reply.
    Brain = 3,
    /// The policy gate: the hub of the star.
    Gate = 4,
    /// One a principal: runs commands in disposable sandboxes.
    Executor = 5,
    /// One a principal and one for the house: the journal.
    Memory = 6,
    /// One a principal: the embedded language model.
    Model = 7,
}

impl Role {
    /// Every role, by number.
    pub const ALL: [Role; 8] = [
        Role::Launcher,
        Role::Supervisor,
        Role::Connector,
        Role::Brain,
        Role::Gate,
        Role::Executor,
        Role::Memory,
        Role::Model,
    ];

    /// The role of that number, or `None` for a number nobody has.
    pub const fn from_u8(number: u8) -> Option<Role> {
        let mut i = 0;
        while i < Role::ALL.len() {
            if Role::ALL[i] as u8 == number {
                return Some(Role::ALL[i]);
            }
            i += 1;
        }
        None
    }

    /// Its row of the table.
    pub const fn row(self) -> &'static Row {
        const TABLE: &[Row; Role::ALL.len()] = &crate::TABLE;
        &TABLE[self as usize]
    }

    /// Its name in logs, file names and output, for example `brain`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }
}

/// All that one role may do.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Whose row this is.
    pub role: Role,
    /// Name in logs, file names and output.
    pub name: &'static str,
    /// File name of its program.
    pub binary: &'static str,
    /// What the role is for, in one sentence.
    pub purpose: &'static str,
    /// What an attacker has who controls this process. Generated into SECURITY.md.
    pub if_taken_over: &'static str,
    /// Which slots exist.
    pub slots: Slots,
    /// The account it runs as.
    pub account: Account,
    /// Capabilities it keeps, in the effective and permitted sets alike; no other set ever holds one.
    pub capabilities: &'static [Capability],
    /// What of the network it reaches.
    pub network: Network,
    /// Which other processes it may start.
    pub processes: Processes,
    /// Whom it has an edge to.
    pub edge: Edge,
    /// Namespaces of its own; one not listed is shared with the launcher.
    pub namespaces: &'static [Namespace],
    /// Every file and directory in its root directory. Empty: the role's root is an empty directory.
    pub files: &'static [FileGrant],
    /// Descriptors it starts with, besides the null device and its log stream (0, 1, 2).
    pub descriptors: &'static [Descriptor],
    /// What its seal's Landlock ruleset handles.
    pub landlock: Landlock,
    /// System calls it may make after its seal: groups of grants. Anything else kills the process.
    pub syscalls: &'static [&'static [SyscallGrant]],
    /// System calls answered with an error number rather than death, and why that is needed.
    pub answered: &'static [SyscallAnswer],
    /// Resource limits.
    pub limits: Limits,
}

/// Which slot numbers a role has; one live instance a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slots {
    /// Slot 0 only.
    One,
    /// Slots `first..=last`, interchangeable, all under the same account.
    Pool {
        /// First slot number.
        first: u32,
        /// Last slot number.
        last: u32,
    },
    /// Slots `first..=last`, each a link or a principal with an account of its own.
    Each {
        /// First slot number.
        first: u32,
        /// Last slot number.
        last: u32,
    },
}

impl Slots {
    /// Whether `slot` is one of them.
    pub const fn contains(self, slot: u32) -> bool {
        match self {
            Slots::One => slot == 0,
            Slots::Pool { first, last } | Slots::Each { first, last } => slot >= first && slot <= last,
        }
    }
}

/// The account of a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Account {
    /// User and group 0.
    Root {
        /// Why root.
        why: &'static str,
    },
    /// A system account, by name; its primary group has the same name.
    Named {
        /// Account name.
        name: &'static str,
        /// Why this one.
        why: &'static str,
    },
    /// Slot `s` runs as user and group `block base + offset + stride * s` of the root's own block of ids.
    PerSlot {
        /// Offset of slot 0 in the block.
        offset: u32,
        /// Ids between two slots.
        stride: u32,
        /// Why one each.
        why: &'static str,
    },
}

/// A capability that the launcher keeps. Names as in capabilities(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// For example `CAP_SETUID`.
    pub name: &'static str,
    /// What it is used for.
    pub why: &'static str,
}

/// What of the network a role reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    /// Nothing: a network namespace of its own, empty, and no inet socket by seccomp.
    None,
    /// The host's network namespace, but no inet socket by seccomp or by code (the launcher).
    Unused {
        /// Why it shares the namespace.
        why: &'static str,
    },
    /// Outbound connections only: never bind, listen or accept.
    Egress {
        /// Why.
        why: &'static str,
    },
}

/// Which processes a role may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Processes {
    /// None at all: threads at most.
    None,
    /// Sandboxes, in namespaces of their own below its own.
    Sandboxes {
        /// Why.
        why: &'static str,
    },
    /// The roles of this table.
    Roles {
        /// Why.
        why: &'static str,
    },
}

/// Whom a role exchanges typed messages with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// No edge: control lines or the launcher's lines only.
    None {
        /// Why none.
        why: &'static str,
    },
    /// One edge, to the gate.
    Gate,
    /// The hub: an edge to every role that has one.
    Hub {
        /// Why.
        why: &'static str,
    },
}

/// A kind of namespace, as in namespaces(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Namespace {
    /// Mounts, with a root directory made of [`Row::files`] only.
    Mount,
    /// Process ids: it sees no process but its own.
    Pid,
    /// Network: empty, the loopback interface down.
    Network,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Host name.
    Uts,
}

impl Namespace {
    /// Every kind, in the order of `/proc/PID/ns`.
    pub const ALL: [Namespace; 5] =
        [Namespace::Ipc, Namespace::Mount, Namespace::Network, Namespace::Pid, Namespace::Uts];

    /// Its flag for unshare(2).
    pub const fn clone_flag(self) -> i32 {
        match self {
            Namespace::Mount => 0x0002_0000,
            Namespace::Pid => 0x2000_0000,
            Namespace::Network => 0x4000_0000,
            Namespace::Ipc => 0x0800_0000,
            Namespace::Uts => 0x0400_0000,
        }
    }

    /// Name of its link in `/proc/PID/ns`.
    pub const fn proc_name(self) -> &'static str {
        match self {
            Namespace::Mount => "mnt",
            Namespace::Pid => "pid",
            Namespace::Network => "net",
            Namespace::Ipc => "ipc",
            Namespace::Uts => "uts",
        }
    }
}

/// A descriptor that a role starts with or receives on its launcher line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// Its number, from [`crate::fd`]; `None` for one that arrives later on the launcher line.
    pub number: Option<i32>,
    /// What it is.
    pub what: DescriptorKind,
    /// Why.
    pub why: &'static str,
}

/// What a descriptor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DescriptorKind {
    /// The line to the launcher.
    Line,
    /// The control line to the supervisor.
    Control,
    /// An end of an edge.
    Edge,
    /// The listening Unix socket `DIR/run/chela.sock`.
    Listener,
    /// The audit log, opened to append.
    AuditLog,
}

/// What a role's Landlock ruleset handles. Whatever is handled and not granted is denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landlock {
    /// No ruleset (the launcher, which makes the mounts).
    None {
        /// Why none.
        why: &'static str,
    },
    /// Files, network and scope (signals and abstract sockets).
    Full,
    /// Network and scope only.
    WithoutFiles {
        /// Why not files.
        why: &'static str,
    },
}

/// Resource limits, soft and hard alike; `None` leaves the launcher's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// RLIMIT_AS, bytes of address space.
    pub address_space_bytes: Option<u64>,
    /// RLIMIT_NOFILE, descriptors.
    pub open_files: u64,
    /// RLIMIT_NPROC, processes and threads of the account.
    pub processes: Option<u64>,
    /// RLIMIT_FSIZE, bytes of the largest file it can write.
    pub file_size_bytes: Option<u64>,
    /// Bound of its control group, bytes, where the host has memory control groups.
    pub cgroup_memory_bytes: u64,
    /// Bound of its control group, tasks.
    pub cgroup_tasks: u64,
    /// Why these.
    pub why: &'static str,
}
