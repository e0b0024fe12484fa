//! The layer of a sandbox: what a command writes goes into a filesystem of its own, over a workspace that stays as it is.
//!
//! The upper layer is in memory and bounded by its mount: no watchdog's guess, and what nobody commits is gone with it.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, fchmod};

use crate::limits::{LAYER_BYTES, LAYER_INODES};
use crate::step::{At, Failure, Step};

/// Where it is mounted; the sandbox's own /tmp then covers it, for good.
const AT: &str = "/tmp";
const WORKSPACE: &str = "/workspace";

/// An empty filesystem for a layer. These descriptors are the only way to it.
#[derive(Debug)]
pub struct Room {
    upper: OwnedFd,
    work: OwnedFd,
}

/// Makes the room, out of every command's sight as soon as something is mounted over /tmp.
///
/// # Errors
/// The failed step.
pub fn room() -> Result<Room, Failure> {
    let size = format!("size={LAYER_BYTES},nr_inodes={LAYER_INODES},mode=0700");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("layer"), AT, Some("tmpfs"), flags, Some(size.as_str())).at(Step::Layer)?;
    let directory = |name: &str| {
        let path = format!("{AT}/{name}");
        DirBuilder::new().mode(0o700).create(&path).at(Step::Layer)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(path.as_str(), flags, Mode::empty()).at(Step::Layer)
    };
    Ok(Room { upper: directory("upper")?, work: directory("work")? })
}

/// Puts a fresh layer over the workspace.
///
/// # Errors
/// The failed step.
pub fn cover(room: &Room) -> Result<(), Failure> {
    // The top directory's own attributes are those of the upper layer.
    let lower = fs::metadata(WORKSPACE).at(Step::Layer)?;
    let mode = Mode::from_bits_truncate(lower.permissions().mode());
    fchmod(&room.upper, mode).at(Step::Layer)?;
    let (upper, work) = (room.upper.as_raw_fd(), room.work.as_raw_fd());
    let options = format!("lowerdir={WORKSPACE},upperdir=/proc/self/fd/{upper},workdir=/proc/self/fd/{work},userxattr");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("workspace"), WORKSPACE, Some("overlay"), flags, Some(options.as_str())).at(Step::Layer)
}

/// Writes out what the layer holds, when nobody writes to it any more. What of it can't be committed is said on
/// `complaints`.
///
/// # Errors
/// The failed step.
pub fn hand_out(room: &Room, to: &mut impl Write, complaints: &mut impl Write) -> Result<(), Failure> {
    workspace::export(room.upper.as_fd(), to, &workspace::Limits::default()).map(drop).map_err(|error| {
        // Who reads it may be gone.
        drop(writeln!(complaints, "{error}"));
        Failure::new(Step::HandOut, 0)
    })
}
