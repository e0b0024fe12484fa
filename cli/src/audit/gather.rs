//! From /proc to facts, and from a row and this host to what is expected.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use roles::account::{IdBlock, Resolved, account_of};
use roles::grant::{Access, FileGrant, Row, Source};

use crate::accounts;

use super::facts::{Expected, ExpectedMount, Facts, Family, Fd, Kind, Target};
use super::proc;
use super::sockets::{Sockets, inode_of, links};
use super::tree::Tree;

/// Flag bits of how a descriptor was opened, in fdinfo (octal).
const ACCESS_MODE: u32 = 0o3;
/// Opened as a place only: neither read nor written.
const O_PATH: u32 = 0o10000000;

/// Everything that is known of one process of the tree. `None`: it is gone.
pub fn facts(pid: u32, kind: Kind, tree: &Tree, sockets: &Sockets) -> Option<Facts> {
    let threads = proc::threads(pid);
    let cgroup = proc::cgroup(pid);
    let namespaces = proc::namespaces(pid);
    if namespaces.is_empty() || threads.is_empty() {
        return None;
    }
    let is_launcher = pid == tree.launcher;
    Some(Facts {
        pid,
        kind,
        threads,
        namespaces,
        mounts: if is_launcher { Vec::new() } else { proc::mounts(pid) },
        fds: links(pid).into_iter().map(|(number, target)| descriptor(pid, number, &target, sockets)).collect(),
        limits: proc::limits(pid),
        environment: proc::environment(pid),
        cgroup_bounds: proc::cgroup_bounds(&cgroup),
        cgroup,
        label: proc::text(pid, "attr/current").unwrap_or_default().trim_end_matches(['\0', '\n']).to_string(),
        children: tree.children.get(&pid).cloned().unwrap_or_default(),
        pss_kib: proc::pss_kib(pid),
    })
}

fn descriptor(pid: u32, number: i32, target: &str, sockets: &Sockets) -> Fd {
    let target = if let Some(inode) = inode_of(target) {
        let (family, peers, shared_with) = sockets.look(pid, inode);
        Target::Socket { family, peers, shared_with }
    } else if target.starts_with("socket:") {
        Target::Socket { family: Family::Other, peers: Vec::new(), shared_with: Vec::new() }
    } else if target.starts_with("pipe:") {
        Target::Pipe
    } else if let Some(name) = target.strip_prefix("anon_inode:") {
        Target::Anonymous(name.trim_matches(['[', ']']).to_string())
    } else {
        Target::File { path: target.to_string(), writable: is_writable(pid, number) }
    };
    Fd { number, target }
}

fn is_writable(pid: u32, number: i32) -> bool {
    let info = proc::text(pid, &format!("fdinfo/{number}")).unwrap_or_default();
    let flags = proc::value(&info, "flags").and_then(|word| u32::from_str_radix(word, 8).ok());
    // Not known counts as writable: the row must say so then.
    flags.is_none_or(|flags| flags & O_PATH == 0 && flags & ACCESS_MODE != 0)
}

/// The host's side of the comparison, the same for every process of the tree.
#[derive(Debug)]
pub struct Host {
    /// The root directory.
    pub root: PathBuf,
    /// The directory of role programs.
    pub libexec: PathBuf,
    /// The root's block of ids.
    pub block: IdBlock,
    /// Facts of chelad.
    pub launcher: Facts,
}

impl Host {
    /// What `row` means on this host in `slot`.
    pub fn expected(&self, row: &'static Row, slot: u32) -> Expected {
        let under = |path: &str| self.root.join(path);
        let mut mounts = BTreeMap::from([("/".to_string(), FLOOR)]);
        for grant in row.files {
            match grant.source {
                Source::Directories { parent, leaf } => {
                    mounts.extend(self.directories(grant, &self.root.join(parent).join(slot.to_string()).join(leaf)));
                }
                Source::Host(_)
                | Source::Root(_)
                | Source::Slot { .. }
                | Source::Libexec(_)
                | Source::Proc
                | Source::Tmpfs { .. } => {
                    mounts.extend(self.mount_of(grant, slot).map(|mount| (grant.inside.to_string(), mount)));
                }
            }
        }
        let filters_base = self.launcher.threads.iter().map(|thread| thread.seccomp_filters).max();
        Expected {
            ids: self.ids(row, slot),
            filters_base: filters_base.unwrap_or_default(),
            launcher_namespaces: self.launcher.namespaces.clone(),
            mounts,
            log: under(&format!("var/log/{}-{slot}.log", row.name)),
            audit_log: under("var/audit/audit.log"),
            listener: under("run/chela.sock"),
            // Where chelad has a group of its own to divide, it sits in a leaf of that name.
            has_cgroups: self.launcher.cgroup.ends_with("/launcher"),
        }
    }

    fn ids(&self, row: &Row, slot: u32) -> Option<(u32, u32)> {
        match account_of(row.role, slot, self.block)? {
            Resolved::Root => Some((0, 0)),
            Resolved::Id(id) => Some((id, id)),
            Resolved::Named(name) => accounts::by_name(name).map(|account| (account.uid, account.gid)),
        }
    }

    /// The directories that a registry has links to. Any of them may be missing: the launcher leaves out what is not as
    /// it was added.
    fn directories(&self, grant: &FileGrant, registry: &Path) -> Vec<(String, ExpectedMount)> {
        let links = fs::read_dir(registry).into_iter().flatten().flatten();
        let mount = |link: fs::DirEntry| {
            let there = fs::metadata(link.path()).ok();
            let name = link.file_name().to_string_lossy().into_owned();
            let mount = ExpectedMount {
                options: grant.access.mount_options(),
                optional: true,
                mapped: true,
                identity: Some(there.map_or((0, 0), |there| (there.dev(), there.ino()))),
            };
            (format!("{}/{name}", grant.inside), mount)
        };
        links.map(mount).collect()
    }

    /// `None` where the host has a link, which the launcher copies instead of mounting anything.
    fn mount_of(&self, grant: &FileGrant, slot: u32) -> Option<ExpectedMount> {
        let source = match grant.source {
            Source::Host(path) => Some(PathBuf::from(path)),
            Source::Root(path) => Some(self.root.join(path)),
            Source::Slot { parent, leaf } => Some(self.root.join(parent).join(slot.to_string()).join(leaf)),
            Source::Libexec(path) => Some(self.libexec.join(path)),
            Source::Proc | Source::Tmpfs { .. } | Source::Directories { .. } => None,
        };
        let is_host = matches!(grant.source, Source::Host(_));
        if let Some(source) = &source
            && is_host
            && is_directory_link(source)
        {
            return None;
        }
        let there = source.as_ref().and_then(|source| fs::metadata(source).ok());
        Some(ExpectedMount {
            options: grant.access.mount_options(),
            optional: grant.optional,
            mapped: false,
            identity: there.map(|there| (there.dev(), there.ino())),
        })
    }
}

/// The root directory itself.
const FLOOR: ExpectedMount =
    ExpectedMount { options: Access::Read.mount_options(), optional: false, mapped: false, identity: None };

fn is_directory_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink()) && path.is_dir()
}
