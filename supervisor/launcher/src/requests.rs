//! What the supervisor asks: starts, signals, notices. And the supervisor's own start, which nobody asks for.

use std::time::{Duration, Instant};
use std::{io, os::fd::OwnedFd};

use nix::sys::signal::{Signal as UnixSignal, kill};
use nix::{errno::Errno, sys::socket::SockType, unistd::read};
use roles::launch::{FAILED_BYTES, Failed, Instance, Refusal, Report, Request, Signal};
use roles::{Role, grant::Account};

use crate::child::{Child, Stage};
use crate::errors::{Failure, errno_of, failure, say};
use crate::launcher::{Launcher, Supervisor};
use crate::line::{Line, pair};
use crate::spawn::{Plan, describe, refusal, spawn};
use crate::{paths, sys};

impl Launcher {
    /// Carries out a request of the sealed supervisor, instance `asker`.
    pub fn serve_request(&mut self, asker: u64, request: Request) {
        match request {
            Request::Start { role, slot } => self.start_asked(role, slot),
            Request::Signal { to, signal } => self.signal(asker, to, signal),
            Request::Notify(notice) => self.manager.tell(notice),
        }
    }

    /// An instance that has ended meanwhile is no fault of the asker's; one that never was its own is.
    fn signal(&mut self, asker: u64, to: Instance, signal: Signal) {
        if matches!(to.role, Role::Launcher | Role::Supervisor) {
            let asker = self.children.get_mut(&asker).into_iter();
            return asker.for_each(|child| child.kill("it asked to signal what is not its to signal"));
        }
        let Some(child) = self.children.get_mut(&to.number).filter(|c| c.who == to) else { return };
        match signal {
            Signal::Term => kill(child.pid, UnixSignal::SIGTERM).unwrap_or(()),
            Signal::Kill => child.end(),
        }
    }

    /// The supervisor's first start, and each one after its death.
    pub fn start_supervisor_when_due(&mut self) -> Result<(), Failure> {
        if !matches!(self.supervisor, Supervisor::Waits(until) if until <= Instant::now()) {
            return Ok(());
        }
        let who = self.slots.take(Role::Supervisor, 0);
        match self.start(who) {
            Ok(()) => self.supervisor = Supervisor::Runs(who.number),
            Err(e) => {
                self.slots.release(who);
                say(format_args!("start supervisor-0: {e}"));
                self.supervisor_is_gone(0)?;
            }
        }
        Ok(())
    }

    /// Plans the next start. A supervisor that could not even be started the first time ends the launcher: nothing runs
    /// yet, and whoever started it is still looking.
    pub fn supervisor_is_gone(&mut self, lived_ms: u64) -> Result<(), Failure> {
        if self.backoff.deaths == 0 && lived_ms == 0 {
            self.host.clean_up();
            let failed = failure("start", "the supervisor", "it could not be started, see above");
            return Err(failed.or("run `./x setup` in a clone, or `chela setup --root DIR`"));
        }
        let wait = Duration::from_millis(self.backoff.after(lived_ms));
        self.supervisor = Supervisor::Waits(Instant::now() + wait);
        Ok(())
    }

    /// Starts a role as asked, or says why not.
    pub fn start_asked(&mut self, role: Role, slot: u32) {
        let now_ms = self.born.elapsed().as_millis() as u64;
        let own_account = matches!(role.row().account, Account::PerSlot { .. });
        let busy =
            own_account && self.host.accounts.of(role, slot).is_some_and(|ids| sys::account_has_process(ids.uid));
        let started = self.slots.admit(role, slot, now_ms, busy).map(|who| (who, self.start(who)));
        let (reason, errno) = match started {
            Ok((_, Ok(()))) => return,
            Err(reason) => (reason, 0),
            Ok((who, Err(e))) => {
                self.slots.release(who);
                let missing = e.kind() == io::ErrorKind::NotFound;
                (if missing { Refusal::FileMissing } else { Refusal::Failed }, errno_of(&e) as i32)
            }
        };
        say(format_args!("start {}-{slot}: refused: {reason:?}", role.name()));
        self.report(Report::Refused { role, slot, reason, errno }, None);
    }

    /// Clones the child; whether it became its role shows later.
    fn start(&mut self, who: Instance) -> io::Result<()> {
        let host = &self.host;
        let ids = host.accounts.of(who.role, who.slot).ok_or(Errno::ESRCH)?;
        let program = host.programs[who.role as usize].as_ref().ok_or(Errno::ENOENT)?;
        let log = &paths::open_log(who)?;
        let cgroup = self.groups.as_ref().map(|groups| groups.make(who)).transpose()?;
        let (line, roles_line) = pair(SockType::SeqPacket)?;
        let (control, roles_control) = pair(SockType::SeqPacket)?;
        let lines = [&roles_line, &roles_control];
        let (pid, status) = spawn(&Plan { host, who, ids, cgroup: cgroup.as_deref(), program, log, lines })?;
        let control = (who.role != Role::Supervisor).then_some(control);
        let (line, stage, started) = (Line::new(line), Stage::Starting(status), Instant::now());
        let child = Child { who, pid, ids, line, control, stage, started, cgroup, closed: None, killed: false };
        self.children.insert(who.number, child);
        Ok(())
    }

    /// How a start went: a record names the step that failed, an end without one means that the program runs.
    pub fn read_status(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        let Stage::Starting(status) = &child.stage else { return };
        let mut record = [0; FAILED_BYTES];
        match read(status, &mut record) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Ok(0) => {
                child.stage = Stage::Unsealed;
                let (who, pid) = (child.who, child.pid.as_raw() as u32);
                if let Some(control) = clone_control(child) {
                    self.report(Report::Started { who, pid }, Some(control));
                }
            }
            Ok(_) | Err(_) => {
                let (failed, row) = (Failed::from_bytes(record), child.who.role.row());
                say(format_args!("start {}: {}", child.name(), describe(failed, row)));
                let (reason, errno) = refusal(failed, row);
                child.stage = Stage::Failed(reason, errno);
            }
        }
    }
}

/// A copy of the supervisor's end of a role's control line. Without one, the role's start has failed: the supervisor
/// has never heard of it.
pub fn clone_control(child: &mut Child) -> Option<OwnedFd> {
    let copy = child.control.as_ref()?.try_clone();
    let failed = |e: io::Error| {
        child.kill(&format!("copy of its control line: {e}"));
        child.stage = Stage::Failed(Refusal::Failed, errno_of(&e) as i32);
    };
    copy.map_err(failed).ok()
}
