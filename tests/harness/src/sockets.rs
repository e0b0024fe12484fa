//! Promise 6, asked of the kernel: no process of the tree listens on TCP or has a bound UDP socket, in any network
//! namespace of the tree. A sandbox's own loopback is the one exception, and sandboxes are not roles.

use std::collections::HashSet;
use std::fs;

use crate::procs;

/// State number of a listening TCP socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";
/// State number of a connected socket: a UDP socket in it hears its one peer only.
const CONNECTED: &str = "01";

/// Inode numbers of the sockets that a process holds.
fn socket_inodes(pid: u32) -> HashSet<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return HashSet::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

fn rows(pid: u32, protocol: &str) -> Vec<(String, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/{protocol}")).unwrap_or_default();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            Some(((*fields.get(3)?).to_string(), fields.get(9)?.parse().ok()?))
        })
        .collect()
}

/// One line for each listening TCP socket and each unconnected UDP or raw socket held by chelad or a role below it, and for each such
/// socket in a network namespace that is a role's own, whoever holds it. Empty is the promise kept.
pub fn listening(chelad: u32) -> Vec<String> {
    let host = fs::read_link("/proc/self/ns/net").ok();
    let mut found = Vec::new();
    let mut pids = vec![(chelad, "launcher".to_string())];
    pids.extend(procs::roles_of(chelad).into_iter().map(|p| (p.pid, format!("{} {}", p.role.name(), p.slot))));
    for (pid, name) in pids {
        let own_namespace = fs::read_link(format!("/proc/{pid}/ns/net")).ok() != host;
        let inodes = socket_inodes(pid);
        for protocol in ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6"] {
            for (state, inode) in rows(pid, protocol) {
                let listens = if protocol.starts_with("tcp") { state == LISTEN } else { state != CONNECTED };
                if listens && (own_namespace || inodes.contains(&inode)) {
                    found.push(format!("{name} (pid {pid}): {protocol} socket {inode}, state {state}"));
                }
            }
        }
    }
    found
}
