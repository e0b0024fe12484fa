//! What the kernel says about a process, held against its row.

use std::fs;

use roles::Role;
use roles::grant::{Access, Network, Source};

use crate::scene::{Outcome, Scene, check};

pub fn status_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

pub fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or("").trim()
}

/// Everything that can be seen of a cage.
pub fn caged(scene: &Scene, role: Role, slot: u32, pid: u32) -> Outcome<()> {
    let status = status_of(pid);
    let name = role.name();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        check(field(&status, set) == "0000000000000000", format!("{name}: {set} {}", field(&status, set)))?;
    }
    check(field(&status, "NoNewPrivs") == "1", format!("{name}: no_new_privs"))?;
    check(field(&status, "Groups").is_empty(), format!("{name}: groups {}", field(&status, "Groups")))?;
    let uid = field(&status, "Uid");
    check(!uid.split('\t').any(|u| u == "0" || u != uid.split('\t').next().unwrap_or("")), format!("{name}: {uid}"))?;
    check(field(&status, "SigBlk") == "0000000000000000", format!("{name}: blocked signals"))?;
    let shared_network = matches!(role.row().network, Network::Egress { .. });
    for kind in ["mnt", "pid", "net", "ipc", "uts"] {
        let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).map_err(|e| e.to_string());
        let own = of(&pid.to_string())? != of("self")?;
        check(own != (kind == "net" && shared_network), format!("{name}: {kind} namespace"))?;
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).map_err(|e| e.to_string())?;
    let files = limits.lines().find(|l| l.starts_with("Max open files")).unwrap_or("");
    let wanted = role.row().limits.open_files.to_string();
    check(files.split_whitespace().filter(|w| **w == wanted).count() == 2, format!("{name}: {files}"))?;
    check(limits.lines().any(|l| l.starts_with("Max core file size") && l.contains(" 1 ")), "core dumps")?;
    let mut numbers: Vec<i32> = fs::read_dir(format!("/proc/{pid}/fd"))
        .map_err(|e| e.to_string())?
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let mut declared: Vec<i32> = role.row().descriptors.iter().filter_map(|d| d.number).collect();
    declared.extend([0, 1, 2]);
    declared.sort_unstable();
    check(numbers == declared, format!("{name}: descriptors {numbers:?}, declared {declared:?}"))?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).map_err(|e| e.to_string())?;
    let wanted = format!("{}\0{slot}\0", role.row().binary);
    check(command == wanted.as_bytes(), format!("{name}: {}", String::from_utf8_lossy(&command)))?;
    mounts_are_the_grants(role, pid)?;
    if role != Role::Supervisor {
        scene.order(&format!("tell {name} {slot} look"));
        sees_only_grants(scene, role, slot)?;
    }
    Ok(())
}

fn mounts_are_the_grants(role: Role, pid: u32) -> Outcome<()> {
    let info = fs::read_to_string(format!("/proc/{pid}/mountinfo")).map_err(|e| e.to_string())?;
    for line in info.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (place, options) = (words[4], words[5]);
        let grant = role.row().files.iter().find(|g| g.inside == place);
        let read_only = options.split(',').any(|o| o == "ro");
        let has = |o: &str| options.split(',').any(|x| x == o);
        check(place == "/" || grant.is_some(), format!("{}: mount {line}", role.name()))?;
        let access = grant.map_or(Access::Read, |g| g.access);
        let wanted = matches!(access, Access::Read | Access::ReadExecute);
        check(read_only == wanted && has("nosuid"), format!("{}: {line}", role.name()))?;
        check(has("nodev") || access == Access::Device, format!("{}: {line}", role.name()))?;
        let runs = matches!(access, Access::ReadExecute | Access::ReadWriteExecute);
        check(has("noexec") != runs, format!("{}: {line}", role.name()))?;
    }
    check(info.contains(" / / ro"), format!("{}: root is not read-only: {info}", role.name()))
}

fn sees_only_grants(scene: &Scene, role: Role, slot: u32) -> Outcome<()> {
    let stream = format!("{}-{slot}", role.name());
    scene.heard(&stream, &["looked"])?;
    let log = scene.log(&stream);
    let says = |line: &str| check(log.lines().any(|l| l == line), format!("{stream}: no `{line}` in\n{log}"));
    let mut tops: Vec<&str> = role.row().files.iter().filter_map(|g| g.inside.split('/').nth(1)).collect();
    tops.sort_unstable();
    tops.dedup();
    let seen = log.lines().find_map(|l| l.strip_prefix("root ")).unwrap_or("?");
    let seen: Vec<&str> = seen.split(',').filter(|n| !n.is_empty()).collect();
    check(seen.iter().all(|n| tops.contains(n)), format!("{stream}: root has {seen:?}, granted {tops:?}"))?;
    says(&format!("up {}", seen.join(",")))?;
    says("cwd /")?;
    says("environment 0")?;
    says("pid 1")?;
    says(&format!("write-root Some(Some({}))", libc::EROFS))?;
    for grant in role.row().files {
        match grant.access {
            Access::ReadWrite if grant.inside != "/proc" => says(&format!("write {} None", grant.inside))?,
            // What root has added is mounted in it: nothing here, and it is nobody's to write to.
            Access::ReadWriteExecute if matches!(grant.source, Source::Directories { .. }) => {
                says(&format!("write {} Some(Some({}))", grant.inside, libc::EROFS))?;
            }
            Access::ReadWriteExecute => says(&format!("write {} None", grant.inside))?,
            Access::Read | Access::ReadExecute | Access::ReadWrite | Access::Device => {}
        }
    }
    Ok(())
}

pub fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|w| w.parse().ok()).collect()
}
