//! The loop: waits for lines, starts under way, signals and deadlines; hands each to the file that deals with it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use roles::launch::{Report, SEALED};
use roles::limits::{SEAL_DEADLINE_MS, SHUTDOWN_DEADLINE_MS};
use roles::{Role, launch};

use crate::backoff::Backoff;
use crate::cgroup::Groups;
use crate::child::{Child, Stage};
use crate::errors::{Context, Failure, say};
use crate::limits::{PACKET_BYTES, PACKETS_PER_TURN_MAX};
use crate::line::Received;
use crate::notify::Manager;
use crate::paths::Host;
use crate::slots::Slots;

/// What the supervisor is doing, seen from here.
pub enum Supervisor {
    /// Runs, as the instance of that number.
    Runs(u64),
    /// Is started again then.
    Waits(Instant),
    /// Has ended for good, in a shutdown, with success or without.
    Ended(bool),
}

/// The launcher's whole state.
pub struct Launcher {
    pub host: Host,
    pub manager: Manager,
    pub groups: Option<Groups>,
    pub slots: Slots,
    pub children: BTreeMap<u64, Child>,
    pub supervisor: Supervisor,
    pub backoff: Backoff,
    pub born: Instant,
    /// Since when everything is being stopped.
    pub stopping: Option<Instant>,
    signals: SignalFd,
}

impl Launcher {
    /// Takes the signals it waits for, and prepares control groups where the host has them.
    pub fn new(host: Host, manager: Manager) -> Result<Launcher, Failure> {
        prctl::set_child_subreaper(true).step("become", "subreaper")?;
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            mask.add(signal);
        }
        mask.thread_block().step("block", "signals")?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let groups = Groups::prepare().inspect_err(|e| say(format_args!("control groups: not used: {e}"))).ok();
        Ok(Launcher {
            host,
            manager,
            groups,
            slots: Slots::default(),
            children: BTreeMap::new(),
            supervisor: Supervisor::Waits(Instant::now()),
            backoff: Backoff::default(),
            born: Instant::now(),
            stopping: None,
            signals: SignalFd::with_flags(&mask, flags).step("open", "signalfd")?,
        })
    }

    /// Runs until everything is stopped.
    pub fn serve(mut self) -> Result<ExitCode, Failure> {
        loop {
            self.start_supervisor_when_due()?;
            if let (Supervisor::Ended(well), true) = (&self.supervisor, self.children.is_empty()) {
                self.host.clean_up();
                return Ok(ExitCode::from(u8::from(!well)));
            }
            for (number, flags) in self.wait()? {
                self.serve_child(number, flags);
            }
            self.read_signals()?;
            self.keep_deadlines();
        }
    }

    /// The instances that something happened to. Signals are looked at after each wait anyway, and last: what a role
    /// said before it ended is read before it is reaped.
    fn wait(&self) -> Result<Vec<(u64, PollFlags)>, Failure> {
        let watched = self.children.values().filter_map(|child| Some((child.who.number, child.watched()?)));
        let (numbers, mut fds): (Vec<u64>, Vec<PollFd>) = watched.unzip();
        fds.push(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        match poll(&mut fds, self.until_next_deadline()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e).step("wait for", "lines"),
        }
        let happened = fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        Ok(numbers.into_iter().zip(happened).filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn until_next_deadline(&self) -> PollTimeout {
        let now = Instant::now();
        let seals = self.children.values().filter_map(seal_deadline);
        let stop = self.stopping.map(|since| since + ms(SHUTDOWN_DEADLINE_MS));
        let restart = match self.supervisor {
            Supervisor::Waits(until) => Some(until),
            Supervisor::Runs(_) | Supervisor::Ended(_) => None,
        };
        let next = seals.chain(stop.filter(|at| *at > now)).chain(restart).min();
        // One more millisecond, so that the deadline is over when the wait is.
        next.map_or(PollTimeout::NONE, |at| {
            let wait = at.saturating_duration_since(now) + ms(u64::from(at > now));
            PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
        })
    }

    fn keep_deadlines(&mut self) {
        let now = Instant::now();
        for child in self.children.values_mut() {
            if seal_deadline(child).is_some_and(|at| at <= now) {
                child.kill("it took too long to seal itself");
            }
        }
        if self.stopping.is_some_and(|since| since + ms(SHUTDOWN_DEADLINE_MS) <= now) {
            self.kill_all("the shutdown took too long");
        }
    }

    /// Nothing may outlive a shutdown.
    pub fn kill_all(&mut self, why: &str) {
        for child in self.children.values_mut() {
            child.kill(why);
        }
        if matches!(self.supervisor, Supervisor::Waits(_)) {
            self.supervisor = Supervisor::Ended(false);
        }
    }

    fn serve_child(&mut self, number: u64, flags: PollFlags) {
        self.read_status(number);
        let Some(child) = self.children.get_mut(&number).filter(|c| c.is_running()) else { return };
        if flags.contains(PollFlags::POLLOUT) && child.line.flush().is_err() {
            child.end();
        }
        for _ in 0..PACKETS_PER_TURN_MAX {
            let Some(child) = self.children.get_mut(&number).filter(|c| !c.killed) else { return };
            let mut buffer = [0; PACKET_BYTES];
            match child.line.receive(&mut buffer) {
                Received::Nothing => return,
                // A role that has closed its line is past serving anybody.
                Received::Closed => return child.end(),
                Received::Packet(length) => {
                    let packet = buffer.get(..length).unwrap_or(&buffer);
                    self.receive(number, packet);
                }
            }
        }
    }

    fn receive(&mut self, number: u64, packet: &[u8]) {
        let Some(child) = self.children.get_mut(&number) else { return };
        match (&child.stage, child.who.role, packet) {
            (Stage::Unsealed, _, [SEALED]) => self.check_seal(number),
            (Stage::Sealed { .. }, Role::Supervisor, record) => match launch::Request::from_bytes(record) {
                Some(request) => self.serve_request(number, request),
                None => child.kill("a request that is none"),
            },
            _ => child.kill("said something that it may not say now"),
        }
    }

    fn read_signals(&mut self) -> Result<(), Failure> {
        while let Some(info) = self.signals.read_signal().step("read", "signalfd")? {
            match Signal::try_from(info.ssi_signo as i32) {
                Ok(Signal::SIGCHLD) => self.reap()?,
                Ok(Signal::SIGHUP) => self.report(Report::Reload, None),
                Ok(_) if self.stopping.is_some() => self.kill_all("told to stop twice"),
                Ok(_) => {
                    self.stopping = Some(Instant::now());
                    self.report(Report::Shutdown, None);
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Tells the supervisor; one that is not there (or not yet sealed) learns it when it adopts what runs.
    pub fn report(&mut self, report: Report, fd: Option<OwnedFd>) {
        let Supervisor::Runs(number) = self.supervisor else { return };
        if let Some(child) = self.children.get_mut(&number).filter(|c| c.is_sealed())
            && let Err(e) = child.line.send(&report.to_bytes(), fd)
        {
            child.kill(e.desc());
        }
    }
}

fn seal_deadline(child: &Child) -> Option<Instant> {
    let waits = matches!(child.stage, Stage::Starting(_) | Stage::Unsealed) && !child.killed;
    waits.then(|| child.started + ms(SEAL_DEADLINE_MS))
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
