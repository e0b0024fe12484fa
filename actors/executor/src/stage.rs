//! The maker's own root: what every sandbox of this executor has in common, put together once. Each sandbox then gets
//! a copy of this mount namespace and adds its own /proc and /tmp.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, getegid, geteuid, pivot_root};

use crate::directories::{self, Directory};
use crate::limits::ROOT_BYTES;
use crate::step::{At, Failure, Step};
use crate::sys;
use crate::{area, image, layer};

/// Where the pieces are.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A directory to put the root together on; what it holds is hidden meanwhile, and gone afterwards.
    pub at: PathBuf,
    /// The principal's workspace.
    pub workspace: PathBuf,
    /// The store of images, if there is one.
    pub images: PathBuf,
    /// Where copies of it are made for commands in the background.
    pub copies: PathBuf,
    /// Further directories of the principal's own.
    pub directories: Vec<Directory>,
}

impl Plan {
    /// The places that the launcher's table grants.
    ///
    /// # Errors
    /// When the directories can't be listed.
    pub fn of_the_table() -> std::io::Result<Plan> {
        let principal = Path::new(area::PRINCIPAL);
        let (workspace, copies) = (principal.join("workspace"), principal.join(area::COPIES));
        let (at, images) = (PathBuf::from("/sandbox"), PathBuf::from(image::STORE));
        Ok(Plan { at, images, workspace, copies, directories: directories::given()? })
    }
}

/// User and group of everything in a sandbox, as seen from inside.
pub const INSIDE_ID: u32 = 1000;

/// Directories (or links to them) of the host that a sandbox reads and runs programs from.
pub const SYSTEM: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "etc/alternatives"];

/// The harmless device nodes.
pub const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const ETC: [(&str, &str); 6] = [
    ("passwd", "user:x:1000:1000:user:/workspace:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("group", "user:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"),
    ("hostname", "sandbox\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    // The sandbox's own, which knows no address: so it is seen whom a command wants to reach.
    ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
];

/// Enters a user and mount namespace of its own, puts the root together, and makes it the root.
///
/// # Errors
/// The failed step.
pub fn enter(plan: &Plan) -> Result<(), Failure> {
    namespaces()?;
    let root = plan.at.as_path();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let workspace = open(&plan.workspace, flags, Mode::empty()).at(Step::Workspace)?;
    let copies = open(&plan.copies, flags, Mode::empty()).at(Step::Copy)?;
    let size = format!("size={ROOT_BYTES},mode=0755");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("sandbox-root"), root, Some("tmpfs"), flags, Some(size.as_str())).at(Step::Root)?;
    directories(root).at(Step::Root)?;
    for name in SYSTEM {
        system(root, name)?;
    }
    for name in DEVICES {
        device(root, name)?;
    }
    bind(Path::new("/proc"), &root.join("proc")).at(Step::Proc)?;
    for (held, inside, step) in [(workspace, "workspace", Step::Workspace), (copies, &layer::COPIES[1..], Step::Copy)] {
        let source = format!("/proc/self/fd/{}", held.as_raw_fd());
        bind(Path::new(&source), &root.join(inside)).at(step)?;
    }
    plan.directories.iter().try_for_each(|one| directories::bind(one, root))?;
    if plan.images.is_dir() {
        let target = root.join(image::STORE.trim_start_matches('/'));
        fs::create_dir(&target).at(Step::Image)?;
        bind(&plan.images, &target).at(Step::Image)?;
    }
    become_root(root)
}

fn namespaces() -> Result<(), Failure> {
    // Read before: inside, until the maps are written, both are the overflow id.
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).at(Step::MakerNamespaces)?;
    map_ids(uid, gid).at(Step::MakerIdMaps)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .at(Step::MakerNamespaces)
}

/// Maps [`INSIDE_ID`] in the process's new user namespace to these ids outside.
///
/// # Errors
/// From writing the maps.
pub fn map_ids(uid_outside: u32, gid_outside: u32) -> std::io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{INSIDE_ID} {gid_outside} 1"))?;
    fs::write("/proc/self/uid_map", format!("{INSIDE_ID} {uid_outside} 1"))
}

fn directories(root: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o755);
    for name in ["etc", "dev", "dev/pts", "proc", "tmp", "workspace", "var", "run", "sys"] {
        builder.create(root.join(name))?;
    }
    for (name, text) in ETC {
        fs::write(root.join("etc").join(name), text)?;
    }
    for (link, target) in [
        ("var/tmp", "/tmp"),
        ("dev/shm", "/tmp"),
        // Leads nowhere but in a sandbox with a pseudo-terminal.
        ("dev/ptmx", "pts/ptmx"),
        ("dev/fd", "/proc/self/fd"),
        ("dev/stdin", "/proc/self/fd/0"),
        ("dev/stdout", "/proc/self/fd/1"),
        ("dev/stderr", "/proc/self/fd/2"),
        ("etc/mtab", "/proc/self/mounts"),
    ] {
        symlink(target, root.join(link))?;
    }
    if let Ok(cache) = fs::read("/etc/ld.so.cache") {
        fs::write(root.join("etc/ld.so.cache"), cache)?;
    }
    Ok(())
}

/// One system directory: the same link where the host has a link, a read-only bind where it has a directory, nothing
/// where it has nothing.
fn system(root: &Path, name: &str) -> Result<(), Failure> {
    let (source, target) = (Path::new("/").join(name), root.join(name));
    let Ok(kind) = fs::symlink_metadata(&source) else {
        return Ok(());
    };
    if kind.is_symlink() {
        let to = fs::read_link(&source).at(Step::SystemDirectory)?;
        return symlink(to, target).at(Step::SystemDirectory);
    }
    fs::create_dir(&target).at(Step::SystemDirectory)?;
    bind(&source, &target).at(Step::SystemDirectory)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, &target, None::<&str>, flags, None::<&str>).at(Step::SystemDirectory)
}

fn device(root: &Path, name: &str) -> Result<(), Failure> {
    let (source, target) = (Path::new("/dev").join(name), root.join("dev").join(name));
    fs::OpenOptions::new().write(true).create_new(true).mode(0o666).open(&target).at(Step::Device)?;
    bind(&source, &target).at(Step::Device)
}

fn bind(source: &Path, target: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
}

/// Makes the directory the root, and lets go of the old one with everything in it.
fn become_root(root: &Path) -> Result<(), Failure> {
    chdir(root).at(Step::Root)?;
    pivot_root(".", ".").at(Step::Root)?;
    umount2(".", MntFlags::MNT_DETACH).at(Step::Root)?;
    chdir("/").at(Step::Root)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).at(Step::Root)?;
    // What a file made in a sandbox is allowed by default.
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).at(Step::MakerSeal)
}
