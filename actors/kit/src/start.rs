//! A role's life: check what was inherited, prepare, seal, say so, serve.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use roles::{Role, Row, fd};
use schema::edge::Wire;
use tokio::runtime;
use tokio::task::LocalSet;

use crate::control::Control;
use crate::line::{Line, LineError};
use crate::link::{Link, LinkError};
use crate::seal::{SealError, seal};
use crate::{log, probe, sys};

/// Which role in which slot this process is, and the descriptors it was given.
#[derive(Debug)]
pub struct Seat {
    /// The role.
    pub role: Role,
    /// The slot.
    pub slot: u32,
    given: RefCell<BTreeMap<RawFd, OwnedFd>>,
}

impl Seat {
    /// Takes a descriptor that the table gives this role from its start, by its number in [`roles::fd`]; once each. The
    /// lines to launcher and supervisor are the kit's own.
    pub fn take(&self, number: RawFd) -> Option<OwnedFd> {
        if number == fd::LINE || number == fd::CONTROL {
            return None;
        }
        self.given.borrow_mut().remove(&number)
    }

    fn line(&self, number: RawFd) -> Option<OwnedFd> {
        self.given.borrow_mut().remove(&number)
    }
}

/// A role behind its seal.
#[derive(Debug)]
pub struct Sealed {
    /// Who this is.
    pub seat: Seat,
    /// The line to the launcher.
    pub line: Line,
    /// The control line; the supervisor alone has none.
    pub control: Option<Control>,
}

impl Sealed {
    /// Waits for this role's next edge and exchanges the hello.
    ///
    /// # Errors
    /// `Line` when the launcher is gone: the role exits. `Link` when the gate's end is not as it should be.
    pub async fn next_edge<W: Wire>(&mut self) -> Result<Link<W::Up, W::Down>, StartError> {
        let (given, fd) = self.line.next_edge_fd().await?;
        if given.who.role != self.seat.role || given.who.slot != self.seat.slot {
            return Err(StartError::Line(LineError::Malformed));
        }
        Ok(Link::open(fd, W::NAME, W::LIMIT_BYTES).await?)
    }
}

/// Why a role did not come to serve, or lost what it needs to go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Started by a person or a script.
    #[error("{0} is started by chelad, not by hand: start chelad, and it starts this in its cage")]
    ByHand(&'static str),
    /// Started as root, which no role is.
    #[error("started as root; a role runs under the account that the table gives it")]
    AsRoot,
    /// A descriptor that nobody declared is open.
    #[error("descriptor {0} is open, and the table gives this role none of that number")]
    Undeclared(RawFd),
    /// A step of the start failed.
    #[error("{step}: {error}")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        error: io::Error,
    },
    /// What the role does before its seal failed.
    #[error("{0}")]
    Prepare(String),
    /// The seal failed.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// The launcher line ended.
    #[error("{0}")]
    Line(#[from] LineError),
    /// A fresh edge was no good.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// The role ended with an error.
    #[error("{0}")]
    Serve(String),
}

impl StartError {
    fn status(&self) -> u8 {
        match self {
            StartError::ByHand(_) => 2,
            StartError::AsRoot
            | StartError::Undeclared(_)
            | StartError::Step { .. }
            | StartError::Prepare(_)
            | StartError::Seal(_)
            | StartError::Line(_)
            | StartError::Link(_)
            | StartError::Serve(_) => 1,
        }
    }
}

/// The whole life of a role. `prepare` runs before the seal and opens what the table grants until then; `serve` runs
/// after it, on one thread, in a `LocalSet`. Threads are started in `serve` if at all.
pub fn run<P, E1, E2, Fut>(
    role: Role,
    prepare: impl FnOnce(&Seat) -> Result<P, E1>,
    serve: impl FnOnce(Sealed, P) -> Fut,
) -> ExitCode
where
    E1: Display,
    E2: Display,
    Fut: Future<Output = Result<(), E2>>,
{
    match live(role, prepare, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ StartError::ByHand(_)) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(error.status())
        }
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.status())
        }
    }
}

