//! Which processes make up the tree, and what each is. A process is taken for what its program's file says, not for
//! what its command line says, which it could have rewritten; its slot is then held against its account.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use roles::Role;

use super::errors::AuditError;
use super::facts::Kind;
use super::proc;

/// The tree at one moment.
#[derive(Debug)]
pub struct Tree {
    /// Process id of chelad.
    pub launcher: u32,
    /// Every process of it, chelad included.
    pub kinds: BTreeMap<u32, Kind>,
    /// Children by parent.
    pub children: BTreeMap<u32, Vec<u32>>,
}

/// The chelad that holds the lock of this root.
pub fn find_launcher(root: &Path) -> Result<u32, AuditError> {
    let lock = root.join("run/chelad.lock");
    let refuse = |problem: &str| AuditError::NotRunning {
        root: root.to_path_buf(),
        lock: lock.clone(),
        problem: problem.to_string(),
    };
    let text = fs::read_to_string(&lock).map_err(|e| refuse(&format!("can't be read ({e})")))?;
    let held = File::open(&lock).is_ok_and(|file| Flock::lock(file, FlockArg::LockSharedNonblock).is_err());
    if !held {
        return Err(refuse("is held by nobody"));
    }
    text.trim().parse().map_err(|_| refuse("names no process"))
}

/// The tree below `launcher`, as it is now.
pub fn look(launcher: u32) -> Tree {
    let parents = proc::parents();
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, parent) in &parents {
        children.entry(*parent).or_default().push(*pid);
    }
    let mut kinds = BTreeMap::from([(launcher, Kind::Role(Role::Launcher, 0))]);
    for pid in children.get(&launcher).into_iter().flatten() {
        let kind = role_of(*pid);
        kinds.insert(*pid, kind);
        below(*pid, kind, &children, &mut kinds);
    }
    Tree { launcher, kinds, children }
}

fn role_of(pid: u32) -> Kind {
    let program = proc::program(pid);
    let role = Role::ALL.into_iter().find(|role| program.as_deref() == Some(role.row().binary));
    let slot = proc::arguments(pid).get(1).and_then(|word| word.parse().ok());
    match (role, slot) {
        // A copy of chelad that has not become its role yet.
        (Some(Role::Launcher) | None, _) | (_, None) => Kind::Stranger,
        (Some(role), Some(slot)) => Kind::Role(role, slot),
    }
}

/// Everything below one child of chelad.
fn below(pid: u32, kind: Kind, children: &BTreeMap<u32, Vec<u32>>, kinds: &mut BTreeMap<u32, Kind>) {
    for child in children.get(&pid).into_iter().flatten() {
        let child_kind = match kind {
            Kind::Role(Role::Executor, slot) if same_pid_namespace(pid, *child) => Kind::Maker(slot),
            Kind::Maker(slot) if waits(*child, children) => Kind::Waiting(slot),
            Kind::Role(Role::Executor, slot) | Kind::Maker(slot) | Kind::Waiting(slot) | Kind::Sandbox(slot) => {
                Kind::Sandbox(slot)
            }
            Kind::Role(_, _) | Kind::Stranger => Kind::Stranger,
        };
        kinds.insert(*child, child_kind);
        below(*child, child_kind, children, kinds);
    }
}

/// Nothing runs below that first process of a sandbox but what was forked from it.
fn waits(first: u32, children: &BTreeMap<u32, Vec<u32>>) -> bool {
    let program = proc::program(first);
    children.get(&first).into_iter().flatten().all(|own| proc::program(*own) == program)
}

fn same_pid_namespace(one: u32, other: u32) -> bool {
    let of = |pid| proc::link(pid, "ns/pid");
    of(one).is_some() && of(one) == of(other)
}

/// The directory of role programs that chelad uses: `--libexec`, else beside its own program.
pub fn libexec_of(launcher: u32) -> PathBuf {
    let words = proc::arguments(launcher);
    let mut after = words.iter().skip_while(|word| *word != "--libexec").skip(1);
    if let Some(given) = after.next() {
        let from = PathBuf::from(format!("/proc/{launcher}/cwd"));
        let given = PathBuf::from(given);
        return if given.is_absolute() { given } else { from.join(given) };
    }
    let own = proc::link(launcher, "exe").unwrap_or_default();
    let here = Path::new(&own).parent().unwrap_or(Path::new("/")).to_path_buf();
    if here.join(Role::Supervisor.row().binary).exists() {
        return here;
    }
    here.join("../libexec/chela")
}

/// Whether the process still runs that role's program.
pub fn still_there(pid: u32, role: Role) -> bool {
    proc::program(pid).as_deref() == Some(role.row().binary)
}
