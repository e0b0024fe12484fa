//! Other processes, other accounts, other programs.

use super::{Attempt, Behind, How, PRIVILEGE, Target, call, n, none};
use crate::given::{place, place_bytes};

const SIGCHLD: u64 = libc::SIGCHLD as u64;
const CURRENT_DIRECTORY: u64 = libc::AT_FDCWD as i64 as u64;
/// Version of capset's header.
const CAPABILITIES_V3: u64 = 0x2008_0522;
const READ_WRITE_EXECUTE: u64 = 7;

/// In another process-id namespace a process has no such number.
const NO_SUCH_PROCESS: Behind = Behind::Kernel(&[libc::ESRCH]);
const OWN_PROGRAM: Target = Target::Host("/proc/self/exe");

/// First who it is, then whom it reaches, then what it becomes.
#[rustfmt::skip]
pub const ATTEMPTS: &[Attempt] = &[
    call("setuid", "becomes root", "setuid", none).behind(PRIVILEGE),
    call("setgid", "joins root's group", "setgid", none).behind(PRIVILEGE),
    call("setresuid", "becomes root", "setresuid", none).behind(PRIVILEGE),
    call("setgroups", "joins a group", "setgroups", |_| [1, place(&[0]), 0, 0, 0, 0]).behind(PRIVILEGE),
    call("capset", "gains capabilities", "capset", |_| {
        [place(&[CAPABILITIES_V3]), place(&[1 | 1 << 32, 0, 0]), 0, 0, 0, 0]
    }).behind(PRIVILEGE),
    call("setns", "enters a namespace", "setns", |g| [n(g.namespace), 0, 0, 0, 0, 0]),
    call("unshare_user", "is root in a namespace", "unshare", |_| [0x1000_0000, 0, 0, 0, 0, 0]),
    call("unshare_network", "has a network of its own", "unshare", |_| [0x4000_0000, 0, 0, 0, 0, 0]),
    call("getppid", "asks for its parent", "getppid", none),
    call("setsid", "leaves its session", "setsid", none),
    call("prlimit", "raises its limit", "prlimit64", |_| {
        [0, libc::RLIMIT_NOFILE as u64, place(&[1 << 19, 1 << 19]), 0, 0, 0]
    }).behind(PRIVILEGE),
    call("setrlimit", "raises its limit", "setrlimit", |_| {
        [libc::RLIMIT_NOFILE as u64, place(&[1 << 19, 1 << 19]), 0, 0, 0, 0]
    }).behind(PRIVILEGE),
    call("setpriority", "takes others' time", "setpriority", |_| [0, 0, n(-5), 0, 0, 0])
        .behind(Behind::Kernel(&[libc::EPERM, libc::EACCES])),
    call("prctl_dumpable", "undoes that it can't be looked into", "prctl", |_| [4, 1, 0, 0, 0, 0]),
    call("prctl_death_signal", "outlives the launcher", "prctl", |_| [1, 0, 0, 0, 0, 0]),
    call("seccomp", "asks for filters of its own", "seccomp", |_| [2, 0, place(&[0x7fff_0000]), 0, 0, 0]),
    call("landlock", "asks for rulesets of its own", "landlock_create_ruleset", |_| [0, 0, 1, 0, 0, 0]),
    call("personality", "asks for another personality", "personality", |_| [0xffff_ffff, 0, 0, 0, 0, 0]),
    call("ptrace_me", "is traced", "ptrace", none),
    call("ptrace_seize", "traces another", "ptrace", |g| [0x4206, n(g.victim), 0, 0, 0, 0]),
    call("kill", "signals another", "kill", |g| [n(g.victim), 0, 0, 0, 0, 0]).behind(NO_SUCH_PROCESS),
    call("tkill", "signals another", "tkill", |g| [n(g.victim), 0, 0, 0, 0, 0]).behind(NO_SUCH_PROCESS),
    call("tgkill", "signals another", "tgkill", |g| [n(g.victim), n(g.victim), 0, 0, 0, 0]).behind(NO_SUCH_PROCESS),
    call("own_signals", "has input and output signal another", "fcntl", |g| [n(g.stream), 8, n(g.victim), 0, 0, 0])
        .behind(NO_SUCH_PROCESS),
    call("pidfd_open", "holds another", "pidfd_open", |g| [n(g.victim), 0, 0, 0, 0, 0]).behind(NO_SUCH_PROCESS),
    call("pidfd_send_signal", "signals another", "pidfd_send_signal", |g| [n(g.pidfd), 0, 0, 0, 0, 0])
        .behind(Behind::Kernel(&[libc::EBADF])),
    call("pidfd_getfd", "takes another's descriptor", "pidfd_getfd", |g| [n(g.pidfd), 0, 0, 0, 0, 0]),
    call("process_vm_readv", "reads another's memory", "process_vm_readv", |g| {
        [n(g.victim), place(&[place(&[0]), 8]), 1, place(&[g.address, 8]), 1, 0]
    }),
    call("process_vm_writev", "writes another's memory", "process_vm_writev", |g| {
        [n(g.victim), place(&[place(&[7]), 8]), 1, place(&[g.address, 8]), 1, 0]
    }),
    call("kcmp", "compares itself with another", "kcmp", |g| [n(g.victim), n(g.victim), 1, 0, 0, 0]),
    call("fork", "starts a process", "fork", none).made(How::Forks),
    call("vfork", "starts a process", "vfork", none).made(How::Forks),
    call("clone_process", "starts a process", "clone", |_| [SIGCHLD, 0, 0, 0, 0, 0]).made(How::Forks),
    call("clone3_process", "starts a process, flags out of sight", "clone3", |_| {
        [place(&[0, 0, 0, 0, SIGCHLD, 0, 0, 0]), 64, 0, 0, 0, 0]
    }).made(How::Forks),
    call("clone_user_namespace", "starts a process that is root", "clone", |_| [SIGCHLD | 0x1000_0000, 0, 0, 0, 0, 0])
        .made(How::Forks),
    call("execve", "runs a program", "execve", |g| [g.path(), arguments(), 0, 0, 0, 0]).reads(OWN_PROGRAM),
    call("execveat", "runs a program", "execveat", |g| [CURRENT_DIRECTORY, g.path(), arguments(), 0, 0, 0])
        .reads(OWN_PROGRAM),
    call("memfd_create", "has a file to run", "memfd_create", |_| [place_bytes(b"x"), 0, 0, 0, 0, 0]),
    call("mmap_executable", "has memory to run", "mmap", |_| [0, 4096, READ_WRITE_EXECUTE, 0x22, u64::MAX, 0]),
    call("mprotect_executable", "has memory to run", "mprotect", |g| [g.page, 4096, READ_WRITE_EXECUTE, 0, 0, 0]),
];

/// A program that is run is told so, and says that it was done.
fn arguments() -> u64 {
    place(&[place_bytes(b"program\0"), place_bytes(b"executed\0"), 0])
}
