//! How the first five figures grow with what is configured.

use crate::report::{self, bytes, mb, ms};
use crate::tree::{self, ORDINARY, Running, Shape};

/// How many there are of what grows.
const COUNTS: [u32; 3] = [1, 10, 100];
/// Repetitions for each shape: a tree of a hundred takes its time.
const STARTS: usize = 5;
const TURNS: usize = 20;

const HEAD: [&str; 6] =
    ["running", "start to ready", "idle memory", "chela ask", "sent above \"hi\"", "one turn inside"];

/// What is said of the table.
pub const NOTE: &str = "The gate knows one principal so far, the owner. In the lower three rows their executors and \
memories (and, where turns are measured, scripted models) are started and kept warm, as many as there are principals; \
the turns are all the owner's. Turns of several principals come with the issue that adds them.";

/// Measures every shape and returns the table's rows.
pub fn measure() -> Result<Vec<[String; 6]>, String> {
    let connectors = COUNTS.map(|n| (format!("{n} connectors"), Shape { connectors: n, ..ORDINARY }));
    let principals = COUNTS.map(|n| (format!("{n} principals"), Shape { principals: n, ..ORDINARY }));
    let mut rows = vec![HEAD.map(str::to_string)];
    for (name, shape) in connectors.into_iter().chain(principals) {
        eprintln!("  growth: {name}");
        rows.push(row(name.clone(), shape).map_err(|reason| format!("{name}: {reason}"))?);
    }
    Ok(rows)
}

fn row(name: String, shape: Shape) -> Result<[String; 6], String> {
    let start = tree::start(shape, STARTS)?.median();
    let memory_kb: f64 = tree::idle_kb(shape)?.values().map(|(_, kb)| kb).sum();
    let running = Running::start(shape)?;
    let context = running.context_bytes()?;
    let turn = running.turns(TURNS)?.median();
    let ask = running.ask_command(TURNS)?.median();
    running.stop()?;
    let amounts = [ms(start), mb(memory_kb / 1e3), ms(ask), bytes(context), ms(turn)];
    let [start, memory, ask, context, turn] = amounts.map(|amount| amount.to_string());
    Ok([name, start, memory, ask, context, turn])
}

/// Prints the table.
pub fn print(rows: &[[String; 6]]) {
    println!("\nGrowth");
    report::print_columns(rows);
    println!("{NOTE}");
}
