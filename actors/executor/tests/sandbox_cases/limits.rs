//! What bounds a command.

use std::time::{Duration, Instant};

use schema::limits::OUTPUT_KEPT_BYTES;
use schema::tool::{Ended, Limit};

use super::world::{World, show};
use super::{Verdict, ensure};

/// The file of that name in the workspace exists and nobody writes to it any more.
pub async fn stays_as_it_is(world: &World, name: &str) -> Verdict {
    let look = || std::fs::read(world.workspace().join(name)).map_err(|error| format!("{name}: {error}"));
    let before = look()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = look()?;
    ensure(before == after, || format!("{name} is still written to: {before:?}, {after:?}"))
}

/// What was killed is gone, and so is all that it wrote: no process has `name` in its command line, no file is of that name.
pub async fn leaves_nothing(world: &World, name: &str) -> Verdict {
    tokio::time::sleep(Duration::from_millis(100)).await;
    ensure(!world.workspace().join(name).exists(), || format!("{name} is there"))?;
    let processes = std::fs::read_dir("/proc").map_err(|error| error.to_string())?;
    for process in processes.flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        ensure(!line.contains(name), || format!("still there: {line}"))?;
    }
    Ok(())
}

pub async fn a_timeout_kills_daemons_too(world: &World) -> Verdict {
    let started = Instant::now();
    let command = "trap '' TERM HUP INT; \
                   perl -MPOSIX -e 'fork and exit; setsid; fork and exit; $SIG{$_}=q(IGNORE) for qw(TERM HUP INT); \
                   while(1){open F,q(>),q(undying);print F rand;close F;select undef,undef,undef,0.02}' & \
                   sleep 60";
    let outcome = world.sh_for(command, 500).await;
    ensure(outcome.ended == Ended::TimedOut && started.elapsed().as_millis() < 3000, || show(&outcome))?;
    ensure((500..3000).contains(&outcome.ms), || format!("{} ms", outcome.ms))?;
    leaves_nothing(world, "undying").await
}

pub async fn the_end_of_a_command_ends_its_daemons(world: &World) -> Verdict {
    let command = "(setsid sh -c 'while :; do date +%N >background; sleep 0.02; done' >/dev/null 2>&1 &) ; sleep 0.2";
    let outcome = world.sh(command).await;
    ensure(outcome.ended == (Ended::Exited { code: 0 }), || show(&outcome))?;
    stays_as_it_is(world, "background").await
}

pub async fn a_fork_bomb_is_bounded(world: &World) -> Verdict {
    let bomb = "perl -e 'my $n=0; while(1){my $p=fork; if(!defined $p){print STDERR qq(full at $n\\n); exit 3} $n++ if $p; sleep 60 unless $p}'";
    let outcome = world.sh_for(bomb, 30_000).await;
    let told = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let count: u64 = told
        .split("full at ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| show(&outcome))?;
    ensure(count < executor::limits::PROCESSES && outcome.ended == Ended::Exited { code: 3 }, || show(&outcome))?;
    let storm = world.sh_for("bomb() { bomb | bomb & }; bomb & exec sleep 60", 1500).await;
    ensure(storm.ended == Ended::TimedOut, || show(&storm))?;
    let said = world.said("echo still here").await?;
    ensure(said == "still here\n", || said.clone())
}

pub async fn a_flood_of_output_is_cut_to_its_tail(world: &World) -> Verdict {
    let before = resident_kib()?;
    let outcome = world.sh_for("yes flood & yes other >&2 & sleep 1; exit 0", 10_000).await;
    let whole = outcome.stdout.len() == OUTPUT_KEPT_BYTES && outcome.stderr.len() == OUTPUT_KEPT_BYTES;
    ensure(whole && outcome.stdout_dropped_bytes > 1 << 20, || {
        format!("{} {} {}", outcome.stdout.len(), outcome.stderr.len(), outcome.stdout_dropped_bytes)
    })?;
    let after = resident_kib()?;
    ensure(after < before + 16 * 1024, || format!("{before} KiB before, {after} KiB after"))?;
    let exact = world.sh("head -c 1000000 /dev/zero; printf end").await;
    let total = exact.stdout.len() as u64 + exact.stdout_dropped_bytes;
    ensure(total == 1_000_003 && exact.stdout.ends_with(b"\0end"), || format!("{total}"))
}

fn resident_kib() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| "no VmRSS".to_owned())
}

