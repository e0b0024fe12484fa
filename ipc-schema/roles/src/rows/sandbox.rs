//! The processes below an executor: its maker, which makes sandboxes, and what runs in them.
//!
//! A filter is inherited and only ever narrowed. So the maker's list holds everything that a command may do besides
//! what makes a sandbox, and each sandbox then gives up the latter ([`SANDBOX_REFUSED`]). The executor itself, which
//! talks with the gate, forks the maker before its own seal and has none of this.

use super::common::{any, is, only};
use crate::grant::{ArgRule, ArgTest, SyscallGrant, Width};

/// Grants of many calls with any arguments, for one reason.
macro_rules! each {
    ($why:literal: $($name:literal)+) => { &[$(any($name, $why)),+] };
}

/// What the maker has besides [`COMMANDS`]. Without a capability in any namespace but a sandbox's own, these reach
/// nothing else.
pub const MAKING: &[SyscallGrant] = &[
    any(
        "mount",
        "the sandbox's /proc and /tmp, the layer over its workspace, and where a pseudo-terminal was asked for a devpts of its \
         own, in which no other sandbox's terminals are",
    ),
    any("pivot_root", "makes an image the root of a sandbox that was asked for with one"),
    any("umount2", "lets go of the root that the image has taken the place of"),
    any("sethostname", "the sandbox's host name"),
    only(
        "unshare",
        &[is(0, 0x80)],
        "clocks of the sandbox's own (a time namespace), so that the host's uptime is not seen",
    ),
];

/// What a command in a sandbox may ask for with any arguments; what is on no list is answered ENOSYS.
pub const COMMANDS: &[&[SyscallGrant]] = &[MEMORY, FILES, PROCESSES, WAITING, IDENTITY, SOCKET, SOCKETS, IPC];

/// What a sandbox gives up before a command runs in it, answered EPERM. Most of it is on no list above; it is named
/// here so that a program is told "not permitted" rather than "no such call".
pub const SANDBOX_REFUSED: &[SyscallGrant] = &[
    any("mount", "no mounts of a command's own"),
    any("umount2", "no mounts of a command's own"),
    any("pivot_root", "no mounts of a command's own"),
    any("chroot", "no root of a command's own"),
    any("fsopen", "no mounts of a command's own"),
    any("fsmount", "no mounts of a command's own"),
    any("open_tree", "no mounts of a command's own"),
    any("move_mount", "no mounts of a command's own"),
    any("mount_setattr", "no mounts of a command's own"),
    any("unshare", "no namespaces inside a sandbox"),
    any("setns", "no namespaces inside a sandbox"),
    only("clone", &[has(0, 0x0002_0000)], "no mount namespace inside"),
    only("clone", &[has(0, 0x0200_0000)], "no control-group namespace inside"),
    only("clone", &[has(0, 0x0400_0000)], "no host-name namespace inside"),
    only("clone", &[has(0, 0x0800_0000)], "no IPC namespace inside"),
    only("clone", &[has(0, 0x1000_0000)], "no user namespace inside"),
    only("clone", &[has(0, 0x2000_0000)], "no process-id namespace inside"),
    only("clone", &[has(0, 0x4000_0000)], "no network namespace inside"),
    any("sethostname", "the name is the sandbox's"),
    any("setdomainname", "the name is the sandbox's"),
    any("ptrace", "no process looks into another"),
    any("process_vm_readv", "no process looks into another"),
    any("process_vm_writev", "no process looks into another"),
    any("pidfd_getfd", "no process takes another's descriptors"),
    any("kcmp", "no process looks into another"),
    any("io_uring_setup", "goes round the filter"),
    any("bpf", "kernel programs"),
    any("perf_event_open", "kernel counters"),
    any("userfaultfd", "a tool of kernel exploits"),
    any("keyctl", "keyrings are not in any namespace"),
    any("add_key", "keyrings are not in any namespace"),
    any("request_key", "keyrings are not in any namespace"),
    any("open_by_handle_at", "opens files past every path"),
    any("name_to_handle_at", "opens files past every path"),
    any("syslog", "the kernel's log"),
    any("fanotify_init", "watches whole file systems"),
    only("ioctl", &[is(1, 0x5412)], "TIOCSTI types on a terminal"),
    only("ioctl", &[is(1, 0x541c)], "TIOCLINUX pastes on a terminal"),
];

/// All of `bits` are set in the low half of argument `arg`.
const fn has(arg: u8, bits: u64) -> ArgRule {
    ArgRule { arg, width: Width::Low32, test: ArgTest::Masked { mask: bits, value: bits } }
}

/// A socket's family and protocol are arguments; multipath TCP and every other family are on no list.
const SOCKET: &[SyscallGrant] = &[
    only("socket", &[is(0, 1)], "Unix sockets"),
    only("socket", &[is(0, 2), is(2, 0)], LOOPBACK),
    only("socket", &[is(0, 2), is(2, 6)], LOOPBACK),
    only("socket", &[is(0, 2), is(2, 17)], LOOPBACK),
    only("socket", &[is(0, 10), is(2, 0)], LOOPBACK),
    only("socket", &[is(0, 10), is(2, 6)], LOOPBACK),
    only("socket", &[is(0, 10), is(2, 17)], LOOPBACK),
];
const LOOPBACK: &str = "TCP and UDP on its own loopback, where nobody else is";

