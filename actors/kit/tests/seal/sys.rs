//! The attempts: system calls as an attacker would make them, without the C library's help where it would get in the way.
#![allow(unsafe_code)]

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, UnixAddr};

const ABSTRACT: &[u8] = b"chela-kit-test";

fn call(number: libc::c_long, args: [u64; 6]) -> nix::Result<()> {
    // SAFETY: every caller passes null, valid pointers or plain numbers; at worst the call fails or kills this process,
    // which exists for that.
    let done = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    Errno::result(done).map(drop)
}

fn plain(number: libc::c_long) -> nix::Result<()> {
    call(number, [0; 6])
}

/// Runs a check in a forked child; a panic there is a failure here. This program has one thread.
pub fn in_child(check: fn()) {
    // SAFETY: one thread, so the child may do anything.
    match unsafe { nix::unistd::fork() } {
        Ok(nix::unistd::ForkResult::Child) => {
            check();
            // SAFETY: ends the child without running the parent's handlers.
            unsafe { libc::_exit(0) }
        }
        Ok(nix::unistd::ForkResult::Parent { child }) => {
            let status = nix::sys::wait::waitpid(child, None).unwrap();
            assert_eq!(status, nix::sys::wait::WaitStatus::Exited(child, 0));
        }
        Err(errno) => panic!("fork: {errno}"),
    }
}

/// The null device as descriptor 3, so that a call on it fails as on no socket rather than on nothing.
pub fn null_device_as_line() {
    // SAFETY: a literal path and plain numbers.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        libc::dup2(null, 3);
    }
}

pub fn listen_abstract() -> nix::Result<OwnedFd> {
    let kind = SockType::Stream;
    let fd = socket::socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?;
    socket::bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new_abstract(ABSTRACT)?)?;
    socket::listen(&fd, socket::Backlog::new(4)?)?;
    Ok(fd)
}

pub fn write_log() -> nix::Result<()> {
    nix::unistd::write(std::io::stderr(), b"").map(drop)
}

pub fn getppid() -> nix::Result<()> {
    plain(libc::SYS_getppid)
}

fn open(path: &'static std::ffi::CStr, flags: i32) -> nix::Result<()> {
    let at = libc::AT_FDCWD as u64;
    call(libc::SYS_openat, [at, path.as_ptr() as u64, flags as u64, 0o600, 0, 0])
}

pub fn open_passwd() -> nix::Result<()> {
    open(c"/etc/passwd", libc::O_RDONLY)
}

pub fn write_passwd() -> nix::Result<()> {
    open(c"/etc/passwd", libc::O_WRONLY)
}

pub fn open_shadow() -> nix::Result<()> {
    open(c"/etc/shadow", libc::O_RDONLY)
}

pub fn open_root() -> nix::Result<()> {
    open(c"/", libc::O_RDONLY | libc::O_DIRECTORY)
}

pub fn open_usr() -> nix::Result<()> {
    open(c"/usr", libc::O_RDONLY | libc::O_DIRECTORY)
}

const MADE: &std::ffi::CStr = c"/run/chela-kit-seal-test";

pub fn make_file() -> nix::Result<()> {
    open(MADE, libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC)?;
    call(libc::SYS_unlink, [MADE.as_ptr() as u64, 0, 0, 0, 0, 0])
}

pub fn exec_run() -> nix::Result<()> {
    let path = c"/usr/bin/true";
    call(libc::SYS_execve, [path.as_ptr() as u64, 0, 0, 0, 0, 0])
}

fn socket(family: i32, kind: i32, protocol: i32) -> nix::Result<()> {
    call(libc::SYS_socket, [family as u64, kind as u64, protocol as u64, 0, 0, 0])
}

pub fn socket_tcp() -> nix::Result<()> {
    socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)
}

pub fn socket_udp() -> nix::Result<()> {
    socket(libc::AF_INET6, libc::SOCK_DGRAM, 0)
}

pub fn socket_mptcp() -> nix::Result<()> {
    socket(libc::AF_INET, libc::SOCK_STREAM, 262)
}

