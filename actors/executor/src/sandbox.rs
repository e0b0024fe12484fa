//! One sandbox: its init, process 1 of its own process-id namespace, and the one command below it. It makes itself, waits
//! for its request, is used once, and ends.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, chdir, sethostname, setsid};
use schema::codec;
use schema::tool::{Admitted, Limit};
use seccompiler::BpfProgram;

use crate::command::Surroundings;
use crate::ended_by::ended_by;
use crate::image::{Digest, Root};
use crate::layer::Room;
use crate::limits::{PAYLOAD_BYTES, TMP_BYTES, TMP_INODES};
use crate::notify::Resolver;
use crate::record::{Ask, End, Operation};
use crate::stage::{INSIDE_ID, map_ids};
use crate::step::{At, Failure, Step};
use crate::{confine, files, filter, layer, line, narrow, notify, sys, terminal};

/// The namespaces of a sandbox, all its own.
pub const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// What a sandbox is to do, and what it does it with.
pub struct Work<'a> {
    /// Number of the action.
    pub action: u64,
    /// Lines and columns of its pseudo-terminal, if it is to have one.
    pub terminal: (u16, u16),
    /// What for.
    pub operation: Operation,
    /// Bytes of the call in the payload's pipe.
    pub payload_bytes: u32,
    /// RLIMIT_CPU, seconds.
    pub cpu_s: u32,
    /// The image that is the root, by its digest.
    pub image: Option<Digest>,
    /// The payload's pipe.
    pub payload: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// Where what it changed is handed out.
    pub layer: OwnedFd,
    /// To the maker: the end is told on it.
    pub line: &'a OwnedFd,
    /// The filter that is installed last.
    pub filter: &'a BpfProgram,
    /// Directories beside the workspace that may be changed.
    pub writable: &'a [OsString],
}

/// The whole life of an init, in the child of the clone. When it ends, the kernel ends every other process of the
/// sandbox.
pub fn init(line: &OwnedFd, filter: &BpfProgram) -> ! {
    const LINE: RawFd = 3;
    let own = sys::copy_to(line.as_raw_fd(), LINE, true).and_then(|()| sys::close_from(LINE + 1));
    if own.is_ok() {
        let line = sys::own(LINE);
        match live(&line, filter) {
            Ok(Some(end)) => report(line.as_fd(), end),
            // The maker is gone.
            Ok(None) => {}
            Err(failure) => report(line.as_fd(), End::Failed(failure)),
        }
    }
    sys::exit_now(0)
}

/// A child that failed before its command says so too, and before its init: the maker takes the first record.
fn report(to: BorrowedFd<'_>, end: End) {
    // An error here means that the maker is gone, and so is who would hear of it.
    let _ = nix::unistd::write(to, &end.to_bytes());
}

fn live(line: &OwnedFd, filter: &BpfProgram) -> Result<Option<End>, Failure> {
    let (room, resolver) = prepare()?;
    let Some((ask, descriptors)) = line::receive(line) else { return Ok(None) };
    let malformed = Failure::new(Step::Payload, libc::EINVAL);
    let Ask::Run { action, operation, payload_bytes, cpu_s, image, terminal } = ask else { return Err(malformed) };
    let Ok([payload, stdout, stderr, layer]) = <[OwnedFd; 4]>::try_from(descriptors) else { return Err(malformed) };
    // Directories beside the workspace go on changing while a command is in the background.
    let writable = &if operation == Operation::Background { Vec::new() } else { room.names() };
    let work = Work {
        action,
        terminal,
        operation,
        payload_bytes,
        cpu_s,
        image,
        payload,
        stdout,
        stderr,
        layer,
        line,
        filter,
        writable,
    };
    run(&work, &room, resolver).map(Some)
}

/// All that needs no request.
fn prepare() -> Result<(Room, Resolver), Failure> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).at(Step::Namespaces)?;
    map_ids(INSIDE_ID, INSIDE_ID).at(Step::IdMaps)?;
    sys::loopback_up().at(Step::Loopback)?;
    sethostname("sandbox").at(Step::HostName)?;
    let room = layer::room()?;
    mounts()?;
    clocks()?;
    setsid().at(Step::Namespaces)?;
    Ok((room, Resolver::bind()?))
}