const MEMORY: &[SyscallGrant] = each! { "memory of its own, executable too: programs are loaded and compiled here":
    "brk" "mmap" "mprotect" "munmap" "mremap" "msync" "mincore" "madvise" "mlock" "mlock2" "munlock" "mlockall"
    "munlockall" "membarrier" "pkey_alloc" "pkey_free" "pkey_mprotect" "memfd_create" "getrandom" "arch_prctl"
    "rseq"
};

const FILES: &[SyscallGrant] = each! { "files: which ones is for its mounts and its Landlock ruleset to say":
    "read" "write" "readv" "writev" "pread64" "pwrite64" "preadv" "pwritev" "preadv2" "pwritev2" "open" "openat"
    "openat2" "creat" "close" "close_range" "stat" "fstat" "lstat" "newfstatat" "statx" "statfs" "fstatfs" "lseek"
    "access" "faccessat" "faccessat2" "dup" "dup2" "dup3" "pipe" "pipe2" "fcntl" "flock" "fsync" "fdatasync"
    "sync_file_range" "syncfs" "truncate" "ftruncate" "fallocate" "getdents" "getdents64" "getcwd" "chdir" "fchdir"
    "rename" "renameat" "renameat2" "mkdir" "mkdirat" "rmdir" "link" "linkat" "unlink" "unlinkat" "symlink"
    "symlinkat" "readlink" "readlinkat" "chmod" "fchmod" "fchmodat" "fchmodat2" "chown" "fchown" "lchown" "fchownat"
    "umask" "utime" "utimes" "futimesat" "utimensat" "mknod" "mknodat" "readahead" "fadvise64" "setxattr"
    "lsetxattr" "fsetxattr" "getxattr" "lgetxattr" "fgetxattr" "listxattr" "llistxattr" "flistxattr" "removexattr"
    "lremovexattr" "fremovexattr" "sendfile" "splice" "tee" "vmsplice" "copy_file_range" "ioctl" "inotify_init"
    "inotify_init1" "inotify_add_watch" "inotify_rm_watch" "cachestat"
};

const PROCESSES: &[SyscallGrant] = each! { "processes and threads inside its own namespace":
    "clone" "fork" "vfork" "execve" "execveat" "exit" "exit_group" "wait4" "waitid" "kill" "tkill" "tgkill"
    "pidfd_open" "pidfd_send_signal" "rt_sigqueueinfo" "rt_tgsigqueueinfo" "rt_sigaction" "rt_sigprocmask"
    "rt_sigreturn" "rt_sigpending" "rt_sigtimedwait" "rt_sigsuspend" "sigaltstack" "restart_syscall"
    "set_tid_address" "set_robust_list" "get_robust_list" "getpid" "getppid" "gettid" "getpgid" "getpgrp" "setpgid"
    "getsid" "setsid" "getrlimit" "setrlimit" "prlimit64" "getrusage" "getpriority" "setpriority" "ioprio_get"
    "ioprio_set" "sched_yield" "sched_getaffinity" "sched_setaffinity" "sched_getparam" "sched_setparam"
    "sched_getscheduler" "sched_setscheduler" "sched_get_priority_max" "sched_get_priority_min"
    "sched_rr_get_interval" "sched_getattr" "sched_setattr" "getcpu" "prctl" "seccomp" "landlock_create_ruleset"
    "landlock_add_rule" "landlock_restrict_self"
};

const WAITING: &[SyscallGrant] = each! { "waits and clocks":
    "poll" "ppoll" "select" "pselect6" "epoll_create" "epoll_create1" "epoll_ctl" "epoll_wait" "epoll_pwait"
    "epoll_pwait2" "eventfd" "eventfd2" "signalfd" "signalfd4" "timerfd_create" "timerfd_settime" "timerfd_gettime"
    "timer_create" "timer_settime" "timer_gettime" "timer_getoverrun" "timer_delete" "futex" "futex_waitv" "pause"
    "nanosleep" "clock_gettime" "clock_getres" "clock_nanosleep" "gettimeofday" "time" "times" "alarm" "getitimer"
    "setitimer"
};

const IDENTITY: &[SyscallGrant] = each! { "who and where it is; it has one account and no capability":
    "getuid" "geteuid" "getgid" "getegid" "getresuid" "getresgid" "getgroups" "setuid" "setgid" "setreuid"
    "setregid" "setresuid" "setresgid" "setgroups" "setfsuid" "setfsgid" "capget" "capset" "uname" "sysinfo"
};

const SOCKETS: &[SyscallGrant] = each! { "sockets that exist: by family above, in its own empty network namespace":
    "socketpair" "connect" "bind" "listen" "accept" "accept4" "getsockname" "getpeername" "setsockopt" "getsockopt"
    "sendto" "recvfrom" "sendmsg" "recvmsg" "sendmmsg" "recvmmsg" "shutdown"
};

const IPC: &[SyscallGrant] = each! { "System V and POSIX IPC in its own namespace":
    "shmget" "shmat" "shmdt" "shmctl" "semget" "semop" "semtimedop" "semctl" "msgget" "msgsnd" "msgrcv" "msgctl"
    "mq_open" "mq_unlink" "mq_timedsend" "mq_timedreceive" "mq_notify" "mq_getsetattr"
};
