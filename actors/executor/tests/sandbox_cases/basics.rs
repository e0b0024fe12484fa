//! What a command finds, and what is said of how it ended.

use std::time::Instant;

use executor::limits::SANDBOXES_MAX;
use schema::tool::{Admitted, Ended};
use tokio::sync::Notify;

use super::world::{World, show};
use super::{Verdict, ensure};

pub async fn a_command_finds_its_workspace_and_nothing_of_ours(world: &World) -> Verdict {
    let said = world
        .said("pwd; id -u; id -g; hostname 2>/dev/null || cat /etc/hostname; env | sort; ls /proc/self/fd")
        .await?;
    let wanted = "/workspace\n1000\n1000\nsandbox\nHOME=/workspace\nLANG=C.UTF-8\n\
                  PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin\nPWD=/workspace\nTERM=dumb\n\
                  TMPDIR=/tmp\nUSER=user\n0\n1\n2\n3\n";
    ensure(said == wanted, || format!("{said:?}"))
}

pub async fn standard_input_is_empty(world: &World) -> Verdict {
    let said = world.said("wc -c").await?;
    ensure(said.trim() == "0", || said.clone())
}

pub async fn exit_statuses_and_signals_are_told(world: &World) -> Verdict {
    for code in [0, 1, 42, 255] {
        let outcome = world.sh(&format!("exit {code}")).await;
        ensure(outcome.ended == (Ended::Exited { code }), || show(&outcome))?;
    }
    for signal in [1, 6, 9, 11, 15] {
        let outcome = world.sh(&format!("kill -{signal} $$")).await;
        ensure(outcome.ended == (Ended::Signalled { signal }), || show(&outcome))?;
    }
    let outcome = world.sh("no-such-program").await;
    ensure(outcome.ended == (Ended::Exited { code: 127 }) && !outcome.stderr.is_empty(), || show(&outcome))
}

pub async fn output_and_errors_are_apart_and_binary_output_is_kept(world: &World) -> Verdict {
    let outcome = world.sh(r"printf 'a\000\377\n\r\033[31m'; printf 'wrong\200' >&2").await;
    let as_written = outcome.stdout == b"a\0\xff\n\r\x1b[31m" && outcome.stderr == b"wrong\x80";
    ensure(as_written && outcome.stdout_dropped_bytes == 0, || show(&outcome))
}

pub async fn output_comes_while_the_command_runs(world: &World) -> Verdict {
    let outcome = world.sh("echo early; echo early >&2; sleep 0.3; echo late").await;
    let streamed = world.streamed.borrow();
    let whole = |from: bool| -> Vec<u8> {
        streamed.iter().filter(|(from_stderr, _)| *from_stderr == from).flat_map(|(_, bytes)| bytes.clone()).collect()
    };
    let pieces = streamed.iter().filter(|(from_stderr, _)| !from_stderr).count();
    let equal = whole(false) == outcome.stdout && whole(true) == outcome.stderr;
    ensure(equal && pieces == 2, || format!("{streamed:?}; {}", show(&outcome)))
}

pub async fn what_a_command_writes_stays_and_its_tmp_does_not(world: &World) -> Verdict {
    world
        .said("mkdir -p kept/deep && echo text >kept/deep/file && echo gone >/tmp/gone && echo >/dev/shm/gone2")
        .await?;
    let said = world.said("cat kept/deep/file; ls -A /tmp; stat -c '%a %u' kept/deep/file").await?;
    ensure(said == "text\n644 1000\n", || said.clone())?;
    let outside = std::fs::read(world.workspace().join("kept/deep/file")).map_err(|error| error.to_string())?;
    ensure(outside == b"text\n", || format!("{outside:?}"))
}

