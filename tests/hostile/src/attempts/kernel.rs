//! Mounts, keys, and the kernel's less trodden interfaces.

use super::{Attempt, Behind, How, Target, call, n, none};
use crate::given::{place, place_bytes};

const CURRENT_DIRECTORY: u64 = libc::AT_FDCWD as i64 as u64;
const SESSION_KEYRING: i32 = -3;
const PROCESS_KEYRING: i32 = -2;
const DETACH: u64 = libc::MNT_DETACH as u64;
/// `getpid` in the table of 32-bit programs.
const GETPID_32: u32 = 20;

/// First file systems, then keys, then machinery, then the machine's settings.
#[rustfmt::skip]
pub const ATTEMPTS: &[Attempt] = &[
    call("mount", "changes what paths mean", "mount", |_| [tmpfs(), dot(), tmpfs(), 0, 0, 0]),
    call("umount", "uncovers what a mount covers", "umount2", |g| [g.path(), DETACH, 0, 0, 0, 0]).at(Target::Host("/proc")),
    call("pivot_root", "leaves its root", "pivot_root", |_| [dot(), dot(), 0, 0, 0, 0]),
    call("chroot", "changes its root", "chroot", |_| [dot(), 0, 0, 0, 0, 0]),
    call("fsopen", "makes a file system", "fsopen", |_| [tmpfs(), 0, 0, 0, 0, 0]),
    call("open_tree", "copies a mount", "open_tree", |_| [CURRENT_DIRECTORY, dot(), 1, 0, 0, 0]),
    call("move_mount", "mounts a copy", "move_mount", |g| [n(g.mount), empty(), CURRENT_DIRECTORY, dot(), 4, 0]),
    call("mount_setattr", "makes a mount writable", "mount_setattr", |_| {
        [CURRENT_DIRECTORY, dot(), 0, place(&[1, 0, 0, 0]), 32, 0]
    }),
    call("keyctl", "looks for keys", "keyctl", |_| [0, n(SESSION_KEYRING), 1, 0, 0, 0]),
    call("add_key", "keeps a key", "add_key", |_| {
        [place_bytes(b"user\0"), place_bytes(b"x\0"), place_bytes(b"x"), 1, n(PROCESS_KEYRING), 0]
    }),
    call("bpf", "loads code into the kernel", "bpf", |_| [0, place(&[2 | 4 << 32, 4 | 1 << 32, 0, 0, 0, 0]), 48, 0, 0, 0]),
    call("perf_event_open", "counts what others do", "perf_event_open", |_| {
        [place(&[1 | 64 << 32, 0, 0, 0, 0, 0, 0, 0]), 0, n(-1), n(-1), 0, 0]
    }),
    call("io_uring", "goes round the filter", "io_uring_setup", |_| [1, place(&[0; 15]), 0, 0, 0, 0]),
    call("userfaultfd", "halts the kernel where it likes", "userfaultfd", |_| [1, 0, 0, 0, 0, 0]),
    call("memfd_secret", "has memory that the kernel can't see", "memfd_secret", none),
    call("name_to_handle", "names files past every path", "name_to_handle_at", |_| {
        [CURRENT_DIRECTORY, dot(), place(&[64, 0, 0, 0, 0, 0, 0, 0, 0]), place(&[0]), 0, 0]
    }),
    call("inotify", "watches files", "inotify_init1", none),
    call("fanotify", "watches file systems", "fanotify_init", none),
    call("shmget", "shares memory", "shmget", |_| [0, 4096, 0o600, 0, 0, 0]),
    call("semget", "shares semaphores", "semget", |_| [0, 1, 0o600, 0, 0, 0]),
    call("msgget", "shares a queue", "msgget", |_| [0, 0o600, 0, 0, 0, 0]),
    call("mq_open", "shares a queue", "mq_open", |_| [place_bytes(b"x\0"), 0o102, 0o600, 0, 0, 0]),
    call("timer_create", "is signalled", "timer_create", |_| [0, 0, place(&[0]), 0, 0, 0]),
    call("signalfd", "takes signals", "signalfd4", |_| [n(-1), place(&[0]), 8, 0, 0, 0]),
    call("modify_ldt", "reads segments", "modify_ldt", |_| [0, place(&[0; 8]), 64, 0, 0, 0]),
    call("arch_prctl", "asks for its segment", "arch_prctl", |_| [0x1003, place(&[0]), 0, 0, 0, 0]),
    call("membarrier", "halts every processor", "membarrier", none),
    call("move_pages", "moves memory", "move_pages", |_| [0, 0, 0, 0, 0, 0]),
    call("iopl", "drives devices", "iopl", |_| [3, 0, 0, 0, 0, 0]),
    call("ioperm", "drives a device", "ioperm", |_| [0x80, 1, 1, 0, 0, 0]),
    call("type_on_terminal", "types in another's place", "ioctl", |g| {
        [n(g.terminal), libc::TIOCSTI, place_bytes(b"x"), 0, 0, 0]
    }),
    call("ask_interfaces", "lists the network's interfaces", "ioctl", |g| {
        [n(g.tcp), libc::SIOCGIFCONF, place(&[0, 0]), 0, 0, 0]
    }),
    call("sethostname", "names the host", "sethostname", |_| [place_bytes(b"x"), 1, 0, 0, 0, 0]),
    call("setdomainname", "names the domain", "setdomainname", |_| [place_bytes(b"x"), 1, 0, 0, 0, 0]),
    // Without a time to set it changes nothing; the kernel asks for the privilege first.
    call("settimeofday", "sets the clock", "settimeofday", none),
    call("adjtimex", "asks how the clock is set", "adjtimex", |_| [place(&[0; 32]), 0, 0, 0, 0, 0]),
    call("acct", "turns accounting off", "acct", none),
    call("syslog", "reads the kernel's log", "syslog", |_| [10, 0, 0, 0, 0, 0]),
    call("quotactl", "changes quotas", "quotactl", |_| [0x8000_0100, 0, 0, 0, 0, 0]),
    call("uname", "asks which kernel this is", "uname", |_| [place(&[0; 64]), 0, 0, 0, 0, 0]),
    call("x32", "goes past the filter by another table's numbers", "getpid", none).made(How::X32),
    call("int80", "goes past the filter by the gate of 32-bit programs", "getpid", none).made(How::Int80(GETPID_32)),
    call("setxattr_capability", "gives a file a privilege", "setxattr", |g| {
        [g.path(), place_bytes(b"security.capability\0"), place(&[0x0200_0001 | 1 << 42, 0, 0]), 20, 0, 0]
    }).at(Target::Inside("/file")).behind(Behind::Kernel(&[libc::EPERM, libc::ENOENT])),
];

fn dot() -> u64 {
    place_bytes(b".\0")
}

fn empty() -> u64 {
    place(&[0])
}

fn tmpfs() -> u64 {
    place_bytes(b"tmpfs\0")
}
