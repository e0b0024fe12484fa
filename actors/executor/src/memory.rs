//! The watch over the memory that all processes of a sandbox have together. A control group bounds it better, where there
//! is one; a limit of each process does not bound their sum.
//!
//! Counted is what is in memory and nobody else's: what a process allocated, and what it has mapped of shared memory. Files
//! in the layer and in /tmp are bounded by their mounts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::limits::SANDBOX_MEMORY_BYTES;

/// One process, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    pid: i32,
    parent: i32,
    memory_bytes: u64,
}

/// What the processes of one sandbox may have together, bytes: half of the host's memory at most.
pub fn bound() -> u64 {
    let all = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = all.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(SANDBOX_MEMORY_BYTES, |kib| SANDBOX_MEMORY_BYTES.min(kib.saturating_mul(1024) / 2))
}

/// All processes that can be seen. One that ends meanwhile is not there.
pub fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|pid: i32| Process::of(pid, &fs::read_to_string(format!("/proc/{pid}/status")).ok()?)).collect()
}

impl Process {
    fn of(pid: i32, status: &str) -> Option<Process> {
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // A process that ends has no memory any more.
        let kib = ["RssAnon", "RssShmem", "VmSwap"].into_iter().filter_map(number).fold(0, u64::saturating_add);
        let parent = number("PPid").and_then(|parent| parent.try_into().ok())?;
        Some(Process { pid, parent, memory_bytes: kib.saturating_mul(1024) })
    }
}

/// What a sandbox takes, by its first process: everything in it is below that, since whoever loses a parent becomes its
/// child.
pub fn below(first: i32, all: &[Process]) -> u64 {
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let (mut left, mut seen, mut bytes) = (vec![first], BTreeSet::new(), 0_u64);
    while let Some(parent) = left.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if seen.insert(child.pid) {
                bytes = bytes.saturating_add(child.memory_bytes);
                left.push(child.pid);
            }
        }
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_of_all_that_is_below_and_of_nothing_else() {
        let process = |pid, parent, memory_bytes| Process { pid, parent, memory_bytes };
        let all = [process(2, 1, 1), process(5, 2, 10), process(6, 5, 100), process(7, 2, 1000), process(9, 8, 10_000)];
        assert_eq!(below(2, &all), 1110);
        assert_eq!(below(9, &all), 0);
        // Numbers that were read at different times may go round.
        assert_eq!(below(5, &[process(5, 6, 1), process(6, 5, 2)]), 3);
    }

    #[test]
    fn what_a_process_has_is_read_from_its_status() {
        let status = "Name:\tx PPid: 9\nPPid:\t4\nVmRSS:\t 900 kB\nRssAnon:\t  20 kB\nRssFile:\t 800 kB\nRssShmem:\t 3 kB\nVmSwap:\t 1 kB\n";
        assert_eq!(Process::of(7, status).unwrap(), Process { pid: 7, parent: 4, memory_bytes: 24 << 10 });
        assert_eq!(Process::of(7, "PPid:\t4\n").unwrap().memory_bytes, 0);
        assert_eq!(Process::of(7, "VmRSS:\t 900 kB\n"), None);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(processes().into_iter().any(|one| one.pid == own && one.memory_bytes > 0));
    }
}
