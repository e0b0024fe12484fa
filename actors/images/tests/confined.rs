//! The process that unpacks, taken over: each thing that it then tries fails or ends it, and works in a process that is
//! not confined. Needs root, as the import does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

/// Of nobody, who owns nothing.
const NOBODY: u32 = 65_534;
const SIGSYS: i32 = 31;

/// Whether it worked.
type Attempt = fn(&Path) -> bool;

fn reads(path: &str) -> bool {
    std::fs::read(path).is_ok()
}

/// What it tries; the path is that of the directory that it unpacks into.
const ATTEMPTS: &[(&str, Attempt)] = &[
    ("read a file of the host", |_| reads("/etc/passwd")),
    ("read what only root may", |_| reads("/etc/shadow")),
    ("read what is beside its directory", |into| std::fs::read(into.join("../beside")).is_ok()),
    ("write beside its directory", |into| std::fs::write(into.join("../written"), "x").is_ok()),
    ("link out of its directory", |into| std::fs::hard_link(into.join("../beside"), into.join("in")).is_ok()),
    ("rename out of its directory", |into| {
        let _ = std::fs::write(into.join("mine"), "x");
        std::fs::rename(into.join("mine"), into.join("../mine")).is_ok()
    }),
    ("change a mode", |into| {
        let file = std::fs::File::create(into.join("mode")).unwrap();
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o4755)).is_ok()
    }),
    ("make a device", |into| {
        let kind = nix::sys::stat::SFlag::S_IFCHR;
        nix::sys::stat::mknod(&into.join("null"), kind, nix::sys::stat::Mode::empty(), 259).is_ok()
    }),
    ("become root again", |_| nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_ok()),
    ("start a program", |_| Command::new("/bin/true").status().is_ok()),
    ("start a thread", |_| std::thread::Builder::new().spawn(|| ()).is_ok()),
    ("listen", |_| std::net::TcpListener::bind("127.0.0.1:0").is_ok()),
    ("make a socket", |_| std::os::unix::net::UnixDatagram::unbound().is_ok()),
    ("signal its parent", |_| {
        let parent = nix::unistd::getppid();
        nix::sys::signal::kill(parent, None).is_ok()
    }),
    ("mount", |_| nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).is_ok()),
    ("look at its own process", |_| reads("/proc/self/maps")),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("attempt") => attempt(&arguments[2], &arguments[3], Path::new(&arguments[4])),
        _ => check(),
    }
}

fn attempt(name: &str, how: &str, into: &Path) -> ExitCode {
    let (_, attempt) = ATTEMPTS.iter().find(|(known, _)| *known == name).unwrap();
    if how == "confined" {
        let held: OwnedFd = std::fs::File::open(into).unwrap().into();
        images::confine(NOBODY, NOBODY, held.as_fd()).unwrap();
        // What it is for works: otherwise nothing that fails below says anything.
        let made = rustix::fs::mkdirat(&held, "made", rustix::fs::Mode::from_raw_mode(0o755));
        assert!(made.is_ok(), "{made:?}");
    }
    if attempt(into) { ExitCode::SUCCESS } else { ExitCode::from(7) }
}

fn run(name: &str, how: &str) -> ExitStatus {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("into");
    std::fs::create_dir(&into).unwrap();
    std::os::unix::fs::chown(&into, Some(NOBODY), Some(NOBODY)).unwrap();
    std::fs::write(dir.path().join("beside"), "x").unwrap();
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own).args(["attempt", name, how]).arg(&into).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{name}, {how}: {said}");
    output.status
}

fn check() -> ExitCode {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root, and was NOT run");
    for (name, _) in ATTEMPTS {
        let free = run(name, "free");
        assert!(free.success(), "{name}: unconfined it must work: {free}");
        let confined = run(name, "confined");
        let stopped = confined.code() == Some(7) || confined.signal() == Some(SIGSYS);
        assert!(stopped, "{name}: {confined}");
        println!("test {name} ... ok ({confined})");
    }
    ExitCode::SUCCESS
}
