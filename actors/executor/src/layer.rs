//! The layer of a sandbox: what a command writes goes into a filesystem of its own, over a workspace that stays as it is.
//!
//! The upper layer is in memory and bounded by its mount: no watchdog's guess, and what nobody commits is gone with it.

use std::fs::{DirBuilder, set_permissions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::limits::{LAYER_BYTES, LAYER_INODES};
use crate::step::{At, Failure, Step};

/// Where the sandboxes' root has a place for it.
const AT: &str = "/layer";
const WORKSPACE: &str = "/workspace";

/// Puts a fresh layer over the workspace. The descriptor is the only way to what is written into it.
///
/// # Errors
/// The failed step.
pub fn cover() -> Result<OwnedFd, Failure> {
    let size = format!("size={LAYER_BYTES},nr_inodes={LAYER_INODES},mode=0700");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("layer"), AT, Some("tmpfs"), flags, Some(size.as_str())).at(Step::Layer)?;
    let (upper, work) = (Path::new(AT).join("upper"), Path::new(AT).join("work"));
    for dir in [&upper, &work] {
        DirBuilder::new().mode(0o700).create(dir).at(Step::Layer)?;
    }
    // The top directory's own attributes are those of the upper layer.
    let lower = std::fs::metadata(WORKSPACE).at(Step::Layer)?;
    set_permissions(&upper, lower.permissions()).at(Step::Layer)?;
    let held = open(&upper, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).at(Step::Layer)?;
    let options = format!("lowerdir={WORKSPACE},upperdir={},workdir={},userxattr", upper.display(), work.display());
    mount(Some("workspace"), WORKSPACE, Some("overlay"), flags, Some(options.as_str())).at(Step::Layer)?;
    // Out of every command's sight; the overlay and the descriptor keep it.
    umount2(AT, MntFlags::MNT_DETACH).at(Step::Layer)?;
    Ok(held)
}

/// Ends every process but the caller, the sandbox's first, and writes out what the layer holds. What of it can't be
/// committed is said on `complaints`.
///
/// # Errors
/// The failed step.
pub fn hand_out(upper: &OwnedFd, to: &mut impl Write, complaints: &mut impl Write) -> Result<(), Failure> {
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        // Nobody is left.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(Failure::new(Step::Layer, errno as i32)),
    }
    while !matches!(waitpid(None, None), Err(Errno::ECHILD)) {}
    workspace::export(upper.as_fd(), to, &workspace::Limits::default()).map(drop).map_err(|error| {
        // Who reads it may be gone.
        drop(writeln!(complaints, "{error}"));
        Failure::new(Step::HandOut, 0)
    })
}
