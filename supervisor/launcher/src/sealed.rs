//! A look at /proc: whether every thread of a process is what the table says, by the kernel's word.

use std::fs;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Ids = Ids { uid: 70_001, gid: 70_001 };
    const SEALED: &str = "Name:\tchela-brain\nUid:\t70001\t70001\t70001\t70001\nGid:\t70001\t70001\t70001\t70001\n\
        Groups:\t \nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn a_sealed_status_passes() {
        assert_eq!(first_missing(SEALED, IDS), None);
    }

    #[test]
    fn each_deviation_is_found() {
        for (is, was) in [
            ("Seccomp:\t2\n", "Seccomp:\t0\n"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("CapInh:\t0000000000000000", "CapInh:\t0000000000000001"),
            ("CapPrm:\t0000000000000000", "CapPrm:\t0000000000000001"),
            ("CapEff:\t0000000000000000", "CapEff:\t0000000000000001"),
            ("CapBnd:\t0000000000000000", "CapBnd:\t000001ffffffffff"),
            ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001"),
            ("Uid:\t70001\t70001\t70001", "Uid:\t70001\t70001\t0"),
            ("Gid:\t70001\t70001", "Gid:\t70001\t0"),
            ("Groups:\t ", "Groups:\t0 "),
        ] {
            assert!(SEALED.contains(is));
            assert!(first_missing(&SEALED.replace(is, was), IDS).is_some(), "{was}");
        }
        assert!(first_missing("", IDS).is_some(), "an empty status is none");
    }

    #[test]
    fn the_test_itself_is_not_sealed() {
        let me = nix::unistd::getpid();
        assert!(look(me, Role::Brain, IDS).is_err());
    }
}
