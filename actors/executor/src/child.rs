//! The process that becomes a sandbox's command. It is forked and sealed while its sandbox waits, so that a request finds
//! it ready; its first process tells it what to do, once the layer is in place.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{MsgFlags, recv};
use nix::sys::wait::waitpid;
use nix::unistd::chdir;
use schema::codec;
use schema::tool::Admitted;
use seccompiler::BpfProgram;

use crate::command::Surroundings;
use crate::confine::Prepared;
use crate::image::Root;
use crate::limits::PAYLOAD_BYTES;
use crate::record::{Ask, END_BYTES, End, Operation};
use crate::step::{At, Failure, Step};
use crate::{confine, files, filter, layer, line, notify, sys, terminal};

/// Where it has its line: closed as soon as another program runs.
const LINE: RawFd = 3;

/// What it is told its job with.
pub struct Told<'a> {
    /// The request.
    pub ask: Ask,
    /// Standard input of what takes any, standard output and error.
    pub descriptors: [&'a OwnedFd; 3],
    /// The call, encoded.
    pub payload: &'a [u8],
}

/// It, as its sandbox's first process has it.
pub struct Child {
    watched: notify::Watched,
    line: Line,
}

/// The line to it.
pub struct Line(UnixStream);

impl Child {
    /// Forks it. In itself this never returns. `filter`: what it gives up, unless it is given up already; `writable`: names
    /// of directories that a command may change.
    ///
    /// # Errors
    /// The failed step.
    pub fn fork(filter: Option<&BpfProgram>, root: &Root, writable: &[OsString]) -> Result<Child, Failure> {
        let (ours, theirs) = UnixStream::pair().at(Step::Fork)?;
        match notify::fork()? {
            notify::Side::Child(watched) => {
                drop(ours);
                begin(theirs.into(), watched, filter, root, writable)
            }
            notify::Side::Parent(watched) => Ok(Child { watched, line: Line(ours) }),
        }
    }

    /// Tells it what to do.
    ///
    /// # Errors
    /// When it is gone.
    pub fn tell(self, told: &Told<'_>) -> Result<(notify::Watched, Line), Failure> {
        let gone = |_| Failure::new(Step::Fork, libc::EPIPE);
        line::pass_on(&self.line.0, told.ask, &told.descriptors.map(AsRawFd::as_raw_fd)).map_err(gone)?;
        match (&self.line.0).write_all(told.payload) {
            Ok(()) => {}
            // What went wrong with it, it has said.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(Failure::new(Step::Payload, error.raw_os_error().unwrap_or(0))),
        }
        Ok((self.watched, self.line))
    }

    /// It is not needed.
    pub fn dismiss(self) {
        // An error means that it is gone, which is what is wanted.
        let _ = kill(self.watched.command(), Signal::SIGKILL);
        let _ = waitpid(self.watched.command(), None);
    }
}

impl Line {
    /// The step that failed before anything else ran in it. Asked when it has ended.
    pub fn failure(&self) -> Option<End> {
        let mut bytes = [0; END_BYTES];
        let length = recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT).ok()?;
        End::from_bytes(bytes.get(..length)?).filter(|end| matches!(end, End::Failed(_)))
    }
}

/// In itself.
fn begin(
    line: OwnedFd,
    watched: Result<(), Failure>,
    filter: Option<&BpfProgram>,
    root: &Root,
    writable: &[OsString],
) -> ! {
    let status = watched.and_then(|()| seal(&line, filter)).and_then(|()| {
        let line = sys::own(LINE);
        let done = live(&line, root, writable);
        // Open until the process ends.
        std::mem::forget(line);
        done
    });
    sys::exit_now(status.unwrap_or_else(|failure| {
        report(failure);
        127
    }))
}

/// An error here means that who would hear of it is gone.
fn report(failure: Failure) {
    let _ = nix::unistd::write(sys::borrow(LINE), &End::Failed(failure).to_bytes());
}

