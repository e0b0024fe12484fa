//! The system calls that need `unsafe`. Nothing here decides anything.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;

/// Which side of a fork this is.
pub enum Side {
    /// The new process.
    Child,
    /// The old one, with the child's number.
    Parent(Pid),
}

/// Forks. The caller has one thread only (checked by [`single_threaded`]).
pub fn fork() -> nix::Result<Side> {
    // SAFETY: the process has one thread, so the child may do whatever the parent could.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(Side::Child),
        nix::unistd::ForkResult::Parent { child } => Ok(Side::Parent(child)),
    }
}

/// Whether the process has exactly one thread.
pub fn single_threaded() -> io::Result<bool> {
    Ok(std::fs::read_dir("/proc/self/task")?.count() == 1)
}

/// As [`fork`], in new namespaces; the parent also gets a descriptor of the child.
pub fn clone_into(namespaces: libc::c_int) -> nix::Result<(Side, Option<OwnedFd>)> {
    let mut pidfd: RawFd = -1;
    let flags = (namespaces | libc::CLONE_PIDFD | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: no CLONE_VM, so the child has its own copy of this memory and stack (0: the same address); the third
    // argument points to a live i32 that the kernel fills.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0usize, &raw mut pidfd, 0usize, 0usize) };
    match Errno::result(result)? {
        0 => Ok((Side::Child, None)),
        child => {
            // SAFETY: CLONE_PIDFD stored a descriptor that nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok((Side::Parent(Pid::from_raw(child as i32)), Some(pidfd)))
        }
    }
}

/// Sends SIGKILL to the process behind the descriptor.
pub fn kill(pidfd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: plain numbers and a null pointer, which means: as kill(2) would.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0u32,
        )
    };
    Errno::result(result).map(drop)
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: RawFd) -> nix::Result<()> {
    // SAFETY: only called where everything above is either unused from here on or belongs to another process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first as u32, u32::MAX, 0u32) };
    Errno::result(result).map(drop)
}

/// Makes `to` a copy of `from`, without close-on-exec unless asked.
pub fn copy_to(from: RawFd, to: RawFd, close_on_exec: bool) -> nix::Result<()> {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    if from == to {
        // SAFETY: fcntl with a number.
        let result = unsafe { libc::fcntl(to, libc::F_SETFD, i32::from(close_on_exec)) };
        return Errno::result(result).map(drop);
    }
    // SAFETY: plain numbers; whoever owns `to` is told by the caller.
    Errno::result(unsafe { libc::dup3(from, to, flags) }).map(drop)
}

/// Moves the descriptor to a number of at least `least`, so that copies to low numbers don't overwrite it.
pub fn lift(fd: RawFd, least: RawFd) -> nix::Result<RawFd> {
    // SAFETY: fcntl with a number.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) })
}

/// Takes ownership of an inherited or received descriptor.
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers pass numbers that the kernel just handed to this process.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Registers a descriptor with the running runtime.
pub fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the OwnedFd is valid and moves into the AsyncFd, which gives it out by reference only.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

/// Borrows a descriptor known by number.
pub fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the callers use numbers of descriptors that stay open until the process ends.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// prctl with one argument.
pub fn prctl(option: libc::c_int, argument: libc::c_ulong) -> nix::Result<()> {
    // SAFETY: the options used here take numbers only; unused arguments are zero as some of them ask.
    let result = unsafe { libc::prctl(option, argument, 0usize, 0usize, 0usize) };
    Errno::result(result).map(drop)
}

/// Empties the bounding set: no program that is run gains a capability.
pub fn drop_bounding_set() -> nix::Result<()> {
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            Err(Errno::EINVAL) => break,
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// Empties the ambient set, then permitted, effective and inheritable.
pub fn drop_capabilities() -> nix::Result<()> {
    // SAFETY: as in `prctl`.
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0usize, 0usize, 0usize) };
    Errno::result(result)?;
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    let none = [0u32; 6];
    // SAFETY: header and data have the layout and size of version 3 and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Brings up the loopback interface of the current network namespace.
pub fn loopback_up() -> nix::Result<()> {
    // SAFETY: plain numbers.
    let socket = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    let socket = own(socket);
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which lives here.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request) };
    Errno::result(result).map(drop)
}

/// Makes a new pseudo-terminal usable; its number.
pub fn unlock_terminal(master: BorrowedFd<'_>) -> nix::Result<u32> {
    let (unlocked, mut number): (libc::c_int, libc::c_uint) = (0, 0);
    // SAFETY: TIOCSPTLCK reads an int, which lives here.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK as _, &raw const unlocked) };
    Errno::result(result)?;
    // SAFETY: TIOCGPTN writes an unsigned int, which lives here.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN as _, &raw mut number) };
    Errno::result(result).map(|_| number)
}

/// Sets the size of a terminal.
pub fn set_terminal_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> nix::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a winsize, which lives here.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) };
    Errno::result(result).map(drop)
}

/// Makes it the terminal of the caller's new session.
pub fn control_terminal(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: TIOCSCTTY takes a number.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) };
    Errno::result(result).map(drop)
}

/// A descriptor of a child, readable once it has ended.
pub fn pidfd_open(child: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: plain numbers.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0u32) };
    Errno::result(result).map(|fd| own(fd as RawFd))
}

/// Every signal to its default action, none blocked: what a program expects to start with.
pub fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid action; numbers that can't be set fail harmlessly.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an empty set, made by sigemptyset, and no old set.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ends the process at once: no destructor, no buffer of the parent's is flushed twice.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// openat2(2).
pub fn openat2(dir: BorrowedFd<'_>, path: &CStr, flags: libc::c_int, mode: u32, resolve: u64) -> nix::Result<OwnedFd> {
    // The kernel's `struct open_how`: flags, mode, resolve.
    let how: [u64; 3] = [flags as u32 as u64, u64::from(mode), resolve];
    // SAFETY: path ends with a zero; `how` has the size that is passed.
    let result = unsafe {
        libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), path.as_ptr(), how.as_ptr(), std::mem::size_of_val(&how))
    };
    Errno::result(result).map(|fd| own(fd as RawFd))
}
