//! What a path is: a device, a part of the system, somebody's home, or the workspace's own business.

use crate::text::{self, INSIDE, UNKNOWN};

/// Where a command begins, and its home.
pub const WORKSPACE: &str = "/workspace";
/// Stands for the home directory, in whatever way it was written.
pub const HOME: &str = "~";

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The root, a system directory, or all of one.
    System,
    /// Something in a system directory.
    InSystem,
    /// A home directory, or all of one.
    Home,
    /// A disk, memory or other device that holds data.
    Device,
    /// It can't be told, and may be any of these.
    Unknown,
    /// The workspace, temporary directories, and what is nobody's.
    Elsewhere,
}

/// Directories that the system is made of.
const SYSTEM: [&str; 20] = [
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root", "run",
    "sbin", "srv", "sys", "usr", "var", "home",
];
/// Those of which no single file is anybody's either.
const HELD: [&str; 12] = [
    "/bin/",
    "/boot/",
    "/etc/",
    "/lib/",
    "/lib64/",
    "/sbin/",
    "/usr/bin/",
    "/usr/lib/",
    "/usr/sbin/",
    "/var/lib/",
    "/var/log/",
    "/root/",
];
/// What of those is kept for a time only, or made by people.
const LOOSE: [&str; 4] = ["/var/lib/apt/lists", "/var/cache/", "/usr/local/", "/root/.cache"];
/// Directories of a home that hold what nobody can make again.
const HOME_HELD: [&str; 4] = [".ssh", ".gnupg", ".local/share/keyrings", ".password-store"];

/// The path as one from the root: `.` and `..` resolved, slashes single. `~` stays in front. `None`: it begins at a
/// working directory that is not known, or with a part that isn't.
pub fn absolute(cwd: Option<&str>, path: &str) -> Option<String> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let (base, rest) = if path.starts_with('/') {
        ("", path)
    } else if path == HOME || path.starts_with("~/") {
        (HOME, &path[1..])
    } else if path.starts_with(UNKNOWN) {
        return None;
    } else {
        (cwd?, path)
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(rest.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                // Above a home there are homes.
                if parts.pop() == Some(HOME) {
                    parts.push("home");
                }
            }
            _ => parts.push(part),
        }
    }
    Some(if parts.first() == Some(&HOME) { parts.join("/") } else { format!("/{}", parts.join("/")) })
}

/// What the path leads to.
pub fn place(cwd: Option<&str>, path: &str) -> Place {
    if path.starts_with(text::OUTSIDE) {
        return Place::System;
    }
    let path = unrooted(path);
    let Some(absolute) = absolute(cwd, path) else { return relative(path) };
    if is_device(&absolute) {
        return Place::Device;
    }
    if let Some(home) = absolute.strip_prefix(HOME) {
        return in_home(home);
    }
    let mut parts = absolute[1..].splitn(3, '/');
    let (first, second, rest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next());
    if all(first) || first.starts_with(UNKNOWN) && second.is_empty() {
        return Place::System;
    }
    let is_system = SYSTEM.contains(&first) || pattern(first) && SYSTEM.iter().any(|name| matches(first, name));
    if !is_system {
        return if text::is_open(first) { Place::Unknown } else { Place::Elsewhere };
    }
    if first == "home" && !all(second) {
        return rest.map_or(Place::Home, |rest| in_home(&format!("/{rest}")));
    }
    if all(second) || first == "usr" && rest.is_none_or(all) && second != "local" {
        return if first == "root" { Place::Home } else { Place::System };
    }
    if first == "var" && rest.is_none_or(all) && !matches!(second, "cache" | "tmp") {
        return Place::System;
    }
    let held = |start: &&str| absolute.starts_with(*start);
    if HELD.iter().any(held) && !LOOSE.iter().any(held) {
        return Place::InSystem;
    }
    Place::Elsewhere
}

/// `/proc/self/root/etc` is `/etc`.
fn unrooted(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/proc/") else { return path };
    let Some((_, rest)) = rest.split_once('/') else { return path };
    match rest.strip_prefix("root") {
        Some("") => "/",
        Some(inner) if inner.starts_with('/') => inner,
        Some(_) | None => path,
    }
}

fn in_home(below: &str) -> Place {
    let below = below.trim_start_matches('/');
    if all(below) || HOME_HELD.iter().any(|held| below.strip_prefix(held).is_some_and(all)) {
        return Place::Home;
    }
    Place::Elsewhere
}

