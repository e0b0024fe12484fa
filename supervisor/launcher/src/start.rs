//! Starting an instance: what the launcher makes for it, and how the start went.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::SockType;
use nix::unistd::read;
use roles::Role;
use roles::grant::{Account, DescriptorKind};
use roles::launch::{Instance, Refusal, Report};

use crate::child::{Child, Stage};
use crate::errors::{Failure, errno_of, failure, say};
use crate::launcher::{Launcher, Supervisor};
use crate::line::{Line, pair};
use crate::spawn::{Failed, Plan, STATUS_BYTES, spawn};
use crate::{log_stream, sys};

impl Launcher {
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
                self.supervisor_is_gone(who, 0)?;
            }
        }
        Ok(())
    }

    /// Plans the next start. A supervisor that could not even be started the first time ends the launcher: nothing runs
    /// yet, and whoever started it is still looking.
    pub fn supervisor_is_gone(&mut self, who: Instance, lived_ms: u64) -> Result<(), Failure> {
        if who.number == 1 && lived_ms == 0 {
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
        let accounts = &self.host.accounts;
        let own_account = matches!(role.row().account, Account::PerSlot { .. });
        let busy = || own_account && accounts.of(role, slot).is_some_and(|ids| sys::account_has_process(ids.uid));
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
        let row = who.role.row();
        let host = &self.host;
        let ids = host.accounts.of(who.role, who.slot).ok_or(Errno::ESRCH)?;
        let program = host.programs[who.role as usize].as_ref().ok_or(Errno::ENOENT)?;
        let log = log_stream::open(who)?;
        let cgroup = self.groups.as_ref().map(|groups| groups.make(who, &row.limits)).transpose()?;
        let (line, roles_line) = pair(SockType::SeqPacket)?;
        let (control, roles_control) = pair(SockType::SeqPacket)?;
        let has_control = who.role != Role::Supervisor;
        let given = row.descriptors.iter().filter_map(|descriptor| {
            let fd = match descriptor.what {
                DescriptorKind::Line => roles_line.as_fd(),
                DescriptorKind::Control => roles_control.as_fd(),
                DescriptorKind::Listener => host.listener.as_fd(),
                DescriptorKind::AuditLog => host.audit_log.as_fd(),
                DescriptorKind::Edge => return None,
            };
            Some((descriptor.number?, fd))
        });
        let plan = Plan {
            row,
            slot: who.slot,
            ids,
            libexec: &host.libexec,
            cgroup: cgroup.as_deref(),
            program: program.as_fd(),
            null: host.null.as_fd(),
            log: log.as_fd(),
            launcher: self.own_pidfd.as_fd(),
            given: given.collect(),
        };
        let (pid, status) = spawn(&plan)?;
        let child = Child {
            who,
            pid,
            ids,
            line: Line::new(line),
            control: has_control.then_some(control),
            stage: Stage::Starting(status),
            started: Instant::now(),
            cgroup,
            killed: false,
        };
        self.children.insert(who.number, child);
        Ok(())
    }

    /// How a start went: a record names the step that failed, an end without one means that the program runs.
    pub fn read_status(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        let Stage::Starting(status) = &child.stage else { return };
        let mut record = [0; STATUS_BYTES];
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
                say(format_args!("start {}: {}", child.name(), failed.describe(row)));
                let (refusal, errno) = failed.refusal(row);
                child.stage = Stage::Failed(refusal, errno);
            }
        }
    }
}

/// A copy of the supervisor's end of a role's control line.
pub fn clone_control(child: &mut Child) -> Option<OwnedFd> {
    let copy = child.control.as_ref()?.try_clone();
    copy.map_err(|e| child.kill(&format!("copy of its control line: {e}"))).ok()
}
