//! A look at /proc: whether every thread of a process is what the table says, by the kernel's word.

use std::{fs, path::Path};

use nix::unistd::Pid;
use roles::grant::{Processes, Role};

use crate::accounts::Ids;

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
    let none = "0000000000000000";
    let expected = [
        "Seccomp:\t2".to_owned(),
        "NoNewPrivs:\t1".to_owned(),
        format!("CapInh:\t{none}"),
        format!("CapPrm:\t{none}"),
        format!("CapEff:\t{none}"),
        format!("CapBnd:\t{none}"),
        format!("CapAmb:\t{none}"),
        format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}"),
        format!("Gid:\t{gid}\t{gid}\t{gid}\t{gid}"),
        "Groups:".to_owned(),
    ];
    let has = |wanted: &String| status.lines().any(|line| line.trim_end() == wanted);
    expected.into_iter().find(|wanted| !has(wanted))
}

#[path = "../tests/unit/sealed.rs"]
#[cfg(test)]
mod tests;
