//! The figures of transactions: a sandbox, what it changed, its commit and undo.

use std::time::Duration;

use harness::procs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;

use crate::calls::{self, Calls};
use crate::cells::{self, Bubblewrap};
use crate::changes::{self, To};
use crate::figures::Report;
use crate::report::{Amount, Target, a_second, mb, measured, ms, quoted};
use crate::sample::Sample;
use crate::tree::{self, ORDINARY, Running};
use crate::work;

/// Between two requests to a sandbox that shall have waited.
const PAUSE: Duration = Duration::from_millis(20);

fn median(sample: Result<Sample, String>) -> Result<Amount, String> {
    sample.map(|sample| ms(sample.median()))
}

impl Report {
    /// A sandbox, warm, cold, and many of them.
    pub fn sandboxes(&mut self) -> Result<(), String> {
        let running = Running::start(ORDINARY)?;
        running.wait_settled()?;
        let mut calls = Calls::connect(&running)?;
        let count = self.options.repetitions(300);
        for _ in 0..5 {
            calls.must("true")?;
        }
        let warm = Sample::take(count, || {
            std::thread::sleep(PAUSE);
            calls.must("true").map(|(took, _)| took)
        })?;
        let cold = Sample::take(self.options.repetitions(100), || {
            std::thread::sleep(PAUSE);
            running.end_waiting()?;
            calls.must("true").map(|(took, _)| took)
        })?;
        let from = std::time::Instant::now();
        for _ in 0..count {
            calls.must("true")?;
        }
        let rate = count as f64 / from.elapsed().as_secs_f64();
        running.stop()?;
        let bubblewrap = Bubblewrap::new(&self.options.peers, &self.scratch.0);
        let once = bubblewrap.as_ref().map_err(Clone::clone).and_then(|peer| Sample::take(count, || peer.once()));
        let peers_rate = bubblewrap.and_then(|peer| peer.a_second(count)).map(a_second);
        let (what, peer) =
            ("`true` in a sandbox that waited, from request to report", "bubblewrap, the same namespaces");
        let others = quoted("Codex's and other sandboxes, the fastest", ms(40.0));
        let p99 = once.as_ref().map(|sample| ms(sample.at(99))).map_err(Clone::clone);
        self.add(what, ms(warm.median()), Target::AtMost(2.0), vec![measured(peer, median(once)), others]);
        self.add(format!("{what}, 99th of 100"), ms(warm.at(99)), Target::AtMost(5.0), vec![measured(peer, p99)]);
        let floor = cells::floor(&self.options.sources.join("sandbox.c"), &self.scratch.0, count);
        let floor = measured("C program: namespaces, overlay, log entry", median(floor));
        let what = "`true` in a sandbox made for it, log entries included";
        self.add(what, ms(cold.median()), Target::TimesPeer(1.5), vec![floor]);
        let peer = measured("bubblewrap, two at a time", peers_rate);
        self.add(
            "sandboxes a second, one principal, sustained",
            a_second(rate),
            Target::AtLeastTimesPeer(1.5),
            vec![peer],
        );
        Ok(())
    }

    /// Memory of a sandbox that waits.
    pub fn waiting_sandbox(&mut self) -> Result<(), String> {
        let kinds = tree::idle_kb(ORDINARY)?;
        let (count, kb) = kinds.get("waiting sandbox").ok_or("no sandbox waits in an idle tree")?;
        let each = mb(kb / f64::from(*count) / 1e3);
        self.add(
            format!("memory of a sandbox that waits (PSS), each of {count}"),
            each,
            Target::AtMost(1.0),
            Vec::new(),
        );
        Ok(())
    }

    /// What was changed, made real, taken back.
    pub fn transactions(&mut self) -> Result<(), String> {
        let rounds = self.options.repetitions(30);
        let (many, name) = if self.options.is_quick { (10_000, "10^4") } else { (1_000_000, "10^6") };
        let few = changes::effects(&self.scratch.0, 10, rounds);
        let among = changes::effects(&self.scratch.0, many, rounds)?;
        let peer = measured("the same among 10", median(few));
        let what = format!("effects of 10 changes among {name} files");
        self.add(what, ms(among.median()), Target::TimesPeer(1.3), vec![peer]);
        self.commit_and_undo(To::Create, "commit of 1,000 small files, durable", rounds)?;
        self.commit_and_undo(To::Change, "commit of 1,000 changed small files, durable", rounds)
    }

    fn commit_and_undo(&mut self, to: To, what: &str, rounds: usize) -> Result<(), String> {
        let done = changes::commits(&self.scratch.0, rounds, to)?;
        let commit = ms(done.commit.median());
        let copy = measured("cp and one sync of the same", Ok(ms(done.copy.median())));
        self.add(what, commit, Target::TimesPeer(1.5), vec![copy]);
        let peer = measured("its commit, staging included in both", Ok(commit));
        self.add("undo of the same", ms(done.undo.median()), Target::TimesPeer(1.0), vec![peer]);
        Ok(())
    }

    /// A build and `git status`, inside and outside.
    pub fn real_work(&mut self) -> Result<(), String> {
        let running = Running::start(ORDINARY)?;
        let mut calls = Calls::connect(&running)?;
        let rounds = self.options.repetitions(20);
        let workspace = calls::workspace(&running);
        let build = work::build(&mut calls, &self.scratch.0, rounds)?;
        let git = work::git_status(&mut calls, &workspace, &self.scratch.0, rounds);
        running.stop()?;
        let direct = measured("outside", Ok(ms(build.outside.median())));
        self.add("build of a C project inside", ms(build.inside.median()), Target::TimesPeer(1.05), vec![direct]);
        let git = git?;
        let mut beside = Vec::new();
        beside.extend(git.overlay.map(|sample| measured("an overlay without our filters", Ok(ms(sample.median())))));
        beside.push(measured("outside", Ok(ms(git.outside.median()))));
        self.add("git status on 10^4 files inside", ms(git.inside.median()), Target::TimesPeer(1.1), beside);
        Ok(())
    }
}

impl Running {
    /// Ends the sandboxes that wait, and waits until they are gone: the next request finds none.
    fn end_waiting(&self) -> Result<(), String> {
        let roles = procs::roles_of(self.pid());
        let executor = roles.iter().find(|role| role.role == Role::Executor).ok_or("no executor runs")?;
        let below = procs::descendants(executor.pid);
        let parent = |pid: u32| procs::status(pid, "PPid").and_then(|text| text.parse::<u32>().ok());
        let waiting: Vec<u32> = below.into_iter().filter(|pid| parent(*pid) != Some(executor.pid)).collect();
        for pid in &waiting {
            let pid = i32::try_from(*pid).map_err(|e| e.to_string())?;
            // One that is gone already is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        while waiting.iter().any(|pid| procs::is_alive(*pid)) {
            std::thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    }
}