pub fn socket_raw() -> nix::Result<()> {
    socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)
}

pub fn socket_unix() -> nix::Result<()> {
    socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)
}

pub fn socket_netlink() -> nix::Result<()> {
    socket(libc::AF_NETLINK, libc::SOCK_RAW, 0)
}

fn tcp() -> nix::Result<OwnedFd> {
    socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None)
}

pub fn bind_tcp() -> nix::Result<()> {
    let fd = tcp()?;
    socket::bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::new(127, 0, 0, 1, 0))
}

/// Only where `socket` is allowed and `bind` is answered.
pub fn bind_tcp_answered() -> nix::Result<()> {
    bind_tcp()
}

pub fn connect_tcp() -> nix::Result<()> {
    let fd = tcp()?;
    socket::connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::new(127, 0, 0, 1, 1))
}

pub fn listen() -> nix::Result<()> {
    call(libc::SYS_listen, [3, 1, 0, 0, 0, 0])
}

pub fn fastopen_connect() -> nix::Result<()> {
    const TCP_FASTOPEN_CONNECT: u64 = 30;
    call(libc::SYS_setsockopt, [3, libc::IPPROTO_TCP as u64, TCP_FASTOPEN_CONNECT, 0, 0, 0])
}

pub fn connect_abstract() -> nix::Result<()> {
    let kind = SockType::Stream;
    let fd = socket::socket(AddressFamily::Unix, kind, SockFlag::empty(), None)?;
    socket::connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new_abstract(ABSTRACT)?)
}

pub fn signal_parent() -> nix::Result<()> {
    nix::sys::signal::kill(nix::unistd::getppid(), None)
}

pub fn executable_memory() -> nix::Result<()> {
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call(libc::SYS_mmap, [0, 4096, protection as u64, flags as u64, u64::MAX, 0])
}

pub fn fork() -> nix::Result<()> {
    call(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0])
}

pub fn clone_namespace() -> nix::Result<()> {
    let flags = libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_NEWUSER;
    call(libc::SYS_clone, [flags as u64, 0, 0, 0, 0, 0])
}

pub fn clone3() -> nix::Result<()> {
    plain(libc::SYS_clone3)
}

pub fn thread() -> nix::Result<()> {
    match std::thread::Builder::new().spawn(|| {}) {
        Ok(thread) => thread.join().map_err(|_| Errno::ECHILD),
        Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(255))),
    }
}

pub fn sendmsg() -> nix::Result<()> {
    plain(libc::SYS_sendmsg)
}

pub fn recvmsg_line() -> nix::Result<()> {
    let mut message: libc::msghdr = zeroed();
    call(libc::SYS_recvmsg, [3, &raw mut message as u64, 0, 0, 0, 0])
}

pub fn recvmsg_other() -> nix::Result<()> {
    let mut message: libc::msghdr = zeroed();
    call(libc::SYS_recvmsg, [4, &raw mut message as u64, 0, 0, 0, 0])
}

pub fn recvmmsg_other() -> nix::Result<()> {
    plain(libc::SYS_recvmmsg)
}

fn zeroed() -> libc::msghdr {
    // SAFETY: all of a msghdr may be zero.
    unsafe { std::mem::zeroed() }
}

pub fn sendto_fastopen() -> nix::Result<()> {
    call(libc::SYS_sendto, [3, 0, 0, libc::MSG_FASTOPEN as u64, 0, 0])
}

pub fn ioctl_tiocsti() -> nix::Result<()> {
    call(libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0])
}

pub fn set_dumpable() -> nix::Result<()> {
    call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 1, 0, 0, 0, 0])
}

pub fn seccomp() -> nix::Result<()> {
    plain(libc::SYS_seccomp)
}

pub fn io_uring() -> nix::Result<()> {
    plain(libc::SYS_io_uring_setup)
}

pub fn x32_getpid() -> nix::Result<()> {
    plain(0x4000_0000 | libc::SYS_getpid)
}
