//! Requests over a real edge, the test being the gate.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use executor::serve::{Desk, edge};
use kit::{Link, LinkError};
use schema::edge::Wire;
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::effects::Standing;
use schema::label::Label;
use schema::tool::{Admitted, Ended, ToolOutcome};
use tokio::task::JoinHandle;
use workspace::Change;

use super::world::{World, show};
use super::{Verdict, ensure};

type Gate = Link<ToExecutor, FromExecutor>;

/// A fresh edge to this desk, and the task that serves it.
async fn connect(desk: &Rc<Desk>) -> Result<(Gate, JoinHandle<Result<(), LinkError>>), String> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
    let served = serve_on(desk, theirs);
    let gate = Link::open(OwnedFd::from(ours), ExecutorWire::NAME, ExecutorWire::LIMIT_BYTES).await;
    Ok((gate.map_err(|error| error.to_string())?, served))
}

fn serve_on(desk: &Rc<Desk>, end: UnixStream) -> JoinHandle<Result<(), LinkError>> {
    let desk = desk.clone();
    tokio::task::spawn_local(async move {
        let link = Link::open(OwnedFd::from(end), ExecutorWire::NAME, ExecutorWire::LIMIT_BYTES).await?;
        let (reader, writer) = link.split();
        edge(&desk, reader, writer).await
    })
}

async fn run(gate: &mut Gate, action: u64, command: &str) -> Verdict {
    let call = Admitted::RunCommand { command: command.to_owned(), timeout_ms: 20_000, paths: Vec::new(), image: None };
    gate.send(&ToExecutor::Run { action, call, label: Label::OWN }).await.map_err(|error| error.to_string())
}

/// The next end of an action, output skipped; what it changes is committed.
async fn finished(gate: &mut Gate) -> Result<(u64, ToolOutcome), String> {
    let mut staged = None;
    loop {
        let told = tokio::time::timeout(Duration::from_secs(20), gate.recv()).await;
        match told.map_err(|_| "no end was told in time".to_owned())?.map_err(|error| error.to_string())? {
            FromExecutor::Finished { action, outcome } if outcome.standing == Standing::Staged => {
                let settle = ToExecutor::Settle { action, commit: true, label: Label::OWN };
                gate.send(&settle).await.map_err(|error| error.to_string())?;
                staged = Some(outcome);
            }
            FromExecutor::Finished { action, outcome } => return Ok((action, outcome)),
            FromExecutor::Settled { action, standing } => {
                let outcome = staged.take().ok_or("settled, but nothing was staged")?;
                let wrote = (standing == Standing::Committed).then_some(Label::OWN);
                return Ok((action, ToolOutcome { standing, wrote, ..outcome }));
            }
            FromExecutor::Output { .. }
            | FromExecutor::UndoPreviewed { .. }
            | FromExecutor::Uploaded { .. }
            | FromExecutor::Background { .. }
            | FromExecutor::Again { .. }
            | FromExecutor::Ended { .. } => {}
        }
    }
}

pub async fn an_action_asked_for_twice_is_carried_out_once(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    let command = "echo run >>counted; sleep 0.2; wc -l <counted";
    run(&mut gate, 10_001, command).await?;
    run(&mut gate, 10_001, command).await?;
    let (action, first) = finished(&mut gate).await?;
    ensure(action == 10_001 && first.stdout == b"1\n", || show(&first))?;
    run(&mut gate, 10_001, command).await?;
    let (_, again) = finished(&mut gate).await?;
    ensure(again == first, || show(&again))?;
    let counted = world.said("cat counted; rm counted").await?;
    ensure(counted == "run\n", || counted.clone())
}

/// Commits a file of this name beside what runs.
fn commit_beside(world: &World, action: u64, name: &str) -> Verdict {
    let (area, change) = (world.area(), Change::Write { path: name.into(), bytes: b"beside".to_vec(), mode: None });
    let mut area = area.borrow_mut();
    area.stage_changes(action, &[change]).map_err(|error| error.to_string())?;
    area.commit(action, b"").map(drop).map_err(|error| error.to_string())
}

pub async fn an_outdated_rehearsal_is_run_again(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    run(&mut gate, 10_101, "ls beside-1 >>seen 2>&1; sleep 0.5; wc -l <seen").await?;
    tokio::time::sleep(Duration::from_millis(250)).await;
    commit_beside(world, 10_102, "beside-1")?;
    let (_, outcome) = finished(&mut gate).await?;
    ensure(outcome.standing == Standing::Committed, || show(&outcome))?;
    let seen = world.said("cat seen; rm seen beside-1").await?;
    ensure(seen == "beside-1\n", || format!("what it saw before counted: {seen}"))
}

