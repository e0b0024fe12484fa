//! The init while its command runs: it answers calls, starts workers, and reaps what ends.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Watched;
use super::links;
use super::names::Names;
use super::reach::{self, Added, Reached};
use super::rename::{self, Job};
use super::resolver::Resolver;
use super::sys::{self, Notice, Reply};
use crate::limits::WORKERS;
use crate::record::End;
use crate::step::{Failure, Step};

/// Waits until the command has ended, and every worker with it: a rename is done or not, never half. `confine` takes
/// from a worker what the command does not have. Names that it looks up are answered through `resolver`. `tell` hears of
/// each host that it tries to reach, at once; `None`: of one more than are told. Returned with the end: how many those are.
pub fn attend(watched: Watched, resolver: Resolver, confine: Confine<'_>, tell: Tell<'_>) -> (End, u64) {
    let Watched { command, listener, children } = watched;
    let mut attendant = Attendant {
        command,
        listener,
        children,
        resolver,
        names: Names::default(),
        reached: Reached::default(),
        confine,
        tell,
        waiting: VecDeque::new(),
        working: BTreeMap::new(),
        is_listening: true,
        end: None,
    };
    loop {
        match attendant.turn() {
            Ok(Some(end)) => return (end, attendant.reached.more),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(errno) => {
                let end = End::Failed(Failure::new(Step::Notify, errno as i32));
                return (end, attendant.reached.more);
            }
        }
    }
}

/// Takes from a worker what the command does not have.
type Confine<'a> = &'a dyn Fn() -> Result<(), Failure>;
/// Hears of hosts.
type Tell<'a> = &'a dyn Fn(Option<&str>);

struct Attendant<'a> {
    command: Pid,
    listener: OwnedFd,
    children: SignalFd,
    resolver: Resolver,
    names: Names,
    reached: Reached,
    confine: Confine<'a>,
    tell: Tell<'a>,
    waiting: VecDeque<Job>,
    /// Calls by their workers.
    working: BTreeMap<Pid, u64>,
    /// Somebody is left who can call.
    is_listening: bool,
    end: Option<End>,
}

impl Attendant<'_> {
    fn turn(&mut self) -> nix::Result<Option<End>> {
        let (ended, asked, looked_up) = {
            let mut watched = vec![PollFd::new(self.children.as_fd(), PollFlags::POLLIN)];
            if self.is_listening {
                watched.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
            }
            let others = watched.len();
            watched.extend(self.resolver.watched().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            poll(&mut watched, PollTimeout::NONE)?;
            let is_ready = |one: &PollFd<'_>| one.revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
            let asked = watched[1..others].iter().any(is_ready);
            // A listener that nobody can call any more is always ready, and that the command has ended comes a while later.
            self.is_listening &= asked || !watched[1..others].iter().any(|one| one.any().unwrap_or(true));
            // One that has hung up is let go of.
            let looked_up = watched[others..].iter().any(|one| one.any().unwrap_or(true));
            (is_ready(&watched[0]), asked, looked_up)
        };
        if ended {
            while self.children.read_signal()?.is_some() {}
            self.reap()?;
        }
        if looked_up {
            let (reached, tell) = (&mut self.reached, self.tell);
            self.resolver.serve(&mut self.names, |name| reach(reached, tell, name));
        }
        if asked {
            match sys::receive(&self.listener) {
                Ok(notice) => self.consider(&notice),
                // Its thread is gone.
                Err(Errno::ENOENT | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.start();
        Ok(self.end.filter(|_| self.working.is_empty()))
    }

    fn reap(&mut self) -> nix::Result<()> {
        loop {
            let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, End::Exited(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Signalled(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            if pid == self.command {
                self.end = Some(end);
            } else if let Some(id) = self.working.remove(&pid) {
                self.answer(id, of_worker(end));
            }
        }
    }

    fn consider(&mut self, notice: &Notice) {
        if let Some((addresses, protocol)) = reach::targets(notice) {
            for address in addresses {
                let host = match self.names.of(address.ip()) {
                    Some(name) => format!("{name}:{}/{protocol}", address.port()),
                    None => format!("{address}/{protocol}"),
                };
                reach(&mut self.reached, self.tell, host);
            }
        }
        if links::is_refused(notice) {
            return self.answer(notice.id, Reply::Failed(Errno::EXDEV));
        }
        match rename::job(notice) {
            // What was opened for it is the caller's, if the caller still waits.
            Some(job) if sys::waits(&self.listener, notice.id) => self.waiting.push_back(job),
            Some(_) => {}
            None => self.answer(notice.id, Reply::Kernel),
        }
    }

    fn start(&mut self) {
        while self.end.is_none() && self.working.len() < WORKERS {
            let Some(job) = self.waiting.pop_front() else { return };
            let id = job.id;
            // Who asked for it died before it began.
            if !sys::waits(&self.listener, id) {
                continue;
            }
            match crate::sys::fork() {
                Ok(crate::sys::Side::Child) => crate::sys::exit_now(rename::work(job, self.confine)),
                Ok(crate::sys::Side::Parent(worker)) => {
                    self.working.insert(worker, id);
                }
                Err(_) => self.answer(id, Reply::Kernel),
            }
        }
    }

    fn answer(&self, id: u64, reply: Reply) {
        // An error means that the caller is gone.
        let _ = sys::answer(&self.listener, id, reply);
    }
}

fn reach(reached: &mut Reached, tell: Tell<'_>, host: String) {
    let counted = reached.more;
    match reached.add(host.clone()) {
        Added::New => tell(Some(&host)),
        Added::Counted if counted == 0 => tell(None),
        Added::Counted | Added::Known => {}
    }
}

fn of_worker(end: End) -> Reply {
    match end {
        End::Exited(0) => Reply::Done,
        End::Exited(errno) => Reply::Failed(Errno::from_raw(errno)),
        End::Signalled(_) | End::Failed(_) | End::Killed | End::OutOfMemory => Reply::Failed(Errno::EIO),
    }
}
