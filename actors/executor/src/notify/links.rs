//! Hard links, for one program's sake. git compares the number of a file with that of the link it has just made to it, and
//! gives up when they differ, as they do for a file of the lower layer: an overlay without privilege makes a copy of it.
//! Where files can't be linked git copies them, so that is what it is told; `git clone` of a local repository then works.

use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};

use super::caller::Caller;
use super::rename::is_in_overlay;
use super::sys::Notice;

/// The thread's name as the kernel has it.
const PROGRAM: &[u8] = b"git\n";
/// With `xino` the topmost bits of a file's number say which layer it is of; the upper one's are zero.
const LAYER_BITS: u32 = 2;

/// Whether the link is to fail as one across filesystems does.
pub fn is_refused(notice: &Notice) -> bool {
    let [first, second, ..] = notice.arguments;
    let (dir, path) = match notice.number {
        libc::SYS_link => (libc::AT_FDCWD, first),
        libc::SYS_linkat => (first as i32, second),
        _ => return false,
    };
    let caller = Caller(notice.thread);
    if caller.program().is_none_or(|name| name != PROGRAM) {
        return false;
    }
    let Some(place) = caller.memory().and_then(|memory| caller.place(dir, &memory.path(path)?)) else { return false };
    let seen = fstatat(nix::fcntl::AT_FDCWD, place.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
    seen.is_ok_and(|stat| {
        let is_file = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        let is_lower = stat.st_ino >> (u64::BITS - LAYER_BITS) != 0;
        is_file && is_lower && is_in_overlay(&place)
    })
}
