//! Which limit a command ended at, where its sandbox can know.

use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};
use schema::tool::Limit;

use crate::layer::Room;
use crate::record::End;

/// What a shell adds to the number of the signal that ended its command.
const SHELL: i32 = 128;

/// The limit, when every process is gone.
pub fn ended_by(end: End, room: &Room) -> Option<Limit> {
    if end == End::Exited(0) {
        return None;
    }
    by_signal(end).or_else(|| {
        let rooms = [fstatvfs(room.filesystem()), statvfs("/tmp")];
        rooms.iter().flatten().find_map(full)
    })
}

/// By the signal that the kernel sends to who exceeds it, or by what a shell says of it.
fn by_signal(end: End) -> Option<Limit> {
    let signal = match end {
        End::Signalled(signal) => signal,
        End::Exited(code) => code - SHELL,
        End::Failed(_) | End::Killed | End::OutOfMemory => return None,
    };
    match signal {
        libc::SIGXCPU => Some(Limit::Cpu),
        libc::SIGXFSZ => Some(Limit::FileSize),
        _ => None,
    }
}

/// It failed, and there is no room left where it writes.
fn full(filesystem: &Statvfs) -> Option<Limit> {
    if filesystem.blocks() > 0 && filesystem.blocks_available() == 0 {
        return Some(Limit::Disk);
    }
    (filesystem.files() > 0 && filesystem.files_available() == 0).then_some(Limit::Files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_of_limits_are_told_from_others() {
        assert_eq!(by_signal(End::Signalled(libc::SIGXCPU)), Some(Limit::Cpu));
        assert_eq!(by_signal(End::Exited(SHELL + libc::SIGXFSZ)), Some(Limit::FileSize));
        for end in [End::Exited(0), End::Exited(24), End::Exited(SHELL), End::Signalled(libc::SIGKILL), End::Killed] {
            assert_eq!(by_signal(end), None, "{end:?}");
        }
    }
}
