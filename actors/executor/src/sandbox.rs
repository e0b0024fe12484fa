//! One sandbox: its init, process 1 of its own process-id namespace, and the one command below it. It makes itself, waits
//! for its request, is used once, and ends.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
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

use crate::child::{self, Child, Told};
use crate::ended_by::ended_by;
use crate::image::{Digest, Root};
use crate::layer::Room;
use crate::limits::{PAYLOAD_BYTES, TMP_BYTES, TMP_INODES};
use crate::notify::Resolver;
use crate::record::{Ask, End, Operation};
use crate::stage::{INSIDE_ID, map_ids};
use crate::step::{At, Failure, Step};
use crate::{confine, filter, layer, line, narrow, notify, sys, terminal};

/// The namespaces of a sandbox, all its own.
pub const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// What a sandbox is to do, and what it does it with.
struct Work {
    ask: Ask,
    /// Number of the action.
    action: u64,
    /// Lines and columns of its pseudo-terminal, if it is to have one.
    terminal: (u16, u16),
    /// What for.
    operation: Operation,
    /// Bytes of the call in the payload's pipe.
    payload_bytes: u32,
    /// RLIMIT_CPU, seconds.
    cpu_s: u32,
    /// The image that is the root, by its digest.
    image: Option<Digest>,
    /// The payload's pipe.
    payload: OwnedFd,
    /// Standard output.
    stdout: OwnedFd,
    /// Standard error.
    stderr: OwnedFd,
    /// Where what it changed is handed out.
    layer: OwnedFd,
    /// Where its end is told.
    end: OwnedFd,
}

/// What waits for a request.
struct Prepared {
    room: Room,
    resolver: Resolver,
    child: Child,
}

/// The whole life of an init, in the child of the clone. When it ends, the kernel ends every other process of the
/// sandbox.
pub fn init(line: &OwnedFd, filter: &BpfProgram) -> ! {
    const LINE: RawFd = 3;
    let own = sys::copy_to(line.as_raw_fd(), LINE, true).and_then(|()| sys::close_from(LINE + 1));
    if own.is_ok() {
        let line = sys::own(LINE);
        match live(&line, filter) {
            // The maker first: when the executor asks for the next, there is room for it.
            Ok(Some((end, executor))) => [line.as_fd(), executor.as_fd()].into_iter().for_each(|to| report(to, end)),
            // The maker is gone.
            Ok(None) => {}
            Err(failure) => report(line.as_fd(), End::Failed(failure)),
        }
    }
    sys::exit_now(0)
}

fn report(to: BorrowedFd<'_>, end: End) {
    // An error here means that the maker is gone, and so is who would hear of it.
    let _ = nix::unistd::write(to, &end.to_bytes());
}

fn live(line: &OwnedFd, filter: &BpfProgram) -> Result<Option<(End, OwnedFd)>, Failure> {
    let prepared = prepare(filter)?;
    let Some((ask, descriptors)) = line::receive(line) else { return Ok(None) };
    let malformed = Failure::new(Step::Payload, libc::EINVAL);
    let Ask::Run { action, operation, payload_bytes, cpu_s, image, terminal, .. } = ask else { return Err(malformed) };
    let Ok([payload, stdout, stderr, layer, end]) = <[OwnedFd; 5]>::try_from(descriptors) else {
        return Err(malformed);
    };
    let work =
        Work { ask, action, terminal, operation, payload_bytes, cpu_s, image, payload, stdout, stderr, layer, end };
    run(work, prepared, filter).map(Some)
}

