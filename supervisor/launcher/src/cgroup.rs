//! A control group for each instance, below the launcher's own, where the host delegates one (cgroup v2).

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use roles::launch::Instance;

use crate::cage::make_directory;

const MOUNT: &str = "/sys/fs/cgroup";

/// The launcher's own group.
pub struct Groups {
    base: PathBuf,
}

impl Groups {
    /// Prepares the launcher's own group for children; the error says why there are none.
    pub fn prepare() -> Result<Groups> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let base = Path::new(MOUNT).join(own.ok_or_else(|| Error::other("no cgroup v2"))?);
        let offered = fs::read_to_string(base.join("cgroup.controllers"))?;
        if !["memory", "pids"].iter().all(|name| offered.split_whitespace().any(|offer| offer == *name)) {
            return Err(Error::other("memory and pids are not delegated"));
        }
        let me = std::process::id().to_string();
        if fs::read_to_string(base.join("cgroup.procs"))?.trim() != me {
            return Err(Error::other("the group is shared with other processes"));
        }
        // A group whose children have controllers may hold no process itself.
        let leaf = base.join("launcher");
        make_directory(&leaf, 0o755)?;
        fs::write(leaf.join("cgroup.procs"), me)?;
        fs::write(base.join("cgroup.subtree_control"), "+memory +pids")?;
        Ok(Groups { base })
    }

    /// Makes a group with these limits for an instance.
    pub fn make(&self, who: Instance) -> Result<PathBuf> {
        let limits = who.role.row().limits;
        let group = self.base.join(format!("{}-{}", who.role.name(), who.slot));
        make_directory(&group, 0o755)?;
        fs::write(group.join("memory.max"), limits.cgroup_memory_bytes.to_string())?;
        fs::write(group.join("pids.max"), limits.cgroup_tasks.to_string())?;
        Ok(group)
    }
}
