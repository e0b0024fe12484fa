//! What of the host's files a role has in its root directory.

/// One file or directory in a role's root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileGrant {
    /// What it is on the host.
    pub source: Source,
    /// Absolute path in the role's root.
    pub inside: &'static str,
    /// What may be done with it.
    pub access: Access,
    /// For how long: Landlock closes what is `Start` at the seal.
    pub until: Until,
    /// Whether the role starts without it when the host has none.
    pub optional: bool,
    /// Why.
    pub why: &'static str,
}

/// Where a granted file comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// An absolute path of the host; where that is a link to a directory, the same link is made inside; a link to a file
    /// is followed.
    Host(&'static str),
    /// A path below the root DIR, owned by root, for example `etc/gate`.
    Root(&'static str),
    /// `DIR/{parent}/{slot}/{leaf}`, made by the launcher at the first start, mode 0700, owned by the slot's account.
    /// An empty leaf is `DIR/{parent}/{slot}` itself.
    Slot {
        /// Directory below DIR, for example `var/principals`.
        parent: &'static str,
        /// Directory below the slot's, for example `workspace`.
        leaf: &'static str,
    },
    /// Directories of the principal's own that root has added: each link in `DIR/{parent}/{slot}/{leaf}` leads to one and
    /// belongs to the user and group whose files it has. Each is mounted below `inside` by the link's name, with that
    /// user and group mapped to the slot's account and back. One that is not there, or is not what was added, is left
    /// out and logged.
    Directories {
        /// Directory below DIR, root's alone.
        parent: &'static str,
        /// Directory below the slot's.
        leaf: &'static str,
    },
    /// A path below the directory that holds the role programs.
    Libexec(&'static str),
    /// A fresh proc filesystem of the role's own process-id namespace.
    Proc,
    /// A fresh, empty tmpfs.
    Tmpfs {
        /// Its size limit in bytes.
        size_bytes: u64,
    },
}

/// What may be done with a granted file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read files, list directories. Mounted read-only, nosuid, nodev, noexec.
    Read,
    /// As `Read`, and run programs in it. Mounted read-only, nosuid, nodev.
    ReadExecute,
    /// Everything below it but device nodes and set-user-id programs. Mounted nosuid, nodev, noexec.
    ReadWrite,
    /// As `ReadWrite`, and run programs in it.
    ReadWriteExecute,
    /// One of the harmless device nodes: read and write it, nothing else. Mounted nosuid, noexec.
    Device,
}

impl Access {
    /// The options of its mount.
    pub const fn mount_options(self) -> &'static [&'static str] {
        match self {
            Access::Read => &["ro", "nosuid", "nodev", "noexec"],
            Access::ReadExecute => &["ro", "nosuid", "nodev"],
            Access::ReadWrite => &["nosuid", "nodev", "noexec"],
            Access::ReadWriteExecute => &["nosuid", "nodev"],
            Access::Device => &["nosuid", "noexec"],
        }
    }

    /// The same as bits, which are alike for mount(2) and mount_setattr(2).
    pub const fn mount_flags(self) -> u64 {
        const READ_ONLY: u64 = 1;
        const NO_SUID: u64 = 2;
        const NO_DEV: u64 = 4;
        const NO_EXEC: u64 = 8;
        match self {
            Access::Read => READ_ONLY | NO_SUID | NO_DEV | NO_EXEC,
            Access::ReadExecute => READ_ONLY | NO_SUID | NO_DEV,
            Access::ReadWrite => NO_SUID | NO_DEV | NO_EXEC,
            Access::ReadWriteExecute => NO_SUID | NO_DEV,
            Access::Device => NO_SUID | NO_EXEC,
        }
    }
}

/// For how long a file grant holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Until the role seals itself: used at its start only.
    Sealed,
    /// For the whole life of the process.
    Exit,
}