pub async fn ordinary_programs_work(world: &World) -> Verdict {
    let said = world
        .said(
            "set -e; seq 1000 | sort -rn | head -1; echo a b | awk '{print $2}'; ls /usr/bin | grep -c . >/dev/null; \
             tar cf - /etc/passwd 2>/dev/null | tar tf - ; perl -e 'print 6*7, qq(\\n)'; nproc >/dev/null; date >/dev/null; \
             find /workspace -maxdepth 0; (sleep 0.01 & wait); echo $(getent passwd 1000 | cut -d: -f1); ln -s x l; rm l; \
             mkfifo p; (echo through >p &) ; cat p; rm p; cp --reflink=auto /etc/hosts h; mv h h2; rm h2; touch t; chmod 600 t; rm t; \
             df . >/dev/null; echo >/dev/null; head -c 4 /dev/urandom | wc -c; grep -c processor /proc/cpuinfo >/dev/null; echo done >/dev/stdout",
        )
        .await?;
    let wanted = "1000\nb\netc/passwd\n42\n/workspace\nuser\nthrough\n4\ndone\n";
    ensure(said == wanted, || format!("{said:?}"))
}

pub async fn each_sandbox_is_fresh(world: &World) -> Verdict {
    world.said("(sleep 100 &) ; sleep 0.05").await?;
    let said = world.said("ls -d /proc/[0-9]* | wc -l; ls -A /tmp | wc -l").await?;
    // The shell, ls and wc, or fewer; the init is hidden, and nothing of the sandbox before is left.
    let processes: u32 = said.lines().next().and_then(|line| line.trim().parse().ok()).unwrap_or(99);
    ensure(processes <= 3 && said.ends_with("0\n"), || said.clone())
}

pub async fn actions_run_at_once_and_do_not_mix(world: &World) -> Verdict {
    let started = Instant::now();
    let run = |text: &'static str| world.said(text);
    let (a, b, c, d) = tokio::join!(
        run("sleep 0.5; echo a"),
        run("sleep 0.5; echo b"),
        run("sleep 0.5; echo c"),
        run("sleep 0.5; echo d")
    );
    let told = [a?, b?, c?, d?].concat();
    ensure(told == "a\nb\nc\nd\n" && started.elapsed().as_millis() < 1500, || {
        format!("{told:?} {:?}", started.elapsed())
    })
}

pub async fn one_too_many_is_refused_by_name(world: &World) -> Verdict {
    let as_many = super::warm::together((0..SANDBOXES_MAX).map(|_| world.sh("sleep 0.5")).collect());
    let (as_many, last) = tokio::join!(as_many, async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        world.sh("true").await
    });
    for outcome in as_many {
        ensure(outcome.ended == (Ended::Exited { code: 0 }), || show(&outcome))?;
    }
    let text = String::from_utf8_lossy(&last.stderr).into_owned();
    ensure(last.ended == Ended::Failed && text.contains("one more sandbox"), || show(&last))
}

pub async fn cancelling_kills_it_all(world: &World) -> Verdict {
    let (cancel, started) = (Notify::new(), Instant::now());
    let command = "(setsid sh -c 'while :; do date +%N >nevermore; sleep 0.02; done' &) ; sleep 60".to_owned();
    let call = Admitted::RunCommand { command, timeout_ms: 60_000, paths: Vec::new(), image: None };
    let (outcome, ()) = tokio::join!(world.call_until(call, &cancel), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        cancel.notify_one();
    });
    ensure(outcome.ended == Ended::Cancelled && started.elapsed().as_secs() < 5, || show(&outcome))?;
    super::limits::leaves_nothing(world, "nevermore").await
}

pub async fn a_command_that_is_too_long_or_has_a_zero_is_refused(world: &World) -> Verdict {
    let long = world.sh(&format!("echo {}", "x".repeat(140_000))).await;
    let zero = world.sh("echo a\0b").await;
    ensure(long.ended == Ended::Failed && zero.ended == Ended::Failed, || show(&long))?;
    let edge = world.sh(&format!("echo {}", "x".repeat(131_000 - 5))).await;
    ensure(edge.stdout.len() == 131_000 - 4, || show(&edge))
}