/// A path from a directory that is not known, or of which the first part isn't.
fn relative(path: &str) -> Place {
    let rest = path.trim_start_matches(UNKNOWN);
    let begins_open = rest.len() < path.len();
    let above = rest.split('/').any(|part| part == "..");
    if !begins_open {
        return if above || all(rest) { Place::Unknown } else { Place::Elsewhere };
    }
    // With nothing in front it would be a path from the root.
    let from_root = place(Some("/"), rest);
    if rest.is_empty() || above || from_root != Place::Elsewhere { Place::Unknown } else { Place::Elsewhere }
}

/// Nothing further, or everything further.
fn all(rest: &str) -> bool {
    matches!(
        rest.trim_matches('/'),
        "" | "*"
            | ".*"
            | ".[!.]*"
            | ".[^.]*"
            | "{*,.*}"
            | "?*"
            | "**"
            | "**/*"
            | "."
            | "*.*"
            | ".??*"
            | ".[a-zA-Z0-9]*"
    )
}

fn pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Whether the device holds data: disks, memory, ports.
fn is_device(path: &str) -> bool {
    const DISKS: [&str; 22] = [
        "sd", "hd", "vd", "xvd", "nvme", "mmcblk", "md", "dm-", "mapper/", "disk/", "loop", "nbd", "ram", "sr", "mem",
        "kmem", "port", "mtd", "zd", "fb0", "block/", "mtdblock",
    ];
    let Some(name) = path.strip_prefix("/dev/") else { return path == "/proc/kcore" };
    let is_disk = DISKS.iter().any(|disk| name.starts_with(disk));
    is_disk
        || pattern(name) && DISKS.iter().any(|disk| matches(name.get(..1).unwrap_or(""), &disk[..1]))
        || name.starts_with(UNKNOWN)
}

/// Whether a name matches a pattern of a shell. A star that was passed is gone back to at most once a character, and
/// never the one before it: the work is at most the product of the lengths.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(length) = one(&pattern[p..], name[n]) {
            p += length;
            n += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How much of the pattern stands for this one character.
fn one(pattern: &[char], it: char) -> Option<usize> {
    match (pattern.first()?, pattern.iter().position(|c| *c == ']')) {
        ('?', _) => Some(1),
        ('[', Some(end)) if end > 1 => {
            let negated = matches!(pattern[1], '!' | '^');
            let set = &pattern[1 + usize::from(negated)..end];
            let ranged = set.windows(3).any(|range| range[1] == '-' && (range[0]..=range[2]).contains(&it));
            ((set.contains(&it) || ranged) != negated).then_some(end + 1)
        }
        (c, _) => (*c == it).then_some(1),
    }
}

/// Whether it names something that a search of the workspace found, or is a plain name inside.
pub fn is_inside(path: &str) -> bool {
    path.starts_with(INSIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_of_a_place_is_that_place() {
        let here = Some(WORKSPACE);
        for root in ["/", "//", "/.", "/*", "/./", "/bin/..", "../..", "../../*", "/proc/self/root", "/e*", "/[e]tc"] {
            assert_eq!(place(here, root), Place::System, "{root}");
        }
        for home in ["~", "~/", "~/*", "~/.", "/home/ada", "/home/ada/*", "/root", "~/.ssh", "/root/*"] {
            assert_eq!(place(here, home), Place::Home, "{home}");
        }
        for system in ["/etc", "/usr/lib", "/var/log", "/home", "/home/*", "~/..", "/boot/", "/usr/*"] {
            assert_eq!(place(here, system), Place::System, "{system}");
        }
        for own in ["build", "*", ".", "./*", "/tmp/x", "/workspace/a", "~/project/build", "/home/ada/x/y", "/opt/x/y"]
        {
            assert_eq!(place(here, own), Place::Elsewhere, "{own}");
        }
        for disk in ["/dev/sda", "/dev/nvme0n1", "/dev/disk/by-id/x", "/dev/mem", "/dev/s?a", "/dev/../dev/sdb1"] {
            assert_eq!(place(here, disk), Place::Device, "{disk}");
        }
        for harmless in ["/dev/null", "/dev/stdout", "/dev/tty", "/dev/fd/3", "/dev/zero"] {
            assert_ne!(place(here, harmless), Place::Device, "{harmless}");
        }
    }
}