/// Clocks that start with the sandbox, for what runs below this process: how long the host has been up is its own affair.
fn clocks() -> Result<(), Failure> {
    match unshare(CloneFlags::from_bits_retain(libc::CLONE_NEWTIME)) {
        Ok(()) => {}
        // A kernel without time namespaces.
        Err(Errno::EINVAL) => return Ok(()),
        Err(errno) => return Err(Failure::new(Step::Clocks, errno as i32)),
    }
    let now = |clock| clock_gettime(clock).map(|time| time.tv_sec()).at(Step::Clocks);
    let (monotonic, boottime) = (now(ClockId::CLOCK_MONOTONIC)?, now(ClockId::CLOCK_BOOTTIME)?);
    fs::write("/proc/self/timens_offsets", format!("monotonic -{monotonic} 0\nboottime -{boottime} 0\n"))
        .at(Step::Clocks)
}

/// From the request to the end of the command and of everything that it left behind.
fn run(work: &Work<'_>, room: &Room, resolver: Resolver) -> Result<End, Failure> {
    let call = call(work)?;
    match work.operation {
        Operation::Command | Operation::Change => layer::cover(room)?,
        Operation::Look => layer::cover_beside(room)?,
        Operation::Background => {
            layer::over_copy(room, work.action)?;
            layer::cover_workspace(room)?;
            layer::cover_beside(room)?;
        }
    }
    if has_terminal(work) {
        terminal::mount_own()?;
    }
    if let Admitted::RunCommand { paths, .. } = &call {
        narrow::narrow(paths)?;
    }
    // Not before: an overlay takes no layer of a mount that nothing leads to any more.
    let root = Root::enter(work.image.as_ref())?;
    chdir(layer::WORKSPACE).at(Step::WorkingDirectory)?;
    sys::drop_capabilities().at(Step::Capabilities)?;
    // Nobody inside may look into this process or open its descriptors through /proc.
    sys::prctl(libc::PR_SET_DUMPABLE, 0).at(Step::Capabilities)?;
    filter::install(work.filter).map_err(|errno| Failure::new(Step::Filter, errno))?;
    confine::limit(work.cpu_s)?;
    match notify::fork()? {
        notify::Side::Child(watched) => child(work, &root, watched.map(|()| &call)),
        notify::Side::Parent(watched) => {
            let confine = || confined(work, &root);
            let (end, more_hosts) = notify::attend(watched, resolver, &confine, &|host| tell(work, host));
            end_the_rest()?;
            if work.operation.changes() {
                hand_out(work, room, more_hosts, ended_by(end, room))?;
            }
            Ok(end)
        }
    }
}

/// Ends every process but this one, and waits until they are gone.
fn end_the_rest() -> Result<(), Failure> {
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        // Nobody is left.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(Failure::new(Step::Layer, errno as i32)),
    }
    while !matches!(waitpid(None, None), Err(Errno::ECHILD)) {}
    Ok(())
}

/// Says whom it tries to reach, at once: it may be killed before it hands out anything.
fn tell(work: &Work<'_>, host: Option<&str>) {
    if work.operation.changes()
        && let Ok(mut layer) = work.layer.try_clone().map(File::from)
    {
        notify::said::host(&mut layer, host);
    }
}

fn hand_out(work: &Work<'_>, room: &Room, more_hosts: u64, ended_by: Option<Limit>) -> Result<(), Failure> {
    let [mut layer, mut stderr] = [&work.layer, &work.stderr].map(|fd| fd.try_clone().map(File::from));
    let (Ok(layer), Ok(stderr)) = (layer.as_mut(), stderr.as_mut()) else {
        return Err(Failure::new(Step::HandOut, 0));
    };
    notify::said::last(layer, more_hosts, ended_by).at(Step::HandOut)?;
    layer::hand_out(room, layer, stderr)
}

fn has_terminal(work: &Work<'_>) -> bool {
    work.operation == Operation::Background && work.terminal != (0, 0)
}

