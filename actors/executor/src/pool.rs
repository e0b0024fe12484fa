//! The sandboxes of a maker: some wait, made for nothing in particular; each is used once and never again.
//!
//! A waiting sandbox has all that needs no request: its namespaces, id maps, /proc, /tmp, loopback interface. The layer
//! over the workspace comes with the request, since a lower layer must not change under a mounted overlay.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, socketpair};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use seccompiler::BpfProgram;

use crate::limits::{
    FIRST_SANDBOX_AFTER_MS, MEMORY_LOOK_MS, PAYLOAD_BYTES, REFILL_AFTER_MS, SANDBOXES_ENDING_MAX, SANDBOXES_MAX,
    WAITING_SANDBOXES,
};
use crate::record::{Ask, END_BYTES, End};
use crate::sandbox::{self, NAMESPACES, say};
use crate::step::{At, Failure, Step};
use crate::{line, memory, sys};

/// A sandbox's process 1, and the line to it.
struct Sandbox {
    pid: i32,
    pidfd: OwnedFd,
    line: OwnedFd,
}

/// One that has a request.
struct Running {
    run: u64,
    sandbox: Sandbox,
    /// How it ended, said by its process 1 before it is gone.
    said: Option<End>,
}

/// All sandboxes.
pub struct Pool<'a> {
    filter: &'a BpfProgram,
    waiting: Vec<Sandbox>,
    running: Vec<Running>,
    /// When to make another one that waits; `None` while there are enough, or none can be made.
    refill_at: Option<Instant>,
    /// What the processes of one may have in memory together.
    memory_bytes: u64,
    /// When it was last seen how much they have.
    looked_at: Instant,
}

/// Something that happened to a sandbox, found by its place.
#[derive(Clone, Copy)]
enum Event {
    WaitingEnded(usize),
    RunningSpoke(usize),
    RunningEnded(usize),
}

impl<'a> Pool<'a> {
    /// None yet; the first is made when nothing else is to do.
    pub fn new(filter: &'a BpfProgram) -> Pool<'a> {
        let refill_at = Some(Instant::now() + FIRST_SANDBOX_AFTER_MS);
        let (memory_bytes, looked_at) = (memory::bound(), Instant::now());
        Pool { filter, waiting: Vec::new(), running: Vec::new(), refill_at, memory_bytes, looked_at }
    }

    /// Makes another waiting sandbox when the maker has had nothing to do for a while: what runs comes first.
    fn refill_later(&mut self) {
        self.refill_at = Some(Instant::now() + REFILL_AFTER_MS);
    }

    /// How long the maker may wait for anything to happen, milliseconds.
    pub fn patience(&self) -> Option<u16> {
        let refill_at = self.refill_at.filter(|_| self.waiting.len() < WAITING_SANDBOXES);
        let look_at = (!self.running.is_empty()).then_some(self.looked_at + MEMORY_LOOK_MS);
        let next = refill_at.into_iter().chain(look_at).min()?;
        let left = next.saturating_duration_since(Instant::now());
        Some(u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX))
    }

    /// Kills those whose processes have too much memory together.
    pub fn look_at_memory(&mut self) {
        if self.running.is_empty() || self.looked_at.elapsed() < MEMORY_LOOK_MS {
            return;
        }
        let all = memory::processes();
        for one in self.running.iter_mut().filter(|one| one.said.is_none()) {
            if memory::below(one.sandbox.pid, &all) > self.memory_bytes {
                one.said = Some(End::OutOfMemory);
                // An error means that it has just ended.
                let _ = sys::kill(one.sandbox.pidfd.as_fd());
            }
        }
        self.looked_at = Instant::now();
    }

    /// Nothing happened for that long.
    pub fn refill(&mut self) {
        if self.waiting.len() >= WAITING_SANDBOXES || self.refill_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        match make(self.filter) {
            Ok(sandbox) => {
                self.waiting.push(sandbox);
                self.refill_at = Some(Instant::now());
            }
            Err(failure) => {
                say(format_args!("no sandbox waits: {failure}"));
                self.refill_at = None;
            }
        }
    }

    /// What may happen.
    fn events(&self) -> impl Iterator<Item = Event> {
        let speaks = |at: &usize| self.running.get(*at).is_some_and(|one| one.said.is_none());
        let waiting = (0..self.waiting.len()).map(Event::WaitingEnded);
        let spoken = (0..self.running.len()).filter(speaks).map(Event::RunningSpoke);
        waiting.chain(spoken).chain((0..self.running.len()).map(Event::RunningEnded))
    }

