//! Sandboxes that are made beforehand: used once, holding nothing of each other, replaced when they die.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use executor::limits::{SANDBOXES_MAX, WAITING_SANDBOXES};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schema::tool::Ended;

use super::world::{World, show};
use super::{Verdict, ensure};

/// What the test program does when started with this argument: its maker is killed while a command runs.
pub const KILL_MAKER: &str = "kill-the-maker";

/// Descriptors of the first process of a sandbox that waits.
const OF_THE_FIRST: usize = 12;

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn children(pid: u32) -> Vec<u32> {
    let all = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    all.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// The only child that this process has.
fn maker() -> Result<u32, String> {
    match children(std::process::id())[..] {
        [maker] => Ok(maker),
        ref other => Err(format!("one maker was expected, there are {other:?}")),
    }
}

/// The sandboxes, once as many as ever wait are there and nothing else.
async fn waiting() -> Result<Vec<u32>, String> {
    let maker = maker()?;
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let all = children(maker);
        // Each has closed what is not its own.
        let open = |pid: &u32| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let is_ready = |pid: &u32| open(pid) == OF_THE_FIRST && children(*pid).into_iter().all(is_sealed);
        if all.len() == WAITING_SANDBOXES && all.iter().all(is_ready) {
            return Ok(all);
        }
    }
    let all = children(maker);
    Err(format!("{WAITING_SANDBOXES} sandboxes should wait, there are {all:?}"))
}

pub async fn nothing_is_used_twice(world: &World) -> Verdict {
    let mut used = BTreeSet::new();
    for _ in 0..5 {
        let before = waiting().await?;
        let said = world.said("ls -A /tmp; ls -d /proc/[0-9]* | wc -l; echo x >/tmp/mine; (sleep 100 &)").await?;
        let processes: u32 = said.trim().parse().map_err(text)?;
        ensure(processes <= 3, || said.clone())?;
        let after = waiting().await?;
        let gone: Vec<u32> = before.into_iter().filter(|pid| !after.contains(pid)).collect();
        ensure(gone.len() == 1 && used.insert(gone[0]), || format!("{gone:?} after {used:?}"))?;
        ensure(after.iter().all(|pid| !used.contains(pid)), || format!("{after:?} after {used:?}"))?;
    }
    Ok(())
}

pub async fn those_that_wait_share_no_namespace(_: &World) -> Verdict {
    let all = waiting().await?;
    for name in ["cgroup", "ipc", "mnt", "net", "pid", "uts", "user", "time_for_children"] {
        let own = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/{name}")).map_err(text);
        let mut seen = BTreeSet::from([own(maker()?)?]);
        for pid in &all {
            ensure(seen.insert(own(*pid)?), || format!("{name} of {pid} is another's too: {seen:?}"))?;
        }
    }
    Ok(())
}

pub async fn one_that_waits_has_only_its_own_descriptors(world: &World) -> Verdict {
    let all = waiting().await?;
    let mut lines = BTreeSet::new();
    for pid in &all {
        // Standard input, output and error of the maker; its own line; the copies of the workspace, which a command in the
        // background works over; the two directories of its own empty layer; its resolver.
        for number in 0..8 {
            let to = fs::read_link(format!("/proc/{pid}/fd/{number}")).map_err(text)?.display().to_string();
            ensure(!matches!(number, 3 | 7) || to.starts_with("socket:"), || format!("{number} is {to}"))?;
            ensure(number != 4 || to == "/tmp", || format!("{number} is {to}"))?;
            ensure(!matches!(number, 5 | 6) || to.ends_with("upper") || to.ends_with("work"), || {
                format!("{number} is {to}")
            })?;
            lines.extend((number == 3).then_some(to));
        }
        // And what it has of the process that becomes the command, which has its line to it, rules that are not in force yet, and no more.
        let [command] = children(*pid)[..] else { return Err(format!("{pid} has {:?}", children(*pid))) };
        let mut others: Vec<String> =
            links(*pid)?.into_iter().filter(|(number, _)| *number >= 8).map(|(_, to)| to).collect();
        others.sort();
        let [notified, signals, resolver, line] = &others[..] else { return Err(format!("{others:?}")) };
        let expected = notified == "anon_inode:[signalfd]" && signals == "anon_inode:seccomp notify";
        let sockets = [resolver, line].iter().all(|to| to.starts_with("socket:"));
        ensure(expected && sockets, || format!("{others:?}"))?;
        // Into that nobody looks, the account's own processes neither.
        let looked = links(command);
        ensure(looked.as_ref().is_err_and(|why| why.contains("denied")), || format!("{looked:?}"))?;
    }
    ensure(lines.len() == all.len(), || format!("{lines:?} are the lines of {all:?}"))?;
    // And nothing of it is there for a command.
    let said = world.said("ls /proc/self/fd | tr '\\n' ' '; ls -l /proc/[0-9]*/fd 2>&1 | grep -c socket; true").await?;
    ensure(said == "0 1 2 3 0\n", || said.clone())
}

/// Where the descriptors of a process lead to, by number.
fn links(pid: u32) -> Result<Vec<(u32, String)>, String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).map_err(text)? {
        let entry = entry.map_err(text)?;
        let number = entry.file_name().to_string_lossy().parse().map_err(text)?;
        all.push((number, fs::read_link(entry.path()).map_err(text)?.display().to_string()));
    }
    all.sort();
    Ok(all)
}

