//! A look at /proc: whether every thread of a process is what the table says, by the kernel's word.

use std::{fs, path::Path};

use nix::unistd::Pid;
use roles::grant::{Processes, Role};
use roles::{account::Ids, seal::STATUS_LINES};

/// Checks every thread; the error says what is not as it must be.
pub fn look(pid: Pid, role: Role, ids: Ids) -> Result<(), String> {
    let tasks = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&tasks).map_err(|e| format!("{tasks}: {e}"))?;
    for thread in threads {
        let thread = thread.map_err(|e| format!("{tasks}: {e}"))?.path();
        let status = read(&thread.join("status"))?;
        if let Some(missing) = first_missing(&status, ids) {
            return Err(format!("{} lacks `{missing}`", thread.display()));
        }
        let children = thread.join("children");
        let alone = matches!(role.row().processes, Processes::None);
        if alone && children.exists() && !read(&children)?.trim().is_empty() {
            return Err(format!("{} has children", thread.display()));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The first line that the status of a sealed thread has and this one has not.
fn first_missing(status: &str, Ids { uid, gid }: Ids) -> Option<String> {
    let ids = [("Uid", uid), ("Gid", gid)].map(|(name, id)| format!("{name}:\t{id}\t{id}\t{id}\t{id}"));
    let has = |wanted: &String| status.lines().any(|line| line.trim_end() == wanted);
    STATUS_LINES.map(str::to_owned).into_iter().chain(ids).find(|wanted| !has(wanted))
}

#[path = "../tests/unit/sealed.rs"]
#[cfg(test)]
mod tests;