    /// What to watch, in the order that [`attend`](Self::attend) expects.
    pub fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        let descriptor = |event| match event {
            Event::WaitingEnded(at) => self.waiting[at].pidfd.as_fd(),
            Event::RunningSpoke(at) => self.running[at].sandbox.line.as_fd(),
            Event::RunningEnded(at) => self.running[at].sandbox.pidfd.as_fd(),
        };
        self.events().map(move |event| PollFd::new(descriptor(event), PollFlags::POLLIN))
    }

    /// Deals with what [`watched`](Self::watched) saw; returns how actions ended.
    pub fn attend(&mut self, happened: &[bool]) -> Vec<(u64, End)> {
        let events = self.events().zip(happened);
        let events: Vec<Event> = events.filter_map(|(event, happened)| happened.then_some(event)).collect();
        let mut answers = Vec::new();
        for event in &events {
            if let Event::RunningSpoke(at) = *event {
                self.running[at].hear();
            }
        }
        // The last place first: removing one moves only those behind it.
        for event in events.into_iter().rev() {
            match event {
                Event::WaitingEnded(at) => self.lost(at),
                Event::RunningSpoke(_) => {}
                Event::RunningEnded(at) => {
                    answers.push(self.running.remove(at).end());
                    self.refill_later();
                }
            }
        }
        answers
    }

    /// One that waited is gone before it was needed.
    fn lost(&mut self, at: usize) {
        let sandbox = self.waiting.remove(at);
        sandbox.reap();
        match sandbox.record() {
            // It would fail again: the next request tries, and is told.
            Some(End::Failed(failure)) => {
                say(format_args!("no sandbox waits: {failure}"));
                self.refill_at = None;
            }
            Some(End::Exited(_) | End::Signalled(_) | End::Killed | End::OutOfMemory) | None => self.refill_later(),
        }
    }

    /// Hands a request to a sandbox that waits, or to a fresh one.
    ///
    /// # Errors
    /// The failed step.
    pub fn run(&mut self, ask: Ask, descriptors: &[OwnedFd]) -> Result<(), Failure> {
        let malformed = Failure::new(Step::Payload, libc::EINVAL);
        let Ask::Run { run, payload_bytes, .. } = ask else { return Err(malformed) };
        if payload_bytes as usize > PAYLOAD_BYTES {
            return Err(malformed);
        }
        let at_work = self.running.iter().filter(|one| one.said.is_none()).count();
        if at_work >= SANDBOXES_MAX || self.running.len() >= SANDBOXES_ENDING_MAX {
            return Err(Failure::new(Step::TooMany, 0));
        }
        let sandbox = self.hand_over(ask, descriptors)?;
        if self.running.is_empty() {
            self.looked_at = Instant::now();
        }
        self.running.push(Running { run, sandbox, said: None });
        self.refill_later();
        Ok(())
    }

    fn hand_over(&mut self, ask: Ask, descriptors: &[OwnedFd]) -> Result<Sandbox, Failure> {
        let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        while !self.waiting.is_empty() {
            let sandbox = self.waiting.remove(0);
            match line::pass_on(&sandbox.line, ask, &numbers) {
                Ok(()) => return Ok(sandbox),
                // It has just died.
                Err(_) => sandbox.reap(),
            }
        }
        let sandbox = make(self.filter)?;
        match line::pass_on(&sandbox.line, ask, &numbers) {
            Ok(()) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(sandbox),
            Err(errno) => Err(Failure::new(Step::Payload, errno as i32)),
        }
    }

    /// Kills the sandbox of that action, with everything in it.
    pub fn kill(&self, run: u64) {
        if let Some(one) = self.running.iter().find(|one| one.run == run) {
            // An error means that it has just ended, which poll says next.
            let _ = sys::kill(one.sandbox.pidfd.as_fd());
        }
    }
}

impl Running {
    fn hear(&mut self) {
        // A closed line is ready too: its process is about to end.
        self.said = Some(self.sandbox.record().unwrap_or(End::Killed));
    }

    /// It is gone: how.
    fn end(self) -> (u64, End) {
        self.sandbox.reap();
        (self.run, self.said.or_else(|| self.sandbox.record()).unwrap_or(End::Killed))
    }
}

impl Sandbox {
    /// The next record that its process 1 has sent, if there is one.
    fn record(&self) -> Option<End> {
        let mut bytes = [0; END_BYTES + 1];
        let length = recv(self.line.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT).ok()?;
        End::from_bytes(bytes.get(..length)?)
    }

    fn reap(&self) {
        match waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED) {
            Ok(_) | Err(Errno::ECHILD) => {}
            Err(errno) => say(format_args!("reaping a sandbox: {errno}")),
        }
    }
}

/// Starts the process 1 of a sandbox, which then makes the rest of it by itself.
fn make(filter: &BpfProgram) -> Result<Sandbox, Failure> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).at(Step::Pipe)?;
    match sys::clone_into(NAMESPACES).at(Step::Namespaces)? {
        (sys::Side::Child, _) => sandbox::init(&theirs, filter),
        (sys::Side::Parent(pid), Some(pidfd)) => Ok(Sandbox { pid: pid.as_raw(), pidfd, line: ours }),
        (sys::Side::Parent(_), None) => Err(Failure::new(Step::Namespaces, libc::EBADF)),
    }
}
