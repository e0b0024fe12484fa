//! Renames: which of them the kernel can do by itself, and what a worker needs to know for the others.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
use rustix::fs::RenameFlags;

use super::caller::Caller;
use super::sys::Notice;
use super::tree;
use crate::step::Failure;

/// What a rename asks for, by its arguments.
struct Request {
    from: (i32, u64),
    to: (i32, u64),
    flags: u32,
}

impl Request {
    fn of(notice: &Notice) -> Option<Request> {
        let [a, b, c, d, e, _] = notice.arguments;
        let request = match notice.number {
            libc::SYS_rename => Request { from: (libc::AT_FDCWD, a), to: (libc::AT_FDCWD, b), flags: 0 },
            libc::SYS_renameat => Request { from: (a as i32, b), to: (c as i32, d), flags: 0 },
            libc::SYS_renameat2 => Request { from: (a as i32, b), to: (c as i32, d), flags: e as u32 },
            _ => return None,
        };
        Some(request)
    }

    fn exchanges(&self) -> bool {
        self.flags & RenameFlags::EXCHANGE.bits() != 0
    }
}

/// One side of a rename: a directory, and a path from there.
pub struct Place {
    base: OwnedFd,
    path: CString,
}

/// A rename for a worker.
pub struct Job {
    /// The call's number.
    pub id: u64,
    from: Place,
    to: Place,
    flags: RenameFlags,
}

/// The job, or `None` where the kernel is to do it: whenever no directory of the overlay is renamed, and whenever
/// anything is in doubt. At worst the command is told EXDEV then, as it would be without this.
pub fn job(notice: &Notice) -> Option<Job> {
    let request = Request::of(notice)?;
    let caller = Caller(notice.thread);
    let memory = caller.memory()?;
    let from = memory.path(request.from.1)?;
    let is_ours = |dir: i32, path: &CString| caller.place(dir, path).is_some_and(|place| is_directory(&place));
    let mut to = None;
    if !is_ours(request.from.0, &from) {
        let other = request.exchanges().then(|| memory.path(request.to.1)).flatten()?;
        if !is_ours(request.to.0, &other) {
            return None;
        }
        to = Some(other);
    }
    let to = to.or_else(|| memory.path(request.to.1))?;
    Some(Job {
        id: notice.id,
        from: Place { base: caller.base(request.from.0, &from)?, path: from },
        to: Place { base: caller.base(request.to.0, &to)?, path: to },
        flags: RenameFlags::from_bits_retain(request.flags),
    })
}

fn is_directory(place: &CString) -> bool {
    let seen = fstatat(nix::fcntl::AT_FDCWD, place.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
    seen.is_ok_and(|stat| {
        SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR && is_in_overlay(place)
    })
}

/// Whether what is there is in a layer over something else.
pub fn is_in_overlay(place: &CStr) -> bool {
    statfs(place).is_ok_and(|system| system.filesystem_type() == OVERLAYFS_SUPER_MAGIC)
}

/// In a worker: does it, with `confine`'s rights and nothing open but the two directories. The error number.
pub fn work(job: Job, confine: &dyn Fn() -> Result<(), Failure>) -> i32 {
    const FIRST: RawFd = 3;
    const FREE: RawFd = 16;
    if let Err(failure) = confine() {
        return failure.errno.max(libc::EACCES);
    }
    let alone = [job.from.base.as_raw_fd(), job.to.base.as_raw_fd()]
        .map(|fd| crate::sys::lift(fd, FREE))
        .into_iter()
        .zip(FIRST..)
        .try_for_each(|(lifted, to)| lifted.and_then(|from| crate::sys::copy_to(from, to, true)))
        .and_then(|()| crate::sys::close_from(FIRST + 2));
    if let Err(errno) = alone {
        return errno as i32;
    }
    let (from, to) = (crate::sys::borrow(FIRST), crate::sys::borrow(FIRST + 1));
    let done = tree::rename((from, &job.from.path), (to, &job.to.path), job.flags);
    // The numbers of its owners are others' by now, or closed.
    std::mem::forget(job);
    match done {
        Ok(()) => 0,
        Err(errno) => Errno::from_raw(errno.raw_os_error()) as i32,
    }
}