/// All that needs no request.
fn seal(line: &OwnedFd, filter: Option<&BpfProgram>) -> Result<(), Failure> {
    sys::copy_to(line.as_raw_fd(), LINE, true).and_then(|()| sys::close_from(LINE + 1)).at(Step::Descriptors)?;
    sys::default_signals();
    sys::drop_capabilities().at(Step::Capabilities)?;
    // Nobody inside may look into it before it has become the command.
    sys::prctl(libc::PR_SET_DUMPABLE, 0).at(Step::Capabilities)?;
    match filter {
        Some(filter) => filter::install(filter).map_err(|errno| Failure::new(Step::Filter, errno)),
        None => Ok(()),
    }
}

fn live(line: &OwnedFd, root: &Root, writable: &[OsString]) -> Result<i32, Failure> {
    let prepared = Prepared::of_a_command();
    let Some((ask, descriptors)) = line::receive(line) else { return Ok(0) };
    let malformed = Failure::new(Step::Payload, libc::EINVAL);
    let Ask::Run { operation, payload_bytes, cpu_s, terminal, .. } = ask else { return Err(malformed) };
    let Ok([input, stdout, stderr]) = <[OwnedFd; 3]>::try_from(descriptors) else { return Err(malformed) };
    let mut bytes = vec![0; payload_bytes as usize];
    File::from(line.try_clone().at(Step::Payload)?).read_exact(&mut bytes).at(Step::Payload)?;
    let call: Admitted = codec::decode(&bytes, PAYLOAD_BYTES).map_err(|_| malformed)?;
    chdir(layer::WORKSPACE).at(Step::WorkingDirectory)?;
    confine::limit_cpu(cpu_s)?;
    // Directories beside the workspace go on changing while a command is in the background.
    let writable = if operation == Operation::Background { &[] } else { writable };
    match root {
        Root::Host if operation == Operation::Command => prepared.enforce(writable)?,
        Root::Host | Root::Image(_) => {
            drop(prepared);
            confined(operation, terminal, root, writable)?;
        }
    }
    standard([input, stdout, stderr], operation)?;
    start(operation, terminal, root, &call)
}

/// Leaves it, or a worker beside it, the files that are its own.
///
/// # Errors
/// The failed step.
pub fn confined(operation: Operation, terminal: (u16, u16), root: &Root, writable: &[OsString]) -> Result<(), Failure> {
    match operation {
        Operation::Command | Operation::Background => root.landlock(writable, has_terminal(operation, terminal)),
        Operation::Look | Operation::Change => confine::landlock_workspace(writable),
    }
}

/// Whether it has a terminal of its own.
pub fn has_terminal(operation: Operation, terminal: (u16, u16)) -> bool {
    operation == Operation::Background && terminal != (0, 0)
}

fn start(operation: Operation, terminal: (u16, u16), root: &Root, call: &Admitted) -> Result<i32, Failure> {
    match (operation, call) {
        (Operation::Command, Admitted::RunCommand { command, .. }) => {
            Err(root.exec(command.as_bytes(), Surroundings::Pipes))
        }
        (Operation::Background, Admitted::Start { command, .. }) if has_terminal(operation, terminal) => {
            terminal::run(root, command.as_bytes(), terminal, LINE)
        }
        (Operation::Background, Admitted::Start { command, .. }) => {
            Err(root.exec(command.as_bytes(), Surroundings::Pipes))
        }
        (Operation::Command | Operation::Background, _) => Err(Failure::new(Step::Payload, libc::EINVAL)),
        (Operation::Look | Operation::Change, call) => Ok(files::run(call)),
    }
}

/// 0 to 2 as a program expects them.
fn standard(descriptors: [OwnedFd; 3], operation: Operation) -> Result<(), Failure> {
    let [input, stdout, stderr] = descriptors;
    let input = match operation {
        Operation::Command => {
            drop(input);
            File::open("/dev/null").at(Step::Descriptors)?.into()
        }
        Operation::Look | Operation::Change | Operation::Background => input,
    };
    const FIRST_FREE: RawFd = 16;
    let lifted: Result<Vec<RawFd>, nix::Error> =
        [&input, &stdout, &stderr].into_iter().map(|fd| sys::lift(fd.as_raw_fd(), FIRST_FREE)).collect();
    for (to, from) in (0..).zip(lifted.at(Step::Descriptors)?) {
        sys::copy_to(from, to, false).at(Step::Descriptors)?;
    }
    drop((input, stdout, stderr));
    sys::close_from(LINE + 1).at(Step::Descriptors)
}