/// A line of the process's status, without its name.
fn status(pid: u32, name: &str) -> Option<String> {
    let all = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    all.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// Whether a command's process has given up all that it ever gives up.
fn is_sealed(command: u32) -> bool {
    let filters = |pid| status(pid, "Seccomp_filters").and_then(|count| count.parse::<u32>().ok());
    let makers = maker().ok().and_then(filters);
    // Besides the maker's: what tells the first process of its calls, and what it gives up.
    makers.is_some() && filters(command) == makers.map(|count| count + 2)
}

pub async fn the_commands_process_is_sealed_before_it_is_told_anything(_: &World) -> Verdict {
    for pid in waiting().await? {
        let [command] = children(pid)[..] else { return Err(format!("{pid} has {:?}", children(pid))) };
        ensure(is_sealed(command), || format!("{command} of {pid}"))?;
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let held = status(command, set);
            ensure(held.as_deref() == Some("0000000000000000"), || format!("{set} {held:?}"))?;
        }
        ensure(status(command, "NoNewPrivs").as_deref() == Some("1"), || format!("{command}"))?;
    }
    Ok(())
}

pub async fn one_that_dies_waiting_is_replaced(world: &World) -> Verdict {
    let before = waiting().await?;
    for pid in &before {
        kill(Pid::from_raw(*pid as i32), Signal::SIGKILL).map_err(text)?;
    }
    for _ in 0..500 {
        let after = waiting().await?;
        if after.iter().all(|pid| !before.contains(pid)) {
            let said = world.said("echo still here").await?;
            return ensure(said == "still here\n", || said.clone());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("{before:?} were not replaced"))
}

pub async fn one_whose_init_is_killed_says_so_and_changes_nothing(world: &World) -> Verdict {
    let before = waiting().await?;
    let (outcome, killed) = tokio::join!(world.sh("echo x >halfway; sleep 60"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let runs = |pid: &u32| {
            children(*pid)
                .iter()
                .any(|own| fs::read_to_string(format!("/proc/{own}/comm")).is_ok_and(|name| name == "sh\n"))
        };
        let used = children(maker()?).into_iter().filter(|pid| before.contains(pid) && runs(pid));
        used.map(|pid| kill(Pid::from_raw(pid as i32), Signal::SIGKILL).map_err(text)).collect::<Result<Vec<_>, _>>()
    });
    ensure(killed?.len() == 1 && outcome.ended == (Ended::Signalled { signal: 9 }), || show(&outcome))?;
    super::limits::leaves_nothing(world, "halfway").await
}

pub async fn a_hundred_at_once_are_answered_or_told_that_it_is_too_many(world: &World) -> Verdict {
    let command = |number| format!("sleep 0.2; echo {number}; cat /tmp/mine; echo {number} >/tmp/mine");
    let outcomes = together((0..100).map(|number| world.sh_owned(command(number))).collect()).await;
    let (mut answered, mut refused) = (0, 0);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
        if outcome.stdout == format!("{number}\n").into_bytes() && outcome.ended == (Ended::Exited { code: 0 }) {
            answered += 1;
        } else {
            ensure(outcome.ended == Ended::Failed && error.contains("one more sandbox"), || show(&outcome))?;
            refused += 1;
        }
    }
    ensure(answered == SANDBOXES_MAX && refused == 100 - SANDBOXES_MAX, || format!("{answered}, {refused}"))?;
    waiting().await.map(drop)
}

/// All of them at once, their results in order.
pub async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut left: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, result) in left.iter_mut().filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *result = Some(ready);
            }
        }
        if left.iter().all(|(_, result)| result.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    left.into_iter().filter_map(|(_, result)| result).collect()
}

pub async fn the_hosts_uptime_is_not_seen(world: &World) -> Verdict {
    let host: f64 = uptime(&fs::read_to_string("/proc/uptime").map_err(text)?)?;
    ensure(host > 60.0, || format!("the host is up for {host} s: too short to tell"))?;
    let inside = world.said("cat /proc/uptime; perl -e 'use Time::HiRes; print Time::HiRes::clock_gettime(1)'").await?;
    for line in inside.lines() {
        ensure(uptime(line)? < 60.0, || inside.clone())?;
    }
    Ok(())
}

fn uptime(line: &str) -> Result<f64, String> {
    line.split_whitespace().next().unwrap_or("").parse().map_err(text)
}

/// The other half of [`a_killed_maker_takes_everything_along`], in a process of its own.
pub async fn kill_the_maker(world: &World) -> Verdict {
    let all = waiting().await?;
    let maker = maker()?;
    tokio::select! {
        outcome = world.sh("sleep 60") => return Err(show(&outcome)),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    kill(Pid::from_raw(maker as i32), Signal::SIGKILL).map_err(text)?;
    for _ in 0..100 {
        // Reaped by whoever is process 1 here.
        let alive = |pid: &&u32| {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
        };
        if all.iter().find(alive).is_none() {
            println!("everything is gone");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("some of {all:?} are still there"))
}

pub async fn a_killed_maker_takes_everything_along(_: &World) -> Verdict {
    let program = std::env::current_exe().map_err(text)?;
    let output = Command::new(program).arg(KILL_MAKER).output().map_err(text)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure(said.contains("everything is gone"), || format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}
