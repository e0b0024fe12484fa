//! Each figure: how it is measured, what it is held against, what it must reach.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use roles::Role;

use crate::Options;
use crate::peers::{self, FakeProvider, ZeroClaw};
use crate::report::{Amount, Figure, Target, bytes, mib, ms, us};
use crate::sample::Sample;
use crate::tree::{self, ORDINARY, Running, Shape};

/// A scratch directory, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let dir = std::env::temp_dir().join(format!("chela-bench-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Prints every figure; fails only when one could not be measured at all.
pub fn all(options: &Options) -> ExitCode {
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(reason) => {
            eprintln!("chela-bench: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let zero = options.peers.join("bin/zeroclaw");
    type Measure = fn(&Options, &Path, &Path) -> Result<(), String>;
    let parts: [(&str, Measure); 5] =
        [("start", start), ("idle memory", idle_memory), ("turns", turns), ("restarts", restarts), ("growth", growth)];
    let mut unmeasured = 0;
    for (name, measure) in parts {
        if options.quick && name == "growth" {
            continue;
        }
        if let Err(reason) = measure(options, &scratch.0, &zero) {
            eprintln!("NOT MEASURED: {name}: {reason}");
            unmeasured += 1;
        }
    }
    if unmeasured == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn repetitions(options: &Options, full: usize) -> usize {
    if options.quick { full.div_ceil(10).max(3) } else { full }
}

/// A peer that can't be measured is named, with the reason, and the figure stands without it.
fn beside(name: &str, measured: Result<Amount, String>) -> Option<(String, Amount)> {
    measured.map(|amount| (name.to_string(), amount)).map_err(|reason| eprintln!("beside {name}: {reason}")).ok()
}

fn zeroclaw(scratch: &Path, zero: &Path) -> Result<(ZeroClaw, FakeProvider), String> {
    let provider = FakeProvider::start()?;
    Ok((ZeroClaw::new(zero, scratch, provider.address)?, provider))
}

fn start(options: &Options, scratch: &Path, zero: &Path) -> Result<(), String> {
    let nine = scratch.join("nine");
    peers::compile_nine(&options.sources.join("nine.c"), &nine)?;
    let idle = harness::programs_dir()?.join("tokio-idle");
    let root = scratch.join("nine-root");
    fs::create_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    let count = repetitions(options, 20);
    let ours = tree::start(ORDINARY, count)?;
    let sealed = peers::nine(&nine, &idle, &root, true, count).map(|s| ms(s.median()));
    let unsealed = peers::nine(&nine, &idle, &root, false, count).map(|s| ms(s.median()));
    let daemon = zeroclaw(scratch, zero).and_then(|(zero, _provider)| {
        let sample = Sample::take(repetitions(options, 10), || {
            let (took, mut child) = zero.daemon()?;
            drop(child.kill());
            drop(child.wait());
            Ok(took)
        })?;
        Ok(ms(sample.median()))
    });
    Figure {
        what: format!("chelad start to every role ready, median of {count}"),
        ours: ms(ours.median()),
        beside: [
            beside("C program, nine sealed tokio processes", sealed),
            beside("C program, nine unsealed", unsealed),
            beside("zeroclaw daemon to its health page", daemon),
        ]
        .into_iter()
        .flatten()
        .collect(),
        target: Target::AtMost(25.0),
    }
    .print();
    Ok(())
}

fn idle_memory(_options: &Options, scratch: &Path, zero: &Path) -> Result<(), String> {
    let (total, each) = tree::idle_memory(ORDINARY)?;
    let peer = zeroclaw(scratch, zero).and_then(|(zero, _provider)| {
        let (_, mut child) = zero.daemon()?;
        std::thread::sleep(std::time::Duration::from_secs(3));
        let kib = harness::procs::pss_kib(child.id()).ok_or("zeroclaw: its smaps_rollup can't be read".to_string());
        drop(child.kill());
        drop(child.wait());
        kib.map(|kib| mib(kib as f64 / 1024.0))
    });
    Figure {
        what: format!("idle memory of the whole tree, {} processes, PSS", each.len()),
        ours: mib(total),
        beside: beside("zeroclaw daemon, one process, PSS", peer).into_iter().collect(),
        target: Target::AtMost(18.0),
    }
    .print();
    for (name, amount) in each {
        println!("    {name:<48} {amount:>10.3} MiB");
    }
    Ok(())
}

fn turns(options: &Options, scratch: &Path, zero: &Path) -> Result<(), String> {
    let running = Running::start(ORDINARY)?;
    running.turns(5)?;
    let count = repetitions(options, 100);
    let inside = running.turns(count)?;
    let disk = peers::fdatasync(&running.home.root().join("var"), count).map(|s| ms(s.median()));
    Figure {
        what: format!("one turn inside, without the model, median of {count}"),
        ours: ms(inside.median()),
        beside: beside("one fdatasync on the same disk", disk).into_iter().collect(),
        target: Target::AtMost(3.0),
    }
    .print();
    let command = running.ask_command(repetitions(options, 50))?;
    let provider = zeroclaw(scratch, zero);
    let agent = provider.as_ref().map_err(Clone::clone).and_then(|(zero, _)| {
        zero.agent()?;
        Sample::take(repetitions(options, 20), || zero.agent()).map(|s| ms(s.median()))
    });
    Figure {
        what: "chela ask as a command, without the model".to_string(),
        ours: ms(command.median()),
        beside: beside("zeroclaw agent -m hi, instant provider", agent).into_iter().collect(),
        target: Target::TimesPeer(0.5),
    }
    .print();
    let sent = provider.map(|(_, provider)| bytes(provider.last_body_bytes() as f64));
    Figure {
        what: "sent to the model for a bare \"hi\", above the message".to_string(),
        ours: bytes(context_bytes(&running)?),
        beside: beside("zeroclaw agent -m hi", sent).into_iter().collect(),
        target: Target::AtMost(1500.0),
    }
    .print();
    fresh_brain(&running)?;
    running.stop()
}

/// The scripted model answers `context` with what it was sent: "N messages, B bytes, A above the message".
fn context_bytes(running: &Running) -> Result<f64, String> {
    let home = tree::home(Shape { model: true, ..ORDINARY })?;
    let chelad = harness::Chelad::start(&home)?;
    let output = home.chela_json(&["ask", "context"])?;
    let text = output["reply"].as_str().unwrap_or_default().to_string();
    chelad.stop()?;
    let above = text.split(", ").last().and_then(|part| part.split(' ').next()?.parse::<f64>().ok());
    above.ok_or_else(|| format!("the scripted model answered {text:?} ({})", running.home.root().display()))
}

/// The gate logs `brain_us=N` for each turn: from the start of the turn to the warm brain's first request.
fn fresh_brain(running: &Running) -> Result<(), String> {
    let path = running.gate_log();
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let values = text
        .split("brain_us=")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<f64>().ok());
    let sample = Sample::of(values.collect()).map_err(|e| format!("{}: brain_us: {e}", path.display()))?;
    Figure {
        what: "a turn's fresh brain, from the warm spare, median".to_string(),
        ours: us(sample.median()),
        beside: Vec::new(),
        target: Target::AtMost(1000.0),
    }
    .print();
    Ok(())
}

fn restarts(options: &Options, scratch: &Path, _zero: &Path) -> Result<(), String> {
    let running = Running::start(ORDINARY)?;
    let rounds = repetitions(options, 40);
    let kinds = [(Role::Memory, 1), (Role::Memory, 0), (Role::Executor, 1), (Role::Connector, 1), (Role::Model, 1)];
    let mut all = Vec::new();
    for (role, slot) in kinds {
        let sample = Sample::take(rounds, || running.restart(role, slot))?;
        println!("    {:<48} {:>10.3} ms", format!("{} {slot}, median of {rounds}", role.name()), sample.median());
        all.push(sample);
    }
    running.stop()?;
    let values = all.iter().flat_map(|s| s.values().iter().copied()).collect();
    let sample = Sample::of(values)?;
    let runit = peers::runsv(scratch, repetitions(options, 10)).map(|s| ms(s.median()));
    Figure {
        what: format!("SIGKILL until ready and rewired, median of {}", rounds * kinds.len()),
        ours: ms(sample.median()),
        beside: beside("runit's runsv restarting sleep", runit).into_iter().collect(),
        target: Target::AtMost(8.0),
    }
    .print();
    Figure {
        what: "SIGKILL until ready and rewired, worst".to_string(),
        ours: ms(sample.worst()),
        beside: Vec::new(),
        target: Target::AtMost(50.0),
    }
    .print();
    Ok(())
}

fn growth(options: &Options, _scratch: &Path, _zero: &Path) -> Result<(), String> {
    let shapes = [1, 10, 100];
    let connectors = shapes.map(|n| ("connectors", n, Shape { connectors: n, ..ORDINARY }));
    let principals = shapes.map(|n| ("principals", n, Shape { principals: n, ..ORDINARY }));
    println!("growth: start ms | PSS MiB | turn ms | chela ask ms | context bytes");
    for (what, n, shape) in connectors.into_iter().chain(principals) {
        let start = tree::start(shape, repetitions(options, 5))?.median();
        let (memory, _) = tree::idle_memory(shape)?;
        let running = Running::start(shape)?;
        running.turns(5)?;
        let turn = running.turns(20)?.median();
        let ask = running.ask_command(20)?.median();
        let context = context_bytes(&running)?;
        running.stop()?;
        println!("    {n:>3} {what:<12} {start:>9.2} {memory:>9.2} {turn:>9.3} {ask:>9.2} {context:>9.0}");
    }
    Ok(())
}
