//! What can go wrong in `chela setup`: step, object, way out.

use std::io;
use std::path::{Path, PathBuf};

/// Why nothing was set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not root.
    #[error("{what} needs root, since it gives directories to other accounts. Run it again with sudo")]
    NotRoot {
        /// The command.
        what: &'static str,
    },
    /// A system account is missing.
    #[error(
        "there is no account {name}. Make the accounts with ./x setup, or: systemd-sysusers packaging/sysusers.d/chela.conf"
    )]
    NoAccount {
        /// Its name.
        name: String,
    },
    /// No range of ids is reserved.
    #[error("{file} reserves no ids for chela-range. Reserve them with ./x setup, or: packaging/reserve-ids")]
    NoRange {
        /// /etc/subuid or /etc/subgid.
        file: &'static str,
    },
    /// Every block of the range is taken.
    #[error(
        "every block of ids of the range {base}:{count} belongs to a root already. {registry} lists them; give one back with: chela setup --forget DIR"
    )]
    RangeFull {
        /// First id of the range.
        base: u32,
        /// Ids in the range.
        count: u32,
        /// Path of the registry.
        registry: String,
    },
    /// A system call on a file failed.
    #[error("{step} {}: {error}{}", object.display(), way_out(error))]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        object: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Too little room.
    #[error(
        "{} has only {free_mib} MiB free and a root needs {needed_mib}: make room there or name another directory with --root",
        path.display()
    )]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// What is there.
        free_mib: u64,
        /// What is needed.
        needed_mib: u64,
    },
    /// The file system is mounted read-only.
    #[error(
        "{} is on a read-only file system: mount it writable or name another directory with --root",
        path.display()
    )]
    ReadOnly {
        /// Where.
        path: PathBuf,
    },
    /// Somebody else could change what is in the directory.
    #[error(
        "{p} belongs to user id {uid}{}: chelad, which is root, trusts what is in it. Run: chown root: {p} && chmod go-w {p}",
        if *writable { " or is writable by others" } else { "" },
        p = path.display()
    )]
    Untrusted {
        /// Which directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Whether its mode lets others write.
        writable: bool,
    },
    /// The root is set up for somebody else.
    #[error("{} names user id {there} as the owner, not {wanted}: change it there, then run: systemctl reload chelad", file.display())]
    OtherOwner {
        /// The configuration file.
        file: PathBuf,
        /// Who is there.
        there: u32,
        /// Who was asked for.
        wanted: u32,
    },
    /// A file holds something else than it should.
    #[error("{}: {problem}", file.display())]
    Malformed {
        /// Which.
        file: PathBuf,
        /// What is wrong and the way out.
        problem: String,
    },
    /// The model's file is not what it should be.
    #[error("model file {}: {problem}", file.display())]
    Model {
        /// Which.
        file: PathBuf,
        /// What is wrong and the way out.
        problem: String,
    },
    /// The root is a copy of another.
    #[error(
        "{r} has the ids of {}, which is still there: two roots must not share ids. If this is a copy, delete {r}/etc/uids and everything below {r}/var, then run chela setup again",
        other.display(),
        r = root.display()
    )]
    Copied {
        /// This root.
        root: PathBuf,
        /// Whose ids it has.
        other: PathBuf,
    },
    /// chelad runs there, or processes of the block do.
    #[error("{} is in use: {by}. Stop it first", root.display())]
    InUse {
        /// Which root.
        root: PathBuf,
        /// By what.
        by: String,
    },
}

impl SetupError {
    /// An error of the system on a file.
    pub fn io(step: &'static str, object: &Path, error: io::Error) -> SetupError {
        SetupError::Io { step, object: object.to_path_buf(), error }
    }
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => ". Mount it writable or name another directory with --root",
        io::ErrorKind::StorageFull => ". Make room there or name another directory with --root",
        io::ErrorKind::PermissionDenied => ". Run it again with sudo",
        io::ErrorKind::NotFound => ". Is the path right?",
        io::ErrorKind::NotADirectory => ". Something else than a directory is in the way: move it",
        _ => "",
    }
}
