//! `chela audit`: every process of the tree, from the kernel's view alone, against the table. It asks neither the launcher
//! nor the supervisor what they started; only for Landlock, which /proc does not show, does it ask the roles themselves.
//!
//! A tree lives: what is seen once may be a process on its way. A deviation counts when it is seen in every one of a few
//! looks.

mod compare;
mod compare_fds;
mod compare_sandbox;
mod errors;
mod facts;
mod gather;
mod landlock;
mod proc;
mod sockets;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use roles::Role;
use roles::account::IdBlock;
use schema::edge::control::Place;
use serde::Serialize;

use crate::setup;
use errors::AuditError;
use facts::{Deviation, Facts, Kind};

/// Looks at the tree before a deviation counts, and the pause between two.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(60);

/// Options of `chela audit`.
#[derive(clap::Args, Debug)]
pub struct AuditArgs {
    /// Print the table of processes too.
    #[arg(long)]
    table: bool,
    /// Leave out Landlock, which takes a working gate.
    #[arg(long)]
    no_probe: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    root: std::path::PathBuf,
    processes: Vec<table::Line>,
    deviations: Vec<Deviation>,
}

/// The chelad of this root, if one runs.
pub fn find_launcher(root: &Path) -> Result<u32, impl std::error::Error> {
    tree::find_launcher(root)
}

/// Where the running instance of a role has something mounted.
pub fn mounts_of(launcher: u32, role: Role, slot: u32) -> Vec<String> {
    let tree = tree::look(launcher);
    let pid = tree.kinds.iter().find(|(_, kind)| **kind == Kind::Role(role, slot)).map(|(pid, _)| *pid);
    pid.map(|pid| proc::mounts(pid).into_iter().map(|mount| mount.point).collect()).unwrap_or_default()
}