pub async fn a_rehearsal_that_is_always_outdated_is_told(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    run(&mut gate, 10_201, "sleep 0.4; echo never >never").await?;
    let end = finished(&mut gate);
    let disturb = async {
        for action in 10_202.. {
            tokio::time::sleep(Duration::from_millis(150)).await;
            commit_beside(world, action, &format!("beside-{action}"))?;
        }
        Ok::<(), String>(())
    };
    let (_, outcome) = tokio::select! {
        ended = end => ended?,
        failed = disturb => return failed,
    };
    ensure(outcome.ended == Ended::Failed && outcome.standing == Standing::Nothing, || show(&outcome))?;
    ensure(String::from_utf8_lossy(&outcome.stderr).contains("each of 3 rehearsals"), || show(&outcome))?;
    let left = world.said("ls never 2>/dev/null; rm beside-*").await?;
    ensure(left.is_empty(), || left.clone())
}

/// What is told of an action next, output skipped.
async fn told(gate: &mut Gate) -> Result<FromExecutor, String> {
    loop {
        let told = tokio::time::timeout(Duration::from_secs(20), gate.recv()).await;
        match told.map_err(|_| "nothing was told in time".to_owned())?.map_err(|error| error.to_string())? {
            FromExecutor::Output { .. } => {}
            other => return Ok(other),
        }
    }
}

async fn shown(gate: &mut Gate) -> Result<ToolOutcome, String> {
    match told(gate).await? {
        FromExecutor::Finished { outcome, .. } if outcome.standing == Standing::Staged => Ok(outcome),
        other => Err(format!("{other:?}")),
    }
}

async fn settled(gate: &mut Gate, action: u64) -> Result<FromExecutor, String> {
    gate.send(&ToExecutor::Settle { action, commit: true, label: Label::OWN })
        .await
        .map_err(|error| error.to_string())?;
    told(gate).await
}

pub async fn what_is_outdated_when_it_is_settled_is_rehearsed_and_shown_again(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    // Another commit in between, and a change by hand of what it replaces.
    run(&mut gate, 10_401, "ls | grep -c ^between- >count; echo >>seen").await?;
    let first = shown(&mut gate).await?;
    commit_beside(world, 10_402, "between-1")?;
    let again = settled(&mut gate, 10_401).await?;
    ensure(again == FromExecutor::Again { action: 10_401 }, || format!("{again:?}"))?;
    let second = shown(&mut gate).await?;
    ensure(first.effects != second.effects, || "what is shown is what it does now".to_owned())?;
    std::fs::write(world.workspace().join("seen"), "by hand\n").map_err(|error| error.to_string())?;
    let again = settled(&mut gate, 10_401).await?;
    ensure(again == FromExecutor::Again { action: 10_401 }, || format!("{again:?}"))?;
    shown(&mut gate).await?;
    let end = settled(&mut gate, 10_401).await?;
    ensure(matches!(&end, FromExecutor::Settled { standing: Standing::Committed, .. }), || format!("{end:?}"))?;
    let now = world.said("cat count seen; rm count seen between-1").await?;
    ensure(now == "1\nby hand\n\n", || now.clone())
}

pub async fn what_is_always_outdated_when_it_is_settled_is_given_up(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    run(&mut gate, 10_501, "echo never >never").await?;
    for tries in 1.. {
        shown(&mut gate).await?;
        commit_beside(world, 10_510 + tries, &format!("beside-{tries}"))?;
        match settled(&mut gate, 10_501).await? {
            FromExecutor::Again { .. } if tries < 3 => {}
            FromExecutor::Settled { standing: Standing::Discarded { reason }, .. } if tries == 3 => {
                ensure(reason.contains("ask again"), || reason.clone())?;
                break;
            }
            other => return Err(format!("{tries}: {other:?}")),
        }
    }
    // Whoever was asked to stop meanwhile stops.
    run(&mut gate, 10_502, "sleep 0.3; cat beside-1 >never").await?;
    shown(&mut gate).await?;
    commit_beside(world, 10_530, "beside-9")?;
    settled(&mut gate, 10_502).await?;
    gate.send(&ToExecutor::Cancel { action: 10_502 }).await.map_err(|error| error.to_string())?;
    let (_, outcome) = finished(&mut gate).await?;
    ensure(outcome.ended == Ended::Cancelled, || show(&outcome))?;
    let left = world.said("ls never 2>/dev/null; rm beside-*").await?;
    ensure(left.is_empty(), || left.clone())
}

