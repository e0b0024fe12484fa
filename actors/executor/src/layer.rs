//! The layer of a sandbox: what a command writes goes into a filesystem of its own, over a workspace that stays as it is.
//!
//! The upper layer is in memory and bounded by its mount: no watchdog's guess, and what nobody commits is gone with it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, fchmod, mknodat};
use rustix::fs::Dir;
use workspace::STAGING;

use crate::directories;
use crate::limits::{LAYER_BYTES, LAYER_INODES};
use crate::step::{At, Failure, Step};

/// Where it is mounted; the sandbox's own /tmp then covers it, for good.
const AT: &str = "/tmp";
/// Where the workspace is in every sandbox.
pub const WORKSPACE: &str = "/workspace";
/// Where the maker has the copies of the workspace: what each sandbox mounts over them is in the way of any other path.
pub const COPIES: &str = "/tmp";

/// An empty filesystem for layers. These descriptors are the only way to it.
#[derive(Debug)]
pub struct Room {
    workspace: Layer,
    /// Directories beside it that may be changed, by name, in order.
    beside: Vec<(OsString, Layer)>,
    /// The copies of the workspace, of which one may be what the layer comes over.
    copies: OwnedFd,
}

#[derive(Debug)]
struct Layer {
    upper: OwnedFd,
    work: OwnedFd,
}

impl Room {
    /// The filesystem that holds what is written.
    pub fn filesystem(&self) -> BorrowedFd<'_> {
        self.workspace.upper.as_fd()
    }

    /// Names of the directories beside the workspace.
    pub fn names(&self) -> Vec<OsString> {
        self.beside.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Makes the room, out of every command's sight as soon as something is mounted over /tmp.
///
/// # Errors
/// The failed step.
pub fn room() -> Result<Room, Failure> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let copies = open(COPIES, flags, Mode::empty()).at(Step::Copy)?;
    let size = format!("size={LAYER_BYTES},nr_inodes={LAYER_INODES},mode=0700");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("layer"), AT, Some("tmpfs"), flags, Some(size.as_str())).at(Step::Layer)?;
    let workspace = Layer::new("workspace")?;
    let mut beside = Vec::new();
    for (number, name) in directories::covered()?.into_iter().enumerate() {
        let layer = Layer::new(&number.to_string())?;
        // What is staged there is no command's business.
        mknodat(&layer.upper, STAGING, SFlag::S_IFCHR, Mode::empty(), 0).at(Step::Layer)?;
        beside.push((name, layer));
    }
    Ok(Room { workspace, beside, copies })
}

/// Makes the workspace the copy that was made for this action.
///
/// # Errors
/// The failed step.
pub fn over_copy(room: &Room, action: u64) -> Result<(), Failure> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let copy = openat(&room.copies, action.to_string().as_str(), flags, Mode::empty()).at(Step::Copy)?;
    let held = format!("/proc/self/fd/{}", copy.as_raw_fd());
    mount(Some(held.as_str()), WORKSPACE, None::<&str>, MsFlags::MS_BIND, None::<&str>).at(Step::Copy)
}

/// Puts a fresh layer over the workspace, and over each directory that may be changed.
///
/// # Errors
/// The failed step.
pub fn cover(room: &Room) -> Result<(), Failure> {
    cover_workspace(room)?;
    cover_beside(room)
}

/// The latter alone, for what may not change them: a layer is also what hides the staging directory.
///
/// # Errors
/// The failed step.
pub fn cover_beside(room: &Room) -> Result<(), Failure> {
    room.beside.iter().try_for_each(|(name, layer)| layer.over(&Path::new(directories::INSIDE).join(name)))
}

/// Puts a fresh layer over the workspace alone.
///
/// # Errors
/// The failed step.
pub fn cover_workspace(room: &Room) -> Result<(), Failure> {
    room.workspace.over(Path::new(WORKSPACE))
}

impl Layer {
    fn new(name: &str) -> Result<Layer, Failure> {
        let directory = |half: &str| {
            let path = format!("{AT}/{name}.{half}");
            DirBuilder::new().mode(0o700).create(&path).at(Step::Layer)?;
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            open(path.as_str(), flags, Mode::empty()).at(Step::Layer)
        };
        Ok(Layer { upper: directory("upper")?, work: directory("work")? })
    }

    fn over(&self, path: &Path) -> Result<(), Failure> {
        // The top directory's own attributes are those of the upper layer.
        let lower = fs::metadata(path).at(Step::Layer)?;
        let mode = Mode::from_bits_truncate(lower.permissions().mode());
        fchmod(&self.upper, mode).at(Step::Layer)?;
        let (upper, work, lower) = (self.upper.as_raw_fd(), self.work.as_raw_fd(), path.display());
        let options = format!("lowerdir={lower},upperdir=/proc/self/fd/{upper},workdir=/proc/self/fd/{work},userxattr");
        // A file keeps its number when it is copied up, which programs compare; and its time of reading, by which the
        // commit tells files of several names.
        let options = format!("{options},xino=on");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
        mount(Some("workspace"), path, Some("overlay"), flags, Some(options.as_str())).at(Step::Layer)
    }
}

/// Whether nothing was written to any of them.
///
/// # Errors
/// The failed step.
pub fn is_bare(room: &Room) -> Result<bool, Failure> {
    if !is_empty(&room.workspace, None)? {
        return Ok(false);
    }
    for (_, layer) in &room.beside {
        if !is_empty(layer, Some(STAGING.as_bytes()))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_empty(layer: &Layer, hidden: Option<&[u8]>) -> Result<bool, Failure> {
    let failed = |errno: rustix::io::Errno| Failure::new(Step::HandOut, errno.raw_os_error());
    for entry in Dir::read_from(&layer.upper).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && Some(name) != hidden {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes out what the layers hold, when nobody writes to them any more. What of it can't be committed is said on
/// `complaints`.
///
/// # Errors
/// The failed step.
pub fn hand_out(room: &Room, to: &mut impl Write, complaints: &mut impl Write) -> Result<(), Failure> {
    let limits = workspace::Limits::default();
    let mut result = workspace::export(room.workspace.upper.as_fd(), to, &limits);
    for (_, layer) in &room.beside {
        result = result.and_then(|_| workspace::export_beside(layer.upper.as_fd(), to, &limits));
    }
    result.map(drop).map_err(|error| {
        // Who reads it may be gone.
        drop(writeln!(complaints, "{error}"));
        Failure::new(Step::HandOut, 0)
    })
}
