//! Real objects of every kind for an attempt to be made on.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};

use super::make_parents;
use crate::attempts::{Attempt, Target, sockets};
use crate::given::{Given, place_bytes};
use crate::sys;

/// What stands for the host's root directory of the service, and for the root of a role.
pub const ROOT: &str = "/tmp/service";
const INSIDE: &str = "/tmp";
/// A file that the control has open.
const LOG: &str = "/tmp/log";
const ABSTRACT: &str = "chela-hostile-control";

fn tcp() -> io::Result<RawFd> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None)?;
    Ok(fd.into_raw_fd())
}

/// Brings the loopback of a fresh network namespace up.
pub fn loopback() -> io::Result<()> {
    sys::loopback_up(tcp()?)
}

/// A descriptor, kept until the process ends; -1 where there is no such object.
fn kept<F: IntoRawFd>(object: io::Result<F>) -> RawFd {
    object.map_or(-1, IntoRawFd::into_raw_fd)
}

/// What anybody can make who may make sockets.
pub fn common() -> io::Result<Given> {
    let mut given = Given::only(-1);
    let (here, there) = UnixStream::pair()?;
    sys::call(libc::SYS_sendmsg, sockets::passing(there.as_raw_fd()));
    given.stream = here.into_raw_fd();
    // Its end would be the stream's.
    let _kept = there.into_raw_fd();
    given.tcp = tcp()?;
    given.bound = tcp()?;
    bind(given.bound, &SockaddrIn::new(127, 0, 0, 1, 0))?;
    given.listener = listener()?.0;
    given.unix = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?.into_raw_fd();
    Ok(given)
}

/// A listening socket at which a connection waits, and its port.
fn listener() -> io::Result<(RawFd, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let _kept = TcpStream::connect(("127.0.0.1", port))?.into_raw_fd();
    Ok((listener.into_raw_fd(), port))
}

/// What root has: files of every kind in a file system of its own, and somebody to connect to.
pub fn for_control(given: &mut Given, attempt: &Attempt) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
    mount(Some("control"), INSIDE, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    std::env::set_current_dir(INSIDE)?;
    given.inside = INSIDE.into();
    given.aim(attempt.target);
    if matches!(attempt.target, Target::Root(_) | Target::Inside(_)) {
        make_target(&given.path.to_string_lossy(), attempt.name)?;
    }
    fs::write(LOG, "x")?;
    // Not to write: a mount in which somebody writes can't be made read-only.
    given.log = kept(File::open(LOG));
    given.terminal = kept(File::options().read(true).write(true).open("/dev/ptmx"));
    given.namespace = kept(File::open("/proc/self/ns/uts"));
    given.port = listener()?.1;
    let _kept = kept(SocketAddr::from_abstract_name(ABSTRACT).and_then(|name| UnixListener::bind_addr(&name)));
    given.abstract_name = ABSTRACT.into();
    let [victim, here] = [given.victim, libc::AT_FDCWD].map(|number| i64::from(number) as u64);
    given.pidfd = sys::raw(libc::SYS_pidfd_open, [victim, 0, 0, 0, 0, 0]) as RawFd;
    let copy = [here, place_bytes(b".\0"), 1, 0, 0, 0];
    given.mount = sys::raw(libc::SYS_open_tree, copy) as RawFd;
    Ok(())
}

/// A directory to be listed, a file, or the directory in which one can be made.
fn make_target(path: &str, attempt: &str) -> io::Result<()> {
    if attempt.starts_with("list_") {
        return fs::create_dir_all(path);
    }
    make_parents(path)?;
    match path.ends_with("/fresh") {
        true => Ok(()),
        false => fs::write(path, "x"),
    }
}

/// What a command in a sandbox has: no other process, and nobody of the host to connect to.
pub fn for_sandbox(given: &mut Given, attempt: &Attempt) -> io::Result<()> {
    given.aim(attempt.target);
    given.log = kept(File::open("/bin/sh"));
    given.terminal = kept(File::open("/dev/tty"));
    given.namespace = kept(File::open("/proc/self/ns/uts"));
    Ok(())
}
