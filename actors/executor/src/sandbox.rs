//! One sandbox: its init, process 1 of its own process-id namespace, and the one command below it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::mount::{MsFlags, mount};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, sethostname, setsid};
use seccompiler::BpfProgram;

use crate::limits::{TMP_BYTES, TMP_INODES};
use crate::record::{End, Operation};
use crate::stage::{INSIDE_ID, map_ids};
use crate::step::{At, Failure, Step};
use crate::{command, confine, files, filter, layer, sys};

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
    /// What for.
    pub operation: Operation,
    /// Bytes of the command or path at the front of the payload's pipe.
    pub payload_bytes: u32,
    /// RLIMIT_CPU, seconds.
    pub cpu_s: u32,
    /// The payload's pipe.
    pub payload: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// Where what it changed is handed out.
    pub layer: OwnedFd,
    /// Where the end is written to.
    pub end: OwnedFd,
    /// The filter that is installed last.
    pub filter: &'a BpfProgram,
}

/// The whole life of an init, in the child of the clone. When it ends, the kernel ends every other process of the
/// sandbox.
pub fn init(work: Work<'_>) -> ! {
    let end = match run(&work) {
        Ok(end) => end,
        Err(failure) => End::Failed(failure),
    };
    report(work.end.as_fd(), end);
    sys::exit_now(0)
}

/// Written once: a child that failed before its command has been here first, and the maker takes the first record.
fn report(to: BorrowedFd<'_>, end: End) {
    // An error here means that the maker is gone, and so is who would hear of it.
    let _ = nix::unistd::write(to, &end.to_bytes());
}

fn run(work: &Work<'_>) -> Result<End, Failure> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).at(Step::Namespaces)?;
    map_ids(INSIDE_ID, INSIDE_ID).at(Step::IdMaps)?;
    sys::loopback_up().at(Step::Loopback)?;
    sethostname("sandbox").at(Step::HostName)?;
    mounts()?;
    let upper = if work.operation.changes() { Some(layer::cover()?) } else { None };
    chdir("/workspace").at(Step::WorkingDirectory)?;
    setsid().at(Step::Namespaces)?;
    sys::drop_capabilities().at(Step::Capabilities)?;
    // Nobody inside may look into this process or open its descriptors through /proc.
    sys::prctl(libc::PR_SET_DUMPABLE, 0).at(Step::Capabilities)?;
    filter::install(work.filter).map_err(|errno| Failure::new(Step::Filter, errno))?;
    confine::limit(work.cpu_s)?;
    match sys::fork().at(Step::Fork)? {
        sys::Side::Child => child(work),
        sys::Side::Parent(command) => {
            let end = reap(command);
            if let Some(upper) = upper {
                let [mut layer, mut stderr] = [&work.layer, &work.stderr].map(|fd| fd.try_clone().map(File::from));
                let (layer, stderr) = (layer.as_mut(), stderr.as_mut());
                let (Ok(layer), Ok(stderr)) = (layer, stderr) else { return Err(Failure::new(Step::HandOut, 0)) };
                layer::hand_out(&upper, layer, stderr)?;
            }
            Ok(end)
        }
    }
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
        Ok(()) | Err(nix::errno::Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Failure::new(Step::Proc, errno as i32)),
    }
}

/// Waits for the command, and for every orphan on the way.
fn reap(command: Pid) -> End {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => return End::Exited(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                return End::Signalled(signal as i32);
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return End::Failed(Failure::new(Step::Fork, errno as i32)),
        }
    }
}

/// The command's process: never returns.
fn child(work: &Work<'_>) -> ! {
    let mut end = work.end.as_raw_fd();
    let status = match start(work, &mut end) {
        Ok(status) => status,
        Err(failure) => {
            report(sys::borrow(end), End::Failed(failure));
            127
        }
    };
    sys::exit_now(status)
}

fn start(work: &Work<'_>, end: &mut RawFd) -> Result<i32, Failure> {
    // Not before: the first process hands out the layer, which no rule of the command's reaches.
    confine::landlock()?;
    let payload = take_payload(work)?;
    sys::default_signals();
    *end = descriptors(work)?;
    match work.operation {
        Operation::Command => Err(command::exec(&payload)),
        Operation::ReadFile => Ok(files::finish(files::read(&payload))),
        Operation::WriteFile => Ok(files::finish(files::write(&payload))),
        Operation::ListFiles => Ok(files::finish(files::list(&payload))),
    }
}

fn take_payload(work: &Work<'_>) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; work.payload_bytes as usize];
    let mut pipe = File::from(work.payload.try_clone().at(Step::Payload)?);
    pipe.read_exact(&mut bytes).at(Step::Payload)?;
    Ok(bytes)
}

/// 0 to 2 as a program expects them, and nothing else but the pipe for the end, which exec closes.
fn descriptors(work: &Work<'_>) -> Result<RawFd, Failure> {
    let input = match work.operation {
        Operation::WriteFile => work.payload.try_clone().at(Step::Descriptors)?,
        Operation::Command | Operation::ReadFile | Operation::ListFiles => {
            File::open("/dev/null").at(Step::Descriptors)?.into()
        }
    };
    const FIRST_FREE: RawFd = 16;
    let lifted: Result<Vec<RawFd>, nix::Error> = [&input, &work.stdout, &work.stderr, &work.end]
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

/// For the maker: the first record of a sandbox's end, or that it was killed before it could write one.
pub fn end_of(pipe: OwnedFd) -> End {
    let mut bytes = [0; crate::record::END_BYTES];
    match File::from(pipe).read_exact(&mut bytes) {
        Ok(()) => End::from_bytes(&bytes).unwrap_or(End::Killed),
        Err(_) => End::Killed,
    }
}

/// A line of the maker's log.
pub fn say(text: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "maker: {text}"));
}
