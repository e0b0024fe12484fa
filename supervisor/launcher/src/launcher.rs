//! The loop: waits for lines, starts under way, signals and deadlines; hands each to the file that deals with it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{collections::BTreeMap, process::ExitCode};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::{errno::Errno, sys::prctl};
use roles::launch::{Report, SEALED};
use roles::{Role, launch, limits::SHUTDOWN_DEADLINE_MS};

use crate::child::{Child, Stage};
use crate::errors::{Context, Failure, say};
use crate::slots::{Backoff, Slots};
use crate::{cgroup::Groups, line::Received, notify::Manager, paths::Host};
use roles::limits::{LOOK_EVERY_MS, PACKET_BYTES, PACKETS_PER_TURN_MAX};

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
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC);
        let groups = Groups::prepare().inspect_err(|e| say(format_args!("control groups: not used: {e}"))).ok();
        // No number comes twice, also not after a restart: an executor of the next launcher must not be taken for the one
        // that has an action already. Microseconds, so that it stays exact wherever numbers are floats.
        let last_number = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64);
        Ok(Launcher {
            host,
            manager,
            groups,
            slots: Slots { last_number, ..Slots::default() },
            children: BTreeMap::new(),
            supervisor: Supervisor::Waits(Instant::now()),
            backoff: Backoff::default(),
            born: Instant::now(),
            stopping: None,
            signals: signals.step("open", "signalfd")?,
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
        match poll(&mut fds, self.patience()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e).step("wait for", "lines"),
        }
        let happened = fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        Ok(numbers.into_iter().zip(happened).filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// A restart is due to the millisecond; the other deadlines, of many seconds, are looked at now and then.
    fn patience(&self) -> PollTimeout {
        match self.supervisor {
            Supervisor::Waits(until) => {
                let left = until.saturating_duration_since(Instant::now());
                PollTimeout::from(left.as_micros().div_ceil(1000).min(1000) as u16)
            }
            _ if self.stopping.is_some() || self.children.values().any(|c| c.due().is_some()) => {
                PollTimeout::from(LOOK_EVERY_MS)
            }
            Supervisor::Runs(_) | Supervisor::Ended(_) => PollTimeout::NONE,
        }
    }

    fn keep_deadlines(&mut self) {
        let now = Instant::now();
        for child in self.children.values_mut() {
            if let Some((_, why)) = child.due().filter(|(at, _)| *at <= now) {
                child.kill(why);
            }
        }
        if self.stopping.is_some_and(|since| since.elapsed() >= Duration::from_millis(SHUTDOWN_DEADLINE_MS)) {
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
                Received::Closed => return child.closed = Some(Instant::now()),
                Received::Packet(length) => self.receive(number, buffer.get(..length).unwrap_or(&buffer)),
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