/// All that needs no request.
fn prepare(filter: &BpfProgram) -> Result<Prepared, Failure> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).at(Step::Namespaces)?;
    map_ids(INSIDE_ID, INSIDE_ID).at(Step::IdMaps)?;
    sys::loopback_up().at(Step::Loopback)?;
    sethostname("sandbox").at(Step::HostName)?;
    let room = layer::room()?;
    mounts()?;
    clocks()?;
    setsid().at(Step::Namespaces)?;
    let resolver = Resolver::bind()?;
    confine::limit()?;
    sys::drop_bounding_set().at(Step::Capabilities)?;
    let child = Child::fork(Some(filter), &Root::Host, &room.names())?;
    Ok(Prepared { room, resolver, child })
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
fn run(work: Work, prepared: Prepared, filter: &BpfProgram) -> Result<(End, OwnedFd), Failure> {
    let Prepared { room, resolver, child } = prepared;
    let (payload, call) = call(&work)?;
    match work.operation {
        Operation::Command | Operation::Change => layer::cover(&room)?,
        Operation::Look => layer::cover_beside(&room)?,
        Operation::Background => {
            layer::over_copy(&room, work.action)?;
            layer::cover_workspace(&room)?;
            layer::cover_beside(&room)?;
        }
    }
    if child::has_terminal(work.operation, work.terminal) {
        terminal::mount_own()?;
    }
    if let Admitted::RunCommand { paths, .. } = &call {
        narrow::narrow(paths)?;
    }
    // Not before: an overlay takes no layer of a mount that nothing leads to any more.
    let root = Root::enter(work.image.as_ref())?;
    seal(&work, filter)?;
    let child = match root {
        Root::Host => child,
        // What was prepared does not fit.
        Root::Image(_) => {
            child.dismiss();
            Child::fork(None, &root, &room.names())?
        }
    };
    let descriptors = [&work.payload, &work.stdout, &work.stderr];
    let (watched, line) = child.tell(&Told { ask: work.ask, descriptors, payload: &payload })?;
    let writable = &if work.operation == Operation::Background { Vec::new() } else { room.names() };
    let confine = || child::confined(work.operation, work.terminal, &root, writable);
    let (end, more_hosts) = notify::attend(watched, resolver, &confine, &|host| tell(&work, host));
    end_the_rest()?;
    let end = line.failure().unwrap_or(end);
    finish(work, &room, more_hosts, end).map(|executor| (end, executor))
}

/// Takes from the first process what only the mounts needed.
fn seal(work: &Work, filter: &BpfProgram) -> Result<(), Failure> {
    chdir(layer::WORKSPACE).at(Step::WorkingDirectory)?;
    sys::drop_capabilities().at(Step::Capabilities)?;
    // Nobody inside may look into this process or open its descriptors through /proc.
    sys::prctl(libc::PR_SET_DUMPABLE, 0).at(Step::Capabilities)?;
    filter::install(filter).map_err(|errno| Failure::new(Step::Filter, errno))?;
    confine::limit_cpu(work.cpu_s)
}

/// Nothing but this process is left: hands out what was changed. Where the end is to be told.
fn finish(work: Work, room: &Room, more_hosts: u64, end: End) -> Result<OwnedFd, Failure> {
    let Work { operation, payload, stdout, stderr, layer, end: to, .. } = work;
    drop((payload, stdout));
    if operation.changes() && !matches!(end, End::Failed(_)) {
        hand_out(layer, stderr, room, (more_hosts, ended_by(end, room)))?;
    }
    Ok(to)
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
fn tell(work: &Work, host: Option<&str>) {
    if work.operation.changes()
        && let Ok(mut layer) = work.layer.try_clone().map(File::from)
    {
        notify::said::host(&mut layer, host);
    }
}

fn hand_out(
    layer: OwnedFd,
    stderr: OwnedFd,
    room: &Room,
    (more_hosts, ended_by): (u64, Option<Limit>),
) -> Result<(), Failure> {
    let (mut layer, mut stderr) = (BufWriter::new(File::from(layer)), File::from(stderr));
    notify::said::last(&mut layer, more_hosts, ended_by).at(Step::HandOut)?;
    let is_bare = layer::is_bare(room)?;
    layer.write_all(&[u8::from(is_bare)]).at(Step::HandOut)?;
    if !is_bare {
        layer::hand_out(room, &mut layer, &mut stderr)?;
    }
    layer.flush().at(Step::HandOut)
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

/// What is to be done, as it came and as it is.
fn call(work: &Work) -> Result<(Vec<u8>, Admitted), Failure> {
    let mut bytes = vec![0; work.payload_bytes as usize];
    let mut pipe = File::from(work.payload.try_clone().at(Step::Payload)?);
    pipe.read_exact(&mut bytes).at(Step::Payload)?;
    let call = codec::decode(&bytes, PAYLOAD_BYTES).map_err(|_| Failure::new(Step::Payload, libc::EINVAL))?;
    Ok((bytes, call))
}

/// A line of the maker's log.
pub fn say(text: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "maker: {text}"));
}
