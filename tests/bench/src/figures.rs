//! Each figure: how it is measured, what it is held against, what it must reach.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::peers::{self, Nine, Runsv};
use crate::placement::Placement;
use crate::report::{self, Amount, Figure, Target, bytes, mb, measured, ms, quoted, seconds, us};
use crate::restart::KILLED;
use crate::sample::Sample;
use crate::tree::{self, ORDINARY, Running};
use crate::zeroclaw::Measured;
use crate::{Options, edge, growth, restart, zeroclaw};

/// Processes of an idle fresh install without the model, the maker aside: so many the C program starts.
const PROCESSES: u32 = 9;
/// Requests and answers of one round over an edge.
const TRIPS: usize = 20_000;

/// A scratch directory, removed at the end.
pub struct Scratch(pub PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What has been measured so far.
pub struct Report {
    /// What the command line says.
    pub options: Options,
    /// A directory for what is made meanwhile.
    pub scratch: Scratch,
    nine: Result<Nine, String>,
    zeroclaw: Measured,
    figures: Vec<Figure>,
    /// Lines that go below the table.
    pub details: Vec<String>,
    growth: Option<Vec<[String; 6]>>,
}

type Part = fn(&mut Report) -> Result<(), String>;

const PARTS: [(&str, Part); 12] = [
    ("start", Report::start),
    ("idle memory", Report::idle_memory),
    ("turns", Report::turns),
    ("typed edge", Report::typed_edge),
    ("restarts", Report::restarts),
    ("cold build", Report::cold_build),
    ("growth", Report::growth),
    ("sandboxes", Report::sandboxes),
    ("waiting sandbox", Report::waiting_sandbox),
    ("transactions", Report::transactions),
    ("real work", Report::real_work),
    ("decisions", Report::decisions),
];

/// Measures everything and prints it; fails when something could not be measured, never because it was slow.
pub fn all(options: Options) -> Result<ExitCode, String> {
    harness::require_root()?;
    let scratch = Scratch(std::env::temp_dir().join(format!("chela-bench-scratch-{}", std::process::id())));
    fs::create_dir_all(&scratch.0).map_err(|e| format!("{}: {e}", scratch.0.display()))?;
    let nine = Nine::compile(&options.sources.join("nine.c"), &scratch.0);
    let (starts, asks) = (options.repetitions(20), options.repetitions(50));
    let zeroclaw = match options.only {
        Some(_) => Measured::none("left out by --only"),
        None => zeroclaw::measure(&options.peers.join("bin/zeroclaw"), &scratch.0.join("zeroclaw-home"), starts, asks),
    };
    let (figures, details) = (Vec::new(), Vec::new());
    let mut report = Report { options, scratch, nine, zeroclaw, figures, details, growth: None };
    let mut unmeasured = Vec::new();
    for (name, part) in PARTS {
        if report.options.only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        eprintln!("measuring: {name}");
        if let Err(reason) = part(&mut report) {
            unmeasured.push(format!("{name}: {reason}"));
        }
    }
    report::print_table(&report.figures);
    println!("\n{}", report.details.join("\n"));
    if let Some(rows) = &report.growth {
        growth::print(rows);
    }
    let all_measured = report::print_verdict(&report.figures, &unmeasured);
    Ok(if all_measured { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn amount(measured: &Result<f64, String>, unit: fn(f64) -> Amount) -> Result<Amount, String> {
    measured.clone().map(unit)
}

fn median(sample: Result<Sample, String>) -> Result<Amount, String> {
    sample.map(|sample| ms(sample.median()))
}

impl Report {
    /// One more line of the table.
    pub fn add(&mut self, what: impl Into<String>, ours: Amount, target: Target, beside: Vec<report::Beside>) {
        self.figures.push(Figure { what: what.into(), ours, target, beside });
    }

    fn nine(&self, processes: u32, is_sealed: bool, count: usize) -> Result<Amount, String> {
        let nine = self.nine.as_ref().map_err(Clone::clone)?;
        median(nine.starts(processes, is_sealed, count))
    }

    fn start(&mut self) -> Result<(), String> {
        let count = self.options.repetitions(50);
        let ours = tree::start(ORDINARY, count)?;
        let beside = vec![
            measured("C program, nine sealed processes", self.nine(PROCESSES, true, count)),
            measured("C program, nine unsealed", self.nine(PROCESSES, false, count)),
            measured("zeroclaw daemon to its health page", amount(&self.zeroclaw.start_ms, ms)),
        ];
        self.add("chelad start to every role ready and sealed", ms(ours.median()), Target::AtMost(25.0), beside);
        self.details.push(format!("Starts of chelad: {count}, the slowest {}.", ms(ours.worst())));
        Ok(())
    }

    fn idle_memory(&mut self) -> Result<(), String> {
        let kinds = tree::idle_kb(ORDINARY)?;
        let total_kb: f64 = kinds.values().map(|(_, kb)| kb).sum();
        let beside = vec![
            measured("ZeroClaw idle, one process", amount(&self.zeroclaw.idle_kb, |kb| mb(kb / 1e3))),
            quoted("OpenClaw", mb(945.0)),
        ];
        self.add("idle memory of the whole tree (PSS), no model", mb(total_kb / 1e3), Target::AtMost(18.0), beside);
        let each = kinds.iter().map(|(name, (count, kb))| match count {
            1 => format!("{name} {}", mb(kb / 1e3)),
            _ => format!("{count} {name} {}", mb(kb / 1e3)),
        });
        self.details.push(format!("Idle memory: {}.", each.collect::<Vec<_>>().join(", ")));
        Ok(())
    }

    fn turns(&mut self) -> Result<(), String> {
        let running = Running::start(ORDINARY)?;
        let context = running.context_bytes()?;
        let count = self.options.repetitions(200);
        let inside = running.turns(count)?;
        let brains = running.brains_us()?;
        let commands = running.ask_command(self.options.repetitions(50))?;
        let disk = peers::fdatasync(&running.home.root().join("var"), count);
        running.stop()?;
        let agent = measured("zeroclaw agent -m hi", amount(&self.zeroclaw.ask_ms, ms));
        self.add("chela ask as a command, model aside", ms(commands.median()), Target::TimesPeer(0.5), vec![agent]);
        let beside = vec![
            measured("ZeroClaw", amount(&self.zeroclaw.sent_bytes, bytes)),
            quoted("IronClaw", bytes(55_000.0)),
            quoted("OpenClaw", bytes(60_000.0)),
        ];
        self.add("sent to the model above a bare \"hi\"", bytes(context), Target::AtMost(1500.0), beside);
        let disk = measured("one fdatasync on the same disk", median(disk));
        self.add("one turn inside, model aside", ms(inside.median()), Target::AtMost(3.0), vec![disk]);
        self.add("a turn's fresh brain, from the warm spare", us(brains.median()), Target::AtMost(1000.0), Vec::new());
        self.details.push(format!(
            "Turns: {count}, the slowest {}; its brain's first word {} after it was wanted, at worst.",
            ms(inside.worst()),
            us(brains.worst())
        ));
        Ok(())
    }

    fn typed_edge(&mut self) -> Result<(), String> {
        let trips = u32::try_from(self.options.repetitions(TRIPS)).map_err(|e| e.to_string())?;
        let placements = [(Placement::Together, "on one processor"), (Placement::Apart, "across two processors")];
        for (placement, words) in placements {
            let (edge_us, raw_us) = edge::measure(trips, placement).map_err(|reason| format!("{words}: {reason}"))?;
            let raw = measured("raw Unix socket pair", Ok(us(raw_us)));
            let what = format!("256 bytes there and back over a typed edge, {words}");
            self.add(what, us(edge_us), Target::TimesPeer(1.3), vec![raw]);
        }
        Ok(())
    }

    fn restarts(&mut self) -> Result<(), String> {
        let samples = restart::measure(&self.options)?;
        let all = Sample::of(samples.iter().flat_map(|sample| sample.values().to_vec()).collect())?;
        let one = self.nine(1, true, self.options.repetitions(50));
        let runsv = Runsv::start(&self.options.peers.join("runit/usr/bin/runsv"), &self.scratch.0)
            .and_then(|mut runsv| runsv.restarts(self.options.repetitions(20)));
        let beside =
            vec![measured("C program, one sealed start", one), measured("runsv restarting sleep", median(runsv))];
        let count = all.values().len();
        let what = "SIGKILL of a role until ready again and rewired";
        self.add(format!("{what}, median of {count}"), ms(all.median()), Target::AtMost(8.0), beside);
        self.add(format!("{what}, worst of {count}"), ms(all.worst()), Target::AtMost(50.0), Vec::new());
        let each = KILLED.iter().zip(&samples).map(|((role, slot), sample)| {
            let slot = slot.map(|slot| format!(" {slot}")).unwrap_or_default();
            format!("{}{slot} {} (worst {})", role.name(), ms(sample.median()), ms(sample.worst()))
        });
        self.details.push(format!("Restarts: {}.", each.collect::<Vec<_>>().join(", ")));
        Ok(())
    }

    fn cold_build(&mut self) -> Result<(), String> {
        match self.options.cold_build_s {
            Some(took) => {
                let what = "cold build of everything but the model's engine (./x build)";
                self.add(what, seconds(took), Target::AtMost(360.0), Vec::new());
            }
            None => self.details.push("Cold build: left out; ./x bench --cold-build measures it.".to_string()),
        }
        Ok(())
    }

    fn growth(&mut self) -> Result<(), String> {
        if self.options.is_quick {
            self.details.push("Growth: left out by --quick.".to_string());
            return Ok(());
        }
        self.growth = Some(growth::measure()?);
        Ok(())
    }
}
