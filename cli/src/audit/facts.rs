//! What the kernel says about one process, and what the host makes of its row: plain data, compared by pure functions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use roles::Role;

/// What a process of the tree is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A role in a slot.
    Role(Role, u32),
    /// The process of an executor (slot) that makes sandboxes.
    Maker(u32),
    /// The first process of a sandbox of an executor (slot), with no other program below it: one that waits for a request,
    /// or is at its end.
    Waiting(u32),
    /// A process in a sandbox of an executor (slot).
    Sandbox(u32),
    /// Nothing that the table knows.
    Stranger,
}

impl Kind {
    /// For people: `brain 0`, `sandbox of executor 1`.
    pub fn name(self) -> String {
        match self {
            Kind::Role(Role::Launcher, _) => Role::Launcher.name().to_string(),
            Kind::Role(role, slot) => format!("{} {slot}", role.name()),
            Kind::Maker(slot) => format!("maker of executor {slot}"),
            Kind::Waiting(slot) => format!("waiting sandbox of executor {slot}"),
            Kind::Sandbox(slot) => format!("sandbox of executor {slot}"),
            Kind::Stranger => "stranger".to_string(),
        }
    }
}

/// The five capability sets, by the names that `/proc/PID/status` has.
pub const CAPABILITY_SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// One thread, from its `status`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Thread {
    /// Real, effective, saved and file-system user id.
    pub uids: Vec<u32>,
    /// The same of the group.
    pub gids: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// In the order of [`CAPABILITY_SETS`].
    pub capabilities: [u64; 5],
    /// Whether it can gain privileges by exec.
    pub no_new_privs: bool,
    /// 0 off, 1 strict, 2 filter.
    pub seccomp_mode: u32,
    /// Filters in force.
    pub seccomp_filters: u32,
}

/// One mount of its mount namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Where, in its root.
    pub point: String,
    /// Options of the mount, for example `ro`, `nosuid`.
    pub options: Vec<String>,
    /// Kind of file system.
    pub fs_type: String,
    /// Device and inode number of what is there; `None` when it could not be looked at.
    pub identity: Option<(u64, u64)>,
}

/// The kind of a socket, by the table of /proc/net that lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Family {
    /// A Unix socket, made by the launcher or the host.
    Unix {
        /// It listens.
        listening: bool,
        /// The path it is bound to, or was accepted on; empty for a socketpair.
        path: String,
    },
    /// A Unix socket made inside a network namespace of its own.
    UnixOwn,
    /// TCP, UDP or raw, IPv4 or IPv6.
    Inet {
        /// For example `tcp6`.
        protocol: &'static str,
        /// Anybody could send to it: it listens, or is bound and not connected.
        listening: bool,
    },
    /// On no list of its namespace.
    Other,
}

/// Who holds the other end of a socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Peer {
    /// A process of the tree.
    Member(Kind),
    /// A process that is not of the tree.
    Outside,
}

/// What a descriptor is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A file, by path.
    File {
        /// Its path, in the root of whoever opened it.
        path: String,
        /// It may be written.
        writable: bool,
    },
    /// A pipe.
    Pipe,
    /// Without a file, for example `eventpoll`.
    Anonymous(String),
    /// A socket.
    Socket {
        /// Its kind.
        family: Family,
        /// Who holds its other end, each once.
        peers: Vec<Peer>,
        /// Who else holds this very end.
        shared_with: Vec<Peer>,
    },
}

/// One open descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fd {
    /// Its number.
    pub number: i32,
    /// What it is.
    pub target: Target,
}

/// Two bounds; `None` is unlimited.
pub type Bounds = (Option<u64>, Option<u64>);

/// All that is known of one process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Process id on the host.
    pub pid: u32,
    /// What it is.
    pub kind: Kind,
    /// Each of its threads.
    pub threads: Vec<Thread>,
    /// Name of a namespace kind to its inode number.
    pub namespaces: BTreeMap<String, u64>,
    /// Its mounts; empty for the launcher, which lives among the host's.
    pub mounts: Vec<Mount>,
    /// Its descriptors.
    pub fds: Vec<Fd>,
    /// Soft and hard limit by the kernel's name, for example `Max open files`; `None` is unlimited.
    pub limits: BTreeMap<String, Bounds>,
    /// Names of its environment's variables.
    pub environment: Vec<String>,
    /// Its control group.
    pub cgroup: String,
    /// Bounds of its control group: memory (bytes) and tasks, where there is one.
    pub cgroup_bounds: Option<Bounds>,
    /// Label of a security module, if any.
    pub label: String,
    /// Process ids of its children.
    pub children: Vec<u32>,
    /// Proportional set size, KiB.
    pub pss_kib: Option<u64>,
}

/// What the host makes of a row: ids, paths, the launcher's own state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// User id and group id.
    pub ids: Option<(u32, u32)>,
    /// Filters that chelad itself runs under.
    pub filters_base: u32,
    /// Namespaces of chelad.
    pub launcher_namespaces: BTreeMap<String, u64>,
    /// Path in the role's root to what must be mounted there: device and inode number where it is a thing of the host.
    pub mounts: BTreeMap<String, ExpectedMount>,
    /// The log stream.
    pub log: PathBuf,
    /// The audit log.
    pub audit_log: PathBuf,
    /// The listening socket.
    pub listener: PathBuf,
    /// Whether chelad gives each instance a control group of its own.
    pub has_cgroups: bool,
}

/// One mount that the row grants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedMount {
    /// Options that must be there.
    pub options: &'static [&'static str],
    /// It may be missing.
    pub optional: bool,
    /// Its files' owner must be mapped: an id-mapped mount, and no other is.
    pub mapped: bool,
    /// What must be there, where it is a thing of the host.
    pub identity: Option<(u64, u64)>,
}

/// One way in which a process is not what the table says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
pub struct Deviation {
    /// Process id on the host.
    pub pid: u32,
    /// Which process, in words.
    pub process: String,
    /// What is so, and what the table says.
    pub what: String,
}