/// Runs it. Exit status 0 when every process is what the table says, else 1.
pub fn run(root: &Path, json: bool, args: &AuditArgs) -> ExitCode {
    match audit(root, args) {
        Ok(report) => print(&report, json, args.table),
        Err(error) => {
            eprintln!("chela audit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn audit(root: &Path, args: &AuditArgs) -> Result<Report, AuditError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(AuditError::NotRoot);
    }
    let root = root.canonicalize().map_err(|e| AuditError::io("finding the root directory", root, e))?;
    let launcher = tree::find_launcher(&root)?;
    let block = setup::read_uids(&root)?.unwrap_or(IdBlock { base: 0, count: 0 });
    let mut seen = look(&root, launcher, block)?;
    for _ in 1..LOOKS {
        if seen.deviations.is_empty() {
            break;
        }
        std::thread::sleep(PAUSE);
        let again = look(&root, launcher, block)?;
        let lasting =
            again.deviations.iter().filter(|deviation| seen.deviations.contains(deviation)).cloned().collect();
        seen = Look { deviations: lasting, ..again };
    }
    if !args.no_probe {
        seen.deviations.extend(probe(&root, &seen));
    }
    seen.deviations.sort();
    let launcher_facts = seen.facts.iter().find(|facts| facts.pid == launcher);
    let processes = launcher_facts
        .map(|launcher| seen.facts.iter().map(|facts| table::line(facts, launcher)).collect())
        .unwrap_or_default();
    Ok(Report { root, processes, deviations: seen.deviations })
}

/// The tree at one moment, and what is wrong with it.
struct Look {
    facts: Vec<Facts>,
    deviations: Vec<Deviation>,
}

fn look(root: &Path, launcher: u32, block: IdBlock) -> Result<Look, AuditError> {
    let tree = tree::look(launcher);
    let sockets = sockets::Sockets::collect(launcher, tree.kinds.clone())?;
    let mut all: Vec<Facts> =
        tree.kinds.iter().filter_map(|(pid, kind)| gather::facts(*pid, *kind, &tree, &sockets)).collect();
    all.sort_by_key(|facts| (facts.kind, facts.pid));
    let Some(of_launcher) = all.iter().find(|facts| facts.pid == launcher) else {
        return Err(AuditError::NotRunning {
            root: root.to_path_buf(),
            lock: root.join("run/chelad.lock"),
            problem: format!("names process {launcher}, which is gone"),
        });
    };
    let host = gather::Host {
        root: root.to_path_buf(),
        libexec: tree::libexec_of(launcher),
        block,
        launcher: of_launcher.clone(),
    };
    let mut deviations: Vec<Deviation> = all.iter().flat_map(|facts| judge(facts, &all, &host)).collect();
    deviations.extend(shared_namespaces(&all, &of_launcher.namespaces));
    deviations.extend(twice(&all));
    Ok(Look { facts: all, deviations })
}

/// One process against what it should be.
fn judge(facts: &Facts, all: &[Facts], host: &gather::Host) -> Vec<Deviation> {
    let executor = |slot| all.iter().find(|facts| facts.kind == Kind::Role(Role::Executor, slot));
    match facts.kind {
        Kind::Role(role, slot) => compare::compare(facts, role.row(), &host.expected(role.row(), slot)),
        Kind::Maker(slot) | Kind::Waiting(slot) | Kind::Sandbox(slot) => {
            let Some(executor) = executor(slot) else {
                return vec![deviation(facts, "has no executor above it".to_string())];
            };
            let expected = host.expected(Role::Executor.row(), slot);
            match facts.kind {
                Kind::Maker(_) => compare_sandbox::maker(facts, &expected, executor),
                Kind::Waiting(_) => compare_sandbox::waiting(facts, &expected, executor),
                Kind::Sandbox(_) | Kind::Role(..) | Kind::Stranger => {
                    compare_sandbox::sandbox(facts, &expected, executor)
                }
            }
        }
        Kind::Stranger => {
            let program = proc::program(facts.pid).unwrap_or_default();
            vec![deviation(facts, format!("runs {program:?}, which is no role of the table"))]
        }
    }
}

/// No two roles share a namespace that isn't chelad's.
fn shared_namespaces(all: &[Facts], launchers: &BTreeMap<String, u64>) -> Vec<Deviation> {
    let mut first: BTreeMap<(&str, u64), &Facts> = BTreeMap::new();
    let mut found = Vec::new();
    for facts in all.iter().filter(|facts| matches!(facts.kind, Kind::Role(..))) {
        for (kind, number) in &facts.namespaces {
            if launchers.get(kind) == Some(number) {
                continue;
            }
            if let Some(other) = first.insert((kind, *number), facts) {
                found.push(deviation(facts, format!("shares its {kind} namespace with {}", other.kind.name())));
            }
        }
    }
    found
}

/// One live instance a slot.
fn twice(all: &[Facts]) -> Vec<Deviation> {
    let pairs = all.windows(2).filter(|pair| matches!(pair[0].kind, Kind::Role(..)) && pair[0].kind == pair[1].kind);
    pairs.map(|pair| deviation(&pair[1], format!("runs beside process {} in the same slot", pair[0].pid))).collect()
}

/// Asks every role that runs to try a forbidden file.
fn probe(root: &Path, seen: &Look) -> Vec<Deviation> {
    let gate = seen.facts.iter().find(|facts| matches!(facts.kind, Kind::Role(Role::Gate, _)));
    let Some(gate) = gate else { return Vec::new() };
    let answers = setup::owner_of(&root.join("etc/gate/gate.toml"))
        .map_err(|e| e.to_string())
        .and_then(|owner| landlock::ask(root, owner));
    let answers = match answers {
        Ok(answers) => answers,
        Err(why) => return vec![deviation(gate, format!("Landlock could not be probed: {why}"))],
    };
    let mut found = Vec::new();
    for facts in &seen.facts {
        let Kind::Role(role, slot) = facts.kind else { continue };
        let answer = answers.iter().find(|(place, _)| *place == Place::new(role, slot)).map(|(_, answer)| *answer);
        if let Some(wrong) = landlock::judge(role.row(), answer)
            && (answer.is_some() || tree::still_there(facts.pid, role))
        {
            found.push(deviation(facts, wrong));
        }
    }
    found
}

fn deviation(facts: &Facts, what: String) -> Deviation {
    Deviation { pid: facts.pid, process: facts.kind.name(), what }
}

fn print(report: &Report, json: bool, with_table: bool) -> ExitCode {
    let code = if report.deviations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        return match serde_json::to_string_pretty(report) {
            Ok(text) => {
                println!("{text}");
                code
            }
            Err(e) => {
                eprintln!("chela audit: writing JSON: {e}");
                ExitCode::FAILURE
            }
        };
    }
    if with_table {
        table::print(&report.processes);
    }
    for deviation in &report.deviations {
        println!("{} (pid {}): {}", deviation.process, deviation.pid, deviation.what);
    }
    if report.deviations.is_empty() {
        println!("Each of the {} processes is what the table says.", report.processes.len());
    }
    code
}
