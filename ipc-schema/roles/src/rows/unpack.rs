//! The process in which `chela images import`, run by root, has an image unpacked: it begins as root, takes the image's
//! open files and one empty directory, and gives everything else up before it reads a byte of the image.
//!
//! It is no role: nobody but that command starts it, and it has no edge. If the image takes it over: what is in that one
//! directory, and the answer to the command, which holds neither for true before it has looked at its form.

use super::common::{LIFE, any, is, only};
use crate::grant::{Access, SyscallGrant};

/// The account it becomes. Nothing else runs as it.
pub const ACCOUNT: &str = "chela-images";

/// What it may do in the directory that it unpacks into; there is no other file for it.
pub const INTO: Access = Access::ReadWrite;

/// What it may call; anything else kills it. What is not here: processes, sockets, other modes, owners, attributes.
pub const SYSCALLS: &[&[SyscallGrant]] = &[LIFE, UNPACK];

const F_GETFD: u64 = 1;
const F_GETFL: u64 = 3;
const F_DUPFD_CLOEXEC: u64 = 1030;
const READS: &str = "reads the image's files, which it holds";
const MAKES: &str = "makes the image's tree, beneath the directory that it holds";

const UNPACK: &[SyscallGrant] = &[
    any("lseek", READS),
    only("fcntl", &[is(1, F_DUPFD_CLOEXEC)], READS),
    only("fcntl", &[is(1, F_GETFD)], "whether a descriptor is open"),
    only("fcntl", &[is(1, F_GETFL)], "how a directory was opened that is to be read"),
    any("openat2", MAKES),
    any("openat", MAKES),
    any("mkdirat", MAKES),
    any("symlinkat", MAKES),
    any("linkat", MAKES),
    any("unlinkat", "a later layer's whiteouts"),
    any("utimensat", "when a file was changed"),
    any("getdents64", "what is in a directory that a later layer empties"),
    any("fstat", "what is there"),
    any("newfstatat", "what is there"),
    any("statx", "what is there"),
    any("syncfs", "what is kept is on the disk"),
];
