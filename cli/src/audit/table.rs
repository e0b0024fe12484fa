//! The process table: what each process of the tree has, from the kernel.

use serde::Serialize;

use super::compare::{SECCOMP_FILTER, names_of};
use super::facts::{Facts, Family, Kind, Target};

/// One line of it.
#[derive(Debug, Serialize)]
pub struct Line {
    /// `brain 0`, `launcher`.
    pub process: String,
    /// Process id on the host.
    pub pid: u32,
    /// User id, and name where it has one.
    pub account: String,
    /// Capabilities in any set.
    pub capabilities: String,
    /// Filters in force, or `none`.
    pub seccomp: String,
    /// `none` (a namespace of its own), `shared`, and inet sockets.
    pub network: String,
    /// Its own namespaces.
    pub namespaces: String,
    /// Proportional set size, KiB.
    pub pss_kib: Option<u64>,
    /// Label of a security module, where there is one.
    pub label: String,
}

/// The line of a process. `launcher` are chelad's facts.
pub fn line(facts: &Facts, launcher: &Facts) -> Line {
    let first = facts.threads.first();
    let held = facts.threads.iter().flat_map(|thread| thread.capabilities).fold(0, |all, set| all | set);
    let own: Vec<&str> = facts
        .namespaces
        .iter()
        .filter(|(kind, number)| launcher.namespaces.get(*kind) != Some(number))
        .map(|(kind, _)| kind.as_str())
        .collect();
    Line {
        process: facts.kind.name(),
        pid: facts.pid,
        account: first.and_then(|thread| thread.uids.first()).map_or_else(String::new, |uid| account(*uid)),
        capabilities: if matches!(facts.kind, Kind::Role(roles::Role::Launcher, _)) && held != 0 {
            format!("{} of 41", held.count_ones())
        } else {
            names_of(held)
        },
        seccomp: match first {
            Some(thread) if thread.seccomp_mode == SECCOMP_FILTER => format!("{} filters", thread.seccomp_filters),
            Some(_) | None => "none".to_string(),
        },
        network: network(facts, own.contains(&"net")),
        namespaces: if own.is_empty() { "the host's".to_string() } else { own.join(" ") },
        pss_kib: facts.pss_kib,
        label: facts.label.clone(),
    }
}

fn account(uid: u32) -> String {
    crate::accounts::by_uid(uid).map_or_else(|| uid.to_string(), |account| account.name)
}

fn network(facts: &Facts, own: bool) -> String {
    let inet = facts.fds.iter().filter(|fd| matches!(fd.target, Target::Socket { family: Family::Inet { .. }, .. }));
    match (own, inet.count()) {
        (true, 0) => "none".to_string(),
        (true, n) => format!("own, {n} sockets"),
        (false, 0) => "host's, no socket".to_string(),
        (false, n) => format!("host's, {n} sockets"),
    }
}

/// Prints the table, aligned.
pub fn print(lines: &[Line]) {
    let head = ["process", "pid", "account", "capabilities", "seccomp", "network", "own namespaces", "PSS"];
    let mut rows: Vec<[String; 8]> = vec![head.map(str::to_owned)];
    for line in lines {
        rows.push([
            line.process.clone(),
            line.pid.to_string(),
            line.account.clone(),
            line.capabilities.clone(),
            line.seccomp.clone(),
            line.network.clone(),
            line.namespaces.clone(),
            line.pss_kib.map_or("?".to_string(), |kib| format!("{:.1} MB", kib as f64 / 1024.0)),
        ]);
    }
    let widths: Vec<usize> = (0..head.len()).map(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    let all: u64 = lines.iter().filter_map(|line| line.pss_kib).sum();
    println!("{} processes, {:.1} MB in all", lines.len(), all as f64 / 1024.0);
}
