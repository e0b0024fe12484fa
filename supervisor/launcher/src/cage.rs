//! A role's root directory: a tmpfs with the table's grants mounted in it, read-only, and nothing of the host behind it.
//! Runs in the child, as root, in the child's own mount namespace; the current directory is the root DIR.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, pivot_root, sethostname};
use roles::grant::{Access, FileGrant, Namespace, Row, Source};

use crate::accounts::Ids;
use crate::errors::errno_of;
use crate::limits::CAGE_OPTIONS;

/// Any directory of the root that no grant is in: in this namespace the new root covers it.
const NEW_ROOT: &str = "run";

/// Why a grant is not in place.
pub enum NotPlaced {
    /// The host has no such file, and the grant is not optional.
    Missing,
    /// A step failed.
    Failed(Errno),
}

impl From<Errno> for NotPlaced {
    fn from(errno: Errno) -> NotPlaced {
        NotPlaced::Failed(errno)
    }
}

impl From<std::io::Error> for NotPlaced {
    fn from(error: std::io::Error) -> NotPlaced {
        NotPlaced::Failed(errno_of(&error))
    }
}

/// Every namespace of the row but the process ids', which the clone made.
pub fn leave_namespaces(row: &Row) -> nix::Result<()> {
    let mut flags = CloneFlags::empty();
    for namespace in row.namespaces {
        flags |= match namespace {
            Namespace::Mount => CloneFlags::CLONE_NEWNS,
            Namespace::Pid => CloneFlags::empty(),
            Namespace::Network => CloneFlags::CLONE_NEWNET,
            Namespace::Ipc => CloneFlags::CLONE_NEWIPC,
            Namespace::Uts => CloneFlags::CLONE_NEWUTS,
        };
    }
    unshare(flags)?;
    sethostname(row.name)
}

/// The empty root, over [`NEW_ROOT`].
pub fn lay_floor() -> nix::Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), NEW_ROOT, Some("tmpfs"), flags, Some(CAGE_OPTIONS))
}

/// Puts one grant in its place.
pub fn place(grant: &FileGrant, slot: u32, ids: Ids, libexec: &Path) -> Result<(), NotPlaced> {
    let inside = Path::new(NEW_ROOT).join(grant.inside.trim_start_matches('/'));
    let flags = flags_of(grant.access);
    let source = match grant.source {
        Source::Host(path) | Source::Root(path) => PathBuf::from(path),
        Source::Libexec(path) => libexec.join(path),
        Source::Slot { parent, leaf } => slot_directory(parent, slot, leaf, ids)?,
        Source::Proc => {
            make_parent(&inside)?;
            fs::create_dir(&inside)?;
            mount(Some("proc"), &inside, Some("proc"), flags, None::<&str>)?;
            return Ok(());
        }
        Source::Tmpfs { size_bytes } => {
            make_parent(&inside)?;
            fs::create_dir(&inside)?;
            let Ids { uid, gid } = ids;
            let options = format!("size={size_bytes},mode=700,uid={uid},gid={gid}");
            mount(Some("tmpfs"), &inside, Some("tmpfs"), flags, Some(options.as_str()))?;
            return Ok(());
        }
    };
    let Ok(target) = fs::metadata(&source) else {
        return if grant.optional { Ok(()) } else { Err(NotPlaced::Missing) };
    };
    make_parent(&inside)?;
    let host = matches!(grant.source, Source::Host(_));
    if host && target.is_dir() && fs::symlink_metadata(&source)?.is_symlink() {
        symlink(fs::read_link(&source)?, &inside)?;
        return Ok(());
    }
    if target.is_dir() {
        fs::create_dir(&inside)?;
    } else {
        File::create(&inside)?;
    }
    bind(&source, &inside, flags)?;
    Ok(())
}

/// The new root becomes the root, read-only; the host's is gone.
pub fn enter() -> nix::Result<()> {
    chdir(NEW_ROOT)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    let sealed = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let remount = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | sealed;
    mount(None::<&str>, "/", None::<&str>, remount, None::<&str>)?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(())
}

fn bind(source: &Path, inside: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(Some(source), inside, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    let remount = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags;
    mount(None::<&str>, inside, None::<&str>, remount, None::<&str>)
}

fn flags_of(access: Access) -> MsFlags {
    let no_suid_or_dev = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    match access {
        Access::Read => no_suid_or_dev | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY,
        Access::ReadExecute => no_suid_or_dev | MsFlags::MS_RDONLY,
        Access::ReadWrite => no_suid_or_dev | MsFlags::MS_NOEXEC,
        Access::ReadWriteExecute => no_suid_or_dev,
        Access::Device => MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
    }
}

fn make_parent(inside: &Path) -> std::io::Result<()> {
    let parent = inside.parent().unwrap_or(Path::new(NEW_ROOT));
    DirBuilder::new().recursive(true).mode(0o755).create(parent)
}

/// `parent/slot/leaf`, made at the first start. One that is another's is refused: to hand it over would hand over files.
fn slot_directory(parent: &str, slot: u32, leaf: &str, ids: Ids) -> Result<PathBuf, NotPlaced> {
    let mut path = Path::new(parent).join(slot.to_string());
    if !leaf.is_empty() {
        make_directory(&path, 0o711)?;
        path.push(leaf);
    }
    make_directory(&path, 0o700)?;
    let found = fs::symlink_metadata(&path)?;
    let owned = found.uid() == ids.uid && found.gid() == ids.gid;
    if !found.is_dir() {
        return Err(NotPlaced::Failed(Errno::ENOTDIR));
    }
    if found.uid() == 0 {
        chown(&path, Some(ids.uid), Some(ids.gid))?;
    } else if !owned {
        return Err(NotPlaced::Failed(Errno::EPERM));
    }
    if found.mode() & 0o7777 != 0o700 {
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    Ok(path)
}

fn make_directory(path: &Path, mode: u32) -> std::io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}
