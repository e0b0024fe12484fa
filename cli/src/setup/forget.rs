//! `chela setup --forget DIR`: gives a root's ids back, so that another root may have them.
//!
//! Files that belonged to those ids are given to root first: whoever gets the ids next must not own them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use roles::account::IdBlock;

use super::{SetupError, layout, registry, require_root};

/// What was done, a line each; empty when the root has no ids.
pub fn forget(dir: &Path) -> Result<Vec<String>, SetupError> {
    require_root("chela setup --forget")?;
    // A root that is deleted already has its line in the registry still.
    let root = layout::absolute(dir).or_else(|e| std::path::absolute(dir).map_err(|_| e))?;
    let Some(block) = registry::block_of(&root)? else {
        return Ok(Vec::new());
    };
    // Held to the end: chelad can't start there meanwhile.
    let _lock = lock_against_chelad(&root)?;
    refuse_when_used(&root, block)?;
    let mut lines = Vec::new();
    let given = give_to_root(&root.join("var"), block)?;
    if given > 0 {
        lines.push(format!("{given} files below {}/var now belong to root", root.display()));
    }
    let uids = root.join("etc/uids");
    match fs::remove_file(&uids) {
        Ok(()) => lines.push(format!("removed {}", uids.display())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(SetupError::io("removing", &uids, e)),
    }
    registry::release(&root)?;
    lines.push(format!("gave back the ids {} to {} of {}", block.base, block.base + block.count - 1, root.display()));
    Ok(lines)
}

/// chelad holds this lock as long as it runs.
fn lock_against_chelad(root: &Path) -> Result<Option<Flock<File>>, SetupError> {
    let path = root.join("run/chelad.lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SetupError::io("opening", &path, e)),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(SetupError::InUse {
            root: root.to_path_buf(),
            by: format!("chelad runs there (pid {})", fs::read_to_string(&path).unwrap_or_default().trim()),
        }),
        Err((_, e)) => Err(SetupError::io("locking", &path, e.into())),
    }
}

fn within(block: IdBlock, id: u32) -> bool {
    id >= block.base && id - block.base < block.count
}

fn refuse_when_used(root: &Path, block: IdBlock) -> Result<(), SetupError> {
    let entries = fs::read_dir("/proc").map_err(|e| SetupError::io("listing processes in", Path::new("/proc"), e))?;
    for entry in entries.flatten() {
        let is_process = entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit());
        if is_process && entry.metadata().is_ok_and(|info| within(block, info.uid())) {
            return Err(SetupError::InUse {
                root: root.to_path_buf(),
                by: format!("process {} runs under one of its ids", entry.file_name().to_string_lossy()),
            });
        }
    }
    Ok(())
}

/// How many files were given. Follows no link: a command in a workspace could have put one there.
fn give_to_root(dir: &Path, block: IdBlock) -> Result<u64, SetupError> {
    let mut given = 0;
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let info = match path.symlink_metadata() {
            Ok(info) => info,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(SetupError::io("looking at", &path, e)),
        };
        if within(block, info.uid()) || within(block, info.gid()) {
            lchown(&path, Some(0), Some(0)).map_err(|e| SetupError::io("giving to root", &path, e))?;
            given += 1;
        }
        if info.is_dir() {
            let below = fs::read_dir(&path).map_err(|e| SetupError::io("listing", &path, e))?;
            waiting.extend(below.flatten().map(|entry| entry.path()));
        }
    }
    Ok(given)
}
