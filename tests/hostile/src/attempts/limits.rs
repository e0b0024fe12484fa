//! More than its share.

use super::{Attempt, Behind, How, call, n};
use crate::given::place_bytes;

/// More descriptors than any role may hold.
pub const DESCRIPTORS: u32 = 2100;
/// More threads than any role may have.
pub const THREADS: u32 = 600;
/// More address space than a small role may have, less than a sandbox may.
pub const ADDRESS_SPACE_BYTES: u64 = 512 << 20;

const ANONYMOUS: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
const READ_WRITE: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const MAY_MOVE: u64 = libc::MREMAP_MAYMOVE as u64;
const THREAD: u64 =
    (libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD) as u64;

/// Each is checked against the row's limit of its kind.
#[rustfmt::skip]
pub const ATTEMPTS: &[Attempt] = &[
    call("many_descriptors", "holds descriptors without end", "eventfd2", super::none)
        .made(How::Repeated(DESCRIPTORS)).behind(Behind::OpenFiles),
    call("much_memory", "holds memory without end", "mmap", |_| {
        [0, ADDRESS_SPACE_BYTES, READ_WRITE, ANONYMOUS, u64::MAX, 0]
    }).behind(Behind::AddressSpace),
    call("growing_memory", "holds memory without end", "mremap", |g| {
        [g.page, 4096, ADDRESS_SPACE_BYTES, MAY_MOVE, 0, 0]
    }).behind(Behind::AddressSpace),
    call("long_log", "fills the disk with its log", "write", |_| [n(2), place_bytes(b"\n"), 1, 0, 0, 0])
        .behind(Behind::FileSize),
    call("many_threads", "starts threads without end", "clone", |_| [THREAD, 0, 0, 0, 0, 0])
        .made(How::Threads(THREADS)).behind(Behind::Processes),
];
