//! Groups of system calls that several rows share, and the rules on arguments that they use.

use crate::fd;
use crate::grant::{ArgRule, ArgTest, Descriptor, DescriptorKind, Namespace, SyscallAnswer, SyscallGrant, Width};

/// A grant of any arguments.
pub const fn any(name: &'static str, why: &'static str) -> SyscallGrant {
    SyscallGrant { name, args: &[], why }
}

/// A grant under conditions.
pub const fn only(name: &'static str, args: &'static [ArgRule], why: &'static str) -> SyscallGrant {
    SyscallGrant { name, args, why }
}

/// The low half of argument `arg` equals `value`.
pub const fn is(arg: u8, value: u64) -> ArgRule {
    ArgRule { arg, width: Width::Low32, test: ArgTest::Is(value) }
}

/// No bit of `bits` is set in the low half of argument `arg`.
pub const fn lacks(arg: u8, bits: u64) -> ArgRule {
    ArgRule { arg, width: Width::Low32, test: ArgTest::Masked { mask: bits, value: 0 } }
}

/// All of `bits`, and of `mask` nothing else, are set in the low half of argument `arg`.
pub const fn masked(arg: u8, mask: u64, bits: u64) -> ArgRule {
    ArgRule { arg, width: Width::Low32, test: ArgTest::Masked { mask, value: bits } }
}

// Numbers from the kernel's uapi headers for x86-64.
const PROT_EXEC: u64 = 0x4;
const FIONBIO: u64 = 0x5421;
/// MSG_FASTOPEN, which would connect without `connect`.
const MSG_FASTOPEN: u64 = 0x2000_0000;
const F_GETFD: u64 = 1;
const F_SETFD: u64 = 2;
const F_GETFL: u64 = 3;
const F_DUPFD_CLOEXEC: u64 = 1030;
const PR_SET_NAME: u64 = 15;
const CLONE_NAMESPACES: u64 = 0x7e02_0080;
const CLONE_THREAD: u64 = 0x0001_0000;
const CLONE_VM: u64 = 0x0000_0100;
/// ENOSYS, EPERM: what [`SyscallAnswer`] rows use.
pub const ENOSYS: i32 = 38;
/// Operation not permitted.
pub const EPERM: i32 = 1;

/// The lines that every role but the supervisor starts with.
pub const LINE_AND_CONTROL: &[Descriptor] = &[
    Descriptor { number: Some(fd::LINE), what: DescriptorKind::Line, why: "says it is sealed, receives its edge" },
    Descriptor { number: Some(fd::CONTROL), what: DescriptorKind::Control, why: "heartbeats and orderly stop" },
    Descriptor { number: None, what: DescriptorKind::Edge, why: "its edge to the gate, given once it is sealed" },
];

/// All namespaces: what every role but the connector has.
pub const SEALED_OFF: &[Namespace] =
    &[Namespace::Mount, Namespace::Pid, Namespace::Network, Namespace::Ipc, Namespace::Uts];

/// What every process needs to live, log and end.
pub const LIFE: &[SyscallGrant] = &[
    any("read", "reads from descriptors it holds"),
    any("write", "writes to descriptors it holds"),
    any("readv", "as read, several buffers"),
    any("writev", "as write, several buffers"),
    any("close", "closes descriptors"),
    any("brk", "heap"),
    only("mmap", &[lacks(2, PROT_EXEC)], "heap; never executable memory"),
    only("mprotect", &[lacks(2, PROT_EXEC)], "guard pages; never executable memory"),
    any("munmap", "heap"),
    any("mremap", "heap"),
    any("madvise", "returns heap pages"),
    any("futex", "locks"),
    any("clock_gettime", "time, where the vDSO can't tell"),
    any("clock_nanosleep", "waits"),
    any("getrandom", "hash seeds and random bytes"),
    any("getpid", "its own number"),
    any("gettid", "its own number"),
    any("sched_yield", "locks"),
    any("rt_sigaction", "signal handlers"),
    any("rt_sigprocmask", "signal masks"),
    any("rt_sigreturn", "returns from signal handlers"),
    any("sigaltstack", "stack-overflow handler"),
    any("restart_syscall", "resumes after a stop"),
    any("rseq", "registration by the C library"),
    any("set_robust_list", "registration by the C library"),
    any("exit", "ends a thread"),
    any("exit_group", "ends"),
];

/// What an asynchronous runtime needs on sockets that are there already.
pub const RUNTIME: &[SyscallGrant] = &[
    any("epoll_create1", "the runtime's event queue"),
    any("epoll_ctl", "the runtime's event queue"),
    any("epoll_wait", "the runtime's event queue"),
    any("epoll_pwait", "the runtime's event queue"),
    any("epoll_pwait2", "the runtime's event queue"),
    any("eventfd2", "wakes the runtime"),
    any("poll", "waits for one descriptor"),
    any("recvfrom", "receives on sockets it holds; cannot receive descriptors"),
    only("sendto", &[lacks(3, MSG_FASTOPEN)], "sends on sockets it holds; cannot send descriptors"),
    only("recvmsg", &[is(0, fd::LINE as u64)], "descriptors arrive on the launcher line and nowhere else"),
    any("shutdown", "closes one direction of a socket"),
    any("getsockopt", "errors of a socket it holds"),
    only("ioctl", &[is(1, FIONBIO)], "non-blocking mode; no other request"),
    only("fcntl", &[is(1, F_GETFD)], "whether a descriptor is open"),
    only("fcntl", &[is(1, F_SETFD)], "closes a descriptor on exec"),
    only("fcntl", &[is(1, F_GETFL)], "how a descriptor was opened"),
    only("fcntl", &[is(1, F_DUPFD_CLOEXEC)], "a copy of a descriptor it holds"),
    any("fstat", "kind and size of descriptors it holds"),
];

/// Threads of its own, never processes: `clone` with the thread flags and without any namespace.
pub const THREADS: &[SyscallGrant] = &[
    only(
        "clone",
        &[masked(0, CLONE_NAMESPACES | CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM)],
        "threads; neither processes nor namespaces",
    ),
    any("sched_getaffinity", "how many processors there are"),
    only("prctl", &[is(0, PR_SET_NAME)], "names of threads, and nothing else that prctl can do"),
];

/// Files in the directories that the row grants; Landlock says which.
pub const FILES_READ: &[SyscallGrant] = &[
    any("openat", "opens what the row's files allow"),
    any("lseek", "position in a file"),
    any("pread64", "reads at a position"),
    any("statx", "metadata"),
    any("newfstatat", "metadata"),
    any("getdents64", "lists directories"),
    any("readlink", "resolves links"),
    any("readlinkat", "resolves links"),
];

/// The C library asks for `clone3` first and falls back to `clone`, whose flags a filter can see.
pub const NO_CLONE3: SyscallAnswer = SyscallAnswer {
    name: "clone3",
    errno: ENOSYS,
    why: "its flags lie in memory, where no filter sees them; the C library then uses clone",
};