fn live<P, E1, E2, Fut>(
    role: Role,
    prepare: impl FnOnce(&Seat) -> Result<P, E1>,
    serve: impl FnOnce(Sealed, P) -> Fut,
) -> Result<(), StartError>
where
    E1: Display,
    E2: Display,
    Fut: Future<Output = Result<(), E2>>,
{
    let row = role.row();
    let seat = take_seat(row)?;
    log::start(format!("{}-{}", row.name, seat.slot));
    sys::settle_signals().map_err(step("signal handlers"))?;
    check_descriptors(row)?;
    if nix::unistd::geteuid().is_root() {
        return Err(StartError::AsRoot);
    }
    let prepared = prepare(&seat).map_err(|error| StartError::Prepare(error.to_string()))?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(step("asynchronous runtime"))?;
    let report = seal(row)?;
    probe::sealed_as(row);
    let missing: Vec<_> = report.missing().collect();
    if !missing.is_empty() {
        let version = report.version;
        tracing::warn!("Landlock version {version} of this kernel lacks: {}", missing.join("; "));
    }
    LocalSet::new().block_on(&runtime, async {
        let sealed = announce(seat).await?;
        serve(sealed, prepared).await.map_err(|error| StartError::Serve(error.to_string()))
    })
}

/// Takes the lines and tells the launcher that this process is sealed.
async fn announce(seat: Seat) -> Result<Sealed, StartError> {
    let row = seat.role.row();
    let line = seat.line(fd::LINE).ok_or(StartError::ByHand(row.binary))?;
    let line = Line::new(line).map_err(step("launcher line"))?;
    let control = match seat.line(fd::CONTROL) {
        Some(fd) => Some(Control::start(fd).map_err(step("control line"))?),
        None => None,
    };
    line.say_sealed().await?;
    Ok(Sealed { seat, line, control })
}

/// The slot from the one argument, and every descriptor that the row declares, each made close-on-exec.
fn take_seat(row: &'static Row) -> Result<Seat, StartError> {
    let by_hand = StartError::ByHand(row.binary);
    let mut args = std::env::args().skip(1);
    let slot = args.next().and_then(|slot| slot.parse().ok());
    let Some(slot) = slot.filter(|slot| row.slots.contains(*slot) && args.next().is_none()) else {
        return Err(by_hand);
    };
    let mut given = BTreeMap::new();
    for number in row.descriptors.iter().filter_map(|one| one.number) {
        let Some(fd) = sys::take_inherited(number) else {
            return Err(by_hand);
        };
        if number <= fd::CONTROL && !matches!(getsockopt(&fd, sockopt::SockType), Ok(SockType::SeqPacket)) {
            // Not ours: left as it was found.
            std::mem::forget(fd);
            return Err(by_hand);
        }
        fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
            .map_err(|errno| errno.into())
            .map_err(step("close-on-exec"))?;
        given.insert(fd.as_raw_fd(), fd);
    }
    Ok(Seat { role: row.role, slot, given: RefCell::new(given) })
}

/// Nothing is open but the null device, the log stream and what the row declares.
fn check_descriptors(row: &Row) -> Result<(), StartError> {
    let (most, _) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| errno.into()).map_err(step("limit of open files"))?;
    let most = RawFd::try_from(most).unwrap_or(RawFd::MAX).min(1 << 16);
    let mut numbers: Vec<RawFd> = row.descriptors.iter().filter_map(|one| one.number).collect();
    numbers.sort_unstable();
    let mut from = 3;
    for number in numbers.into_iter().chain([most]) {
        let open = sys::first_open(from, number).map_err(step("looking at open descriptors"))?;
        if let Some(open) = open {
            return Err(StartError::Undeclared(open));
        }
        from = number + 1;
    }
    Ok(())
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::Step { step, error }
}
