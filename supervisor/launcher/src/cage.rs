//! A role's root directory: a tmpfs with the table's grants mounted in it, read-only, and nothing of the host behind it.
//! Runs in the child, as root, in the child's own mount namespace; the current directory is the root DIR.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, pivot_root, sethostname};
use roles::grant::{Access, FileGrant, Namespace, Row, Source};
use roles::{account::Ids, limits::CAGE_OPTIONS};

use crate::directories;

/// Any directory of the root that no grant is in: in this namespace the new root covers it.
pub const NEW_ROOT: &str = "run";

/// Every namespace of the row but the process ids', which the clone made.
pub fn leave_namespaces(row: &Row) -> Result<()> {
    // The clone has made the process ids'.
    let own = row.namespaces.iter().filter(|namespace| **namespace != Namespace::Pid);
    let flags = CloneFlags::from_bits_truncate(own.fold(0, |flags, namespace| flags | namespace.clone_flag()));
    unshare(flags)?;
    Ok(sethostname(row.name)?)
}

/// The empty root, over [`NEW_ROOT`].
pub fn lay_floor() -> Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), NEW_ROOT, Some("tmpfs"), flags, Some(CAGE_OPTIONS))?;
    Ok(())
}

/// Puts one grant in its place. NotFound says that the host has no such file.
pub fn place(grant: &FileGrant, slot: u32, ids: Ids, libexec: &Path) -> Result<()> {
    let inside = &Path::new(NEW_ROOT).join(grant.inside.trim_start_matches('/'));
    DirBuilder::new().recursive(true).mode(0o755).create(inside.parent().unwrap_or(inside))?;
    let flags = flags_of(grant.access);
    match grant.source {
        Source::Host(path) | Source::Root(path) => bind(Path::new(path), inside, flags, grant.optional),
        Source::Libexec(path) => bind(&libexec.join(path), inside, flags, grant.optional),
        Source::Slot { parent, leaf } => bind(&slot_directory(parent, slot, leaf, ids)?, inside, flags, false),
        Source::Directories { parent, leaf } => {
            let registry = Path::new(parent).join(slot.to_string()).join(leaf);
            directories::place(&registry, inside, ids, grant.access)
        }
        Source::Proc => mount_new("proc", inside, flags, None),
        Source::Tmpfs { size_bytes } => {
            let Ids { uid, gid } = ids;
            let options = format!("size={size_bytes},mode=700,uid={uid},gid={gid}");
            mount_new("tmpfs", inside, flags, Some(&options))
        }
    }
}

fn mount_new(kind: &str, inside: &Path, flags: MsFlags, options: Option<&str>) -> Result<()> {
    fs::create_dir(inside)?;
    Ok(mount(Some(kind), inside, Some(kind), flags, options)?)
}

/// Mounts what the host has. A link to a directory (`/lib`) stays a link, so that both names lead to the same place; a
/// link to a file is followed, since the role's root need not have where it leads.
fn bind(source: &Path, inside: &Path, flags: MsFlags, optional: bool) -> Result<()> {
    let found = match fs::metadata(source) {
        Err(e) if optional && e.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.is_dir() && source.is_symlink() {
        return symlink(fs::read_link(source)?, inside);
    } else if found.is_dir() {
        fs::create_dir(inside)?;
    } else {
        fs::File::create(inside)?;
    }
    mount(Some(source), inside, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    remount(inside, flags)
}

fn remount(inside: &Path, flags: MsFlags) -> Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags;
    Ok(mount(None::<&str>, inside, None::<&str>, flags, None::<&str>)?)
}

/// The new root becomes the root, read-only; the host's is gone.
pub fn enter() -> Result<()> {
    chdir(NEW_ROOT)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    remount(Path::new("/"), flags_of(Access::Read))?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(())
}

fn flags_of(access: Access) -> MsFlags {
    MsFlags::from_bits_truncate(access.mount_flags())
}

/// `parent/slot/leaf`, made at the first start. One that is another's is refused: to hand it over would hand over files.
fn slot_directory(parent: &str, slot: u32, leaf: &str, ids: Ids) -> Result<PathBuf> {
    let mut path = Path::new(parent).join(slot.to_string());
    if !leaf.is_empty() {
        make_directory(&path, 0o711)?;
        path.push(leaf);
    }
    make_directory(&path, 0o700)?;
    let found = fs::symlink_metadata(&path)?;
    match found.uid() {
        _ if !found.is_dir() => return Err(Errno::ENOTDIR.into()),
        0 => chown(&path, Some(ids.uid), Some(ids.gid))?,
        owner if owner != ids.uid => return Err(Errno::EPERM.into()),
        _ => {}
    }
    if found.mode() & 0o7777 != 0o700 {
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
    }
    Ok(path)
}

/// Makes a directory of this mode, unless it is there.
pub fn make_directory(path: &Path, mode: u32) -> Result<()> {
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