pub async fn actions_beyond_the_limit_wait_their_turn(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    let all = executor::limits::RUNNING_MAX + executor::limits::WAITING_MAX;
    for action in 0..=all as u64 {
        run(&mut gate, 20_000 + action, "sleep 0.1; echo done").await?;
    }
    let mut refused = Vec::new();
    for _ in 0..=all {
        let (action, outcome) = finished(&mut gate).await?;
        if outcome.stdout != b"done\n" {
            refused.push((action, outcome.ended));
        }
    }
    ensure(refused == [(20_000 + all as u64, Ended::Failed)], || format!("{refused:?}"))
}

pub async fn an_action_outlives_its_edge(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, served) = connect(&desk).await?;
    run(&mut gate, 30_001, "sleep 0.3; echo run >>outlives; wc -l <outlives").await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(gate);
    let ended = served.await.map_err(|error| error.to_string())?;
    ensure(ended.is_ok(), || format!("{ended:?}"))?;
    let (mut gate, _) = connect(&desk).await?;
    run(&mut gate, 30_001, "echo another command").await?;
    let (action, outcome) = finished(&mut gate).await?;
    ensure(action == 30_001 && outcome.stdout == b"1\n", || show(&outcome))
}

pub async fn cancelling_over_the_edge(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    let started = Instant::now();
    run(&mut gate, 40_001, "sleep 60").await?;
    for action in [40_001, 40_002] {
        gate.send(&ToExecutor::Cancel { action }).await.map_err(|error| error.to_string())?;
        let (told, outcome) = finished(&mut gate).await?;
        ensure(told == action && outcome.ended == Ended::Cancelled, || show(&outcome))?;
    }
    ensure(started.elapsed() < Duration::from_secs(5), || format!("{:?}", started.elapsed()))?;
    // The request that was cancelled before it came is not carried out.
    run(&mut gate, 40_002, "echo late").await?;
    let (_, outcome) = finished(&mut gate).await?;
    ensure(outcome.ended == Ended::Cancelled, || show(&outcome))
}

pub async fn what_breaks_the_rules_ends_the_edge(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let garbage: [&[u8]; 4] = [&[0; 64], &[0xff; 64], b"\x05\0\0\0\x63\x63\x63\x63\x63", b"\x01\0\x40\0"];
    for bytes in garbage {
        let (mut ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
        let served = serve_on(&desk, theirs);
        ours.write_all(bytes).map_err(|error| error.to_string())?;
        drop(ours);
        let ended = tokio::time::timeout(Duration::from_secs(15), served).await;
        let ended = ended.map_err(|_| format!("{bytes:?} did not end the edge"))?;
        ensure(matches!(ended, Ok(Err(_))), || format!("{bytes:?}: {ended:?}"))?;
    }
    let (mut gate, _) = connect(&desk).await?;
    run(&mut gate, 50_001, "echo still here").await?;
    let (_, outcome) = finished(&mut gate).await?;
    ensure(outcome.stdout == b"still here\n", || show(&outcome))
}

pub async fn output_streams_before_the_end_and_a_flood_does_not_delay_it(world: &World) -> Verdict {
    let desk = Desk::new(world.hands(), world.area(), None);
    let (mut gate, _) = connect(&desk).await?;
    let started = Instant::now();
    run(&mut gate, 60_001, "echo early; sleep 0.3; head -c 50000000 /dev/zero").await?;
    let first = gate.recv().await.map_err(|error| error.to_string())?;
    let early = FromExecutor::Output { action: 60_001, from_stderr: false, bytes: b"early\n".to_vec() };
    ensure(first == early && started.elapsed() < Duration::from_millis(300), || format!("{first:?}"))?;
    let (_, outcome) = finished(&mut gate).await?;
    let total = outcome.stdout.len() as u64 + outcome.stdout_dropped_bytes;
    ensure(total == 50_000_006 && started.elapsed() < Duration::from_secs(10), || {
        format!("{total} bytes in {:?}", started.elapsed())
    })
}