fn mounts() -> Result<(), Failure> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, Some("hidepid=invisible")).at(Step::Proc)?;
    for name in
        ["/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/kallsyms", "/proc/sysrq-trigger"]
    {
        mask(name)?;
    }
    let options = format!("size={TMP_BYTES},nr_inodes={TMP_INODES},mode=1777");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmp"), "/tmp", Some("tmpfs"), flags, Some(options.as_str())).at(Step::Tmp)
}

/// Covers a file of /proc with the null device; one that this kernel does not have needs no cover.
fn mask(name: &str) -> Result<(), Failure> {
    match mount(Some("/dev/null"), name, None::<&str>, MsFlags::MS_BIND, None::<&str>) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Failure::new(Step::Proc, errno as i32)),
    }
}

/// The command's process: never returns.
fn child(work: &Work<'_>, root: &Root, call: Result<&Admitted, Failure>) -> ! {
    let mut end = work.line.as_raw_fd();
    let status = match call.and_then(|call| start(work, root, call, &mut end)) {
        Ok(status) => status,
        Err(failure) => {
            report(sys::borrow(end), End::Failed(failure));
            127
        }
    };
    sys::exit_now(status)
}

/// Leaves it the files that are its own.
fn confined(work: &Work<'_>, root: &Root) -> Result<(), Failure> {
    match work.operation {
        Operation::Command | Operation::Background => root.landlock(work.writable, has_terminal(work)),
        Operation::Look | Operation::Change => confine::landlock_workspace(work.writable),
    }
}

fn start(work: &Work<'_>, root: &Root, call: &Admitted, end: &mut RawFd) -> Result<i32, Failure> {
    // Not before: the first process hands out the layer, which no rule of the command's reaches.
    confined(work, root)?;
    sys::default_signals();
    *end = descriptors(work)?;
    match (work.operation, call) {
        (Operation::Command, Admitted::RunCommand { command, .. }) => {
            Err(root.exec(command.as_bytes(), Surroundings::Pipes))
        }
        (Operation::Background, Admitted::Start { command, .. }) if has_terminal(work) => {
            terminal::run(root, command.as_bytes(), work.terminal, *end)
        }
        (Operation::Background, Admitted::Start { command, .. }) => {
            Err(root.exec(command.as_bytes(), Surroundings::Pipes))
        }
        (Operation::Command | Operation::Background, _) => Err(Failure::new(Step::Payload, libc::EINVAL)),
        (Operation::Look | Operation::Change, call) => Ok(files::run(call)),
    }
}

/// What is to be done.
fn call(work: &Work<'_>) -> Result<Admitted, Failure> {
    let mut bytes = vec![0; work.payload_bytes as usize];
    let mut pipe = File::from(work.payload.try_clone().at(Step::Payload)?);
    pipe.read_exact(&mut bytes).at(Step::Payload)?;
    codec::decode(&bytes, PAYLOAD_BYTES).map_err(|_| Failure::new(Step::Payload, libc::EINVAL))
}

/// 0 to 2 as a program expects them, and nothing else but the line for the end, which exec closes.
fn descriptors(work: &Work<'_>) -> Result<RawFd, Failure> {
    let input = match work.operation {
        Operation::Command => File::open("/dev/null").at(Step::Descriptors)?.into(),
        Operation::Look | Operation::Change | Operation::Background => {
            work.payload.try_clone().at(Step::Descriptors)?
        }
    };
    const FIRST_FREE: RawFd = 16;
    let lifted: Result<Vec<RawFd>, nix::Error> = [&input, &work.stdout, &work.stderr, work.line]
        .into_iter()
        .map(|fd| sys::lift(fd.as_raw_fd(), FIRST_FREE))
        .collect();
    for (to, from) in (0..).zip(lifted.at(Step::Descriptors)?) {
        sys::copy_to(from, to, to == 3).at(Step::Descriptors)?;
    }
    sys::close_from(4).at(Step::Descriptors)?;
    std::mem::forget(input);
    Ok(3)
}

/// A line of the maker's log.
pub fn say(text: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "maker: {text}"));
}