pub async fn memory_is_bounded(world: &World) -> Verdict {
    let outcome = world.sh("perl -e '$x = q(a) x (3<<30); print length $x'").await;
    ensure(outcome.stdout.is_empty() && outcome.ended != (Ended::Exited { code: 0 }), || show(&outcome))?;
    let small = world.said("perl -e '$x = q(a) x (300<<20); print length $x'").await?;
    ensure(small == "314572800", || small.clone())
}

/// Each of them has less than a process may have.
pub async fn memory_of_all_processes_together_is_bounded(world: &World) -> Verdict {
    let one = "perl -e '$x = q(a) x (900<<20); print 1; sleep 60'";
    let outcome = world.sh_for(&format!("for i in 1 2 3 4; do {one} & done; wait"), 60_000).await;
    ensure(outcome.ended == (Ended::Signalled { signal: 9 }), || show(&outcome))?;
    ensure(outcome.limit == Some(Limit::Memory), || format!("{:?}", outcome.limit))?;
    let said = world.said("echo still here").await?;
    ensure(said == "still here\n", || said.clone())
}

pub async fn files_descriptors_tmp_and_core_dumps_are_bounded(world: &World) -> Verdict {
    let big = world.sh("truncate -s 2G big; echo $?; rm -f big").await;
    ensure(!big.stdout.starts_with(b"0"), || show(&big))?;
    let tmp = world.sh("dd if=/dev/zero of=/tmp/fill bs=1M count=400 2>&1; ls -s --block-size=1M /tmp/fill").await;
    let text = String::from_utf8_lossy(&tmp.stdout).into_owned();
    ensure(text.contains("No space left"), || show(&tmp))?;
    let limits = world.said("ulimit -n; ulimit -c; ulimit -Hn").await?;
    ensure(limits == "1024\n0\n1024\n", || limits.clone())?;
    let core = world.sh("sh -c 'kill -ABRT $$'; ls core* 2>/dev/null; true").await;
    ensure(core.stdout.is_empty(), || show(&core))?;
    // Exactly 1 byte: no file fits in it, and a host's dump handler behind a pipe is not called (0 would not stop that).
    let bound = world.said("awk '/^Max core file size/ { print $5, $6 }' /proc/self/limits").await?;
    ensure(bound == "1 1\n", || bound.clone())
}

pub async fn processor_time_is_bounded(world: &World) -> Verdict {
    let limit = world.sh_for("ulimit -t", 5000).await;
    ensure(limit.stdout == b"6\n", || show(&limit))
}

pub async fn the_limit_that_a_command_ran_into_is_named(world: &World) -> Verdict {
    let burn = "perl -e '1 while 1'";
    let file = "perl -e 'truncate q(big), 2<<30 or die $!'";
    for (command, limit) in [
        (&format!("ulimit -S -t 1; exec {burn}")[..], Some(Limit::Cpu)),
        (&format!("ulimit -S -t 1; {burn}; exit $?"), Some(Limit::Cpu)),
        ("dd if=/dev/zero of=big bs=1M seek=1023 count=2 conv=notrunc 2>/dev/null", Some(Limit::FileSize)),
        (&format!("{file}; exit $?"), Some(Limit::FileSize)),
        ("fallocate -l 500M big; head -c 20M /dev/zero >b", Some(Limit::Disk)),
        ("dd if=/dev/zero of=/tmp/fill bs=1M count=400 2>/dev/null", Some(Limit::Disk)),
        ("perl -e 'for (1..100000) { open F, q(>), qq(/tmp/$_) or die }' 2>/dev/null", Some(Limit::Files)),
        ("sleep 60", Some(Limit::WallTime)),
        ("dd if=/dev/zero of=/tmp/fill bs=1M count=400 2>/dev/null; true", None),
        ("exit 24", None),
        ("kill -TERM $$", None),
    ] {
        let outcome = world.sh_for(command, 8000).await;
        ensure(outcome.limit == limit, || format!("{command}: {:?} {}", outcome.limit, show(&outcome)))?;
    }
    world.said("rm -f big b").await.map(drop)
}
