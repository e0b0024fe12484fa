//! Directories of a principal's own: root has added each by a link, which says where it is and, by its owner, whose. Runs
//! in the child, as root. One that is not what was added is left out: the role starts all the same.

use std::fs::{self, File};
use std::io::Result;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::signal::{Signal, kill};
use nix::{errno::Errno, sys::wait::waitpid, unistd::pause};
use roles::{account::Ids, grant::Access, limits::DIRECTORIES_MAX};

use crate::{cage::NEW_ROOT, errors::say, paths::owned_by_root, sys};

/// Mounts each directory that `registry` has a link to, by the link's name.
pub fn place(registry: &Path, inside: &Path, ids: Ids, access: Access) -> Result<()> {
    fs::create_dir(inside)?;
    if !registry.exists() {
        return Ok(());
    }
    // Whoever could change these could have any directory of theirs handed to this account.
    if let Err(e) = registry.ancestors().take(3).try_for_each(owned_by_root) {
        say(e);
        return Ok(());
    }
    for link in fs::read_dir(registry)?.flatten().take(DIRECTORIES_MAX) {
        if let Err(e) = mount_one(&link.path(), &inside.join(link.file_name()), ids, access) {
            say(format_args!("add the directory: {}: {e}; left out", link.path().display()));
            // An empty directory is not to be taken for it.
            drop(fs::remove_dir(inside.join(link.file_name())));
        }
    }
    Ok(())
}

/// The link's owner must be the directory's still, and never root: in somebody's own home, they choose what has the name.
fn mount_one(link: &Path, inside: &Path, ids: Ids, access: Access) -> Result<()> {
    let owner = fs::symlink_metadata(link)?;
    let owner = Ids { uid: owner.uid(), gid: owner.gid() };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let directory = File::from(openat2(AT_FDCWD, &fs::read_link(link)?, how)?);
    let found = directory.metadata()?;
    if owner.uid == 0 || owner.gid == 0 || owner != (Ids { uid: found.uid(), gid: found.gid() }) {
        return Err(Errno::EPERM.into());
    }
    let map = id_map(owner, ids)?;
    fs::create_dir(inside)?;
    Ok(sys::mount_mapped(&directory, inside, access.mount_flags(), &map)?)
}

/// A user namespace in which the owner's files are the account's. A process makes it, and ends once it is held.
fn id_map(owner: Ids, ids: Ids) -> Result<File> {
    let Some(pid) = sys::fork_into(libc::CLONE_NEWUSER)? else {
        loop {
            pause();
        }
    };
    // The role's own /proc is in place by now: only there has the process this number.
    let maker = Path::new(NEW_ROOT).join("proc").join(pid.to_string());
    let map = fs::write(maker.join("uid_map"), format!("{} {} 1", owner.uid, ids.uid))
        .and_then(|()| fs::write(maker.join("gid_map"), format!("{} {} 1", owner.gid, ids.gid)))
        .and_then(|()| File::open(maker.join("ns/user")));
    kill(pid, Signal::SIGKILL)?;
    waitpid(pid, None)?;
    map
}
