//! Reads one process's entry of /proc. Everything is parsed by pure functions; a process that is gone is `None`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::facts::{Bounds, CAPABILITY_SETS, Mount, Thread};

/// A file of a process's entry.
pub fn text(pid: u32, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/{name}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where a link of a process's entry leads.
pub fn link(pid: u32, name: &str) -> Option<String> {
    let target = fs::read_link(format!("/proc/{pid}/{name}")).ok()?;
    Some(target.to_string_lossy().into_owned())
}

/// Every process, with its parent.
pub fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, value(&text(pid, "status")?, "PPid")?.parse().ok()?))).collect()
}

/// File name of the program that the process runs.
pub fn program(pid: u32) -> Option<String> {
    let path = link(pid, "exe")?;
    let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
    path.rsplit('/').next().map(str::to_owned)
}

/// Words of its command line.
pub fn arguments(pid: u32) -> Vec<String> {
    let line = text(pid, "cmdline").unwrap_or_default();
    line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Names of the variables of its environment.
pub fn environment(pid: u32) -> Vec<String> {
    let block = text(pid, "environ").unwrap_or_default();
    let variables = block.split('\0').filter(|variable| !variable.is_empty());
    variables.map(|variable| variable.split('=').next().unwrap_or(variable).to_owned()).collect()
}

/// The value of a line of a `status` file.
pub fn value<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
}

/// Every thread of the process.
pub fn threads(pid: u32) -> Vec<Thread> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|thread| parse_thread(&text(pid, &format!("task/{thread}/status"))?)).collect()
}

fn parse_thread(status: &str) -> Option<Thread> {
    let numbers =
        |key| -> Option<Vec<u32>> { value(status, key)?.split_whitespace().map(|word| word.parse().ok()).collect() };
    let mut capabilities = [0; CAPABILITY_SETS.len()];
    for (set, name) in capabilities.iter_mut().zip(CAPABILITY_SETS) {
        *set = u64::from_str_radix(value(status, name)?, 16).ok()?;
    }
    Some(Thread {
        uids: numbers("Uid")?,
        gids: numbers("Gid")?,
        groups: numbers("Groups")?,
        capabilities,
        no_new_privs: value(status, "NoNewPrivs")? == "1",
        seccomp_mode: value(status, "Seccomp")?.parse().ok()?,
        seccomp_filters: value(status, "Seccomp_filters")?.parse().ok()?,
    })
}

/// Kind of namespace to inode number.
pub fn namespaces(pid: u32) -> BTreeMap<String, u64> {
    let kinds = ["ipc", "mnt", "net", "pid", "uts", "user", "cgroup", "time"];
    let number = |kind: &str| {
        let link = link(pid, &format!("ns/{kind}"))?;
        link.split_once('[')?.1.strip_suffix(']')?.parse().ok()
    };
    kinds.into_iter().filter_map(|kind| Some((kind.to_string(), number(kind)?))).collect()
}

/// Its mounts, with what is there where it can be looked at.
pub fn mounts(pid: u32) -> Vec<Mount> {
    let table = text(pid, "mountinfo").unwrap_or_default();
    let mut mounts: Vec<Mount> = table.lines().filter_map(parse_mount).collect();
    for mount in &mut mounts {
        let there = fs::metadata(format!("/proc/{pid}/root{}", mount.point));
        mount.identity = there.ok().map(|there| (there.dev(), there.ino()));
    }
    mounts
}

/// `36 35 98:0 /source /point rw,nosuid shared:1 - ext4 /dev/sda1 rw`
fn parse_mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let fields: Vec<&str> = mount.split(' ').collect();
    Some(Mount {
        point: unescape(fields.get(4)?),
        options: fields.get(5)?.split(',').map(str::to_owned).collect(),
        fs_type: file_system.split(' ').next()?.to_owned(),
        identity: None,
    })
}

/// The kernel writes blank, tab, line break and backslash as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_string(), |text, (code, character)| text.replace(code, character))
}

/// Limits by name.
pub fn limits(pid: u32) -> BTreeMap<String, Bounds> {
    let table = text(pid, "limits").unwrap_or_default();
    table.lines().skip(1).filter_map(parse_limit).collect()
}

/// Columns are separated by two blanks or more.
fn parse_limit(line: &str) -> Option<(String, Bounds)> {
    let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
    let name = columns.next()?.to_owned();
    Some((name, (columns.next()?.parse().ok(), columns.next()?.parse().ok())))
}

/// Its control group of version 2.
pub fn cgroup(pid: u32) -> String {
    let table = text(pid, "cgroup").unwrap_or_default();
    table.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_string()
}

/// Bounds of a control group: memory in bytes, tasks.
pub fn cgroup_bounds(group: &str) -> Option<Bounds> {
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup{group}/{name}")).ok();
    let number = |text: String| text.trim().parse().ok();
    Some((number(read("memory.max")?), number(read("pids.max")?)))
}

/// Proportional set size, KiB.
pub fn pss_kib(pid: u32) -> Option<u64> {
    let table = text(pid, "smaps_rollup")?;
    value(&table, "Pss")?.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_is_read_with_its_escapes() {
        let line = "98 77 0:45 /a /with\\040blank ro,nosuid,nodev,relatime - tmpfs tmpfs rw,size=64k";
        let mount = parse_mount(line).expect("a mount");
        assert_eq!(mount.point, "/with blank");
        assert_eq!(mount.options, ["ro", "nosuid", "nodev", "relatime"]);
        assert_eq!(mount.fs_type, "tmpfs");
        let shared = "36 35 98:0 / / rw master:1 shared:2 - ext4 /dev/root rw";
        assert_eq!(parse_mount(shared).expect("a mount").fs_type, "ext4");
    }

    #[test]
    fn a_limit_line_is_read() {
        let line = "Max open files            1024                 524288               files     ";
        assert_eq!(parse_limit(line), Some(("Max open files".into(), (Some(1024), Some(524_288)))));
        let line = "Max processes             unlimited            unlimited            processes ";
        assert_eq!(parse_limit(line), Some(("Max processes".into(), (None, None))));
    }

    #[test]
    fn its_own_entry_is_read() {
        let pid = std::process::id();
        let threads = threads(pid);
        assert!(!threads.is_empty() && threads.iter().all(|thread| thread.uids.len() == 4), "{threads:?}");
        assert_eq!(namespaces(pid).len(), 8);
        assert!(mounts(pid).iter().any(|mount| mount.point == "/"));
        assert!(limits(pid).contains_key("Max address space"));
        assert!(environment(pid).iter().any(|name| name == "PATH"));
        assert!(program(pid).is_some());
    }
}
