//! The control: every attempt made by a process without a seal, each in a process of its own.
//!
//! Once as root, in namespaces that go with it, where each must succeed: so a twin's failure is its seal's doing and not a
//! mistake of the attempt. And once as a command in a sandbox, whose list is wider than any role's and is attacked the same
//! way.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::alarm;

use crate::attempts;
use crate::given::place;
use crate::orders::Order;
use crate::outcome::Outcome;
use crate::trial;

mod objects;

/// After this many seconds an attempt that waits for something is ended.
const ATTEMPT_SECONDS: u32 = 20;

/// How one attempt went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Its arguments.
    pub args: [u64; 6],
}

/// Reads what a control has printed; an error is the line that is none.
pub fn read(output: &str) -> Result<Vec<Line>, String> {
    output.lines().map(|line| read_line(line).ok_or_else(|| line.to_owned())).collect()
}

fn read_line(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let name = words.next()?.to_owned();
    let (status, signal) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let args: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
    Some(Line { name, outcome: Outcome::of_end(status, signal)?, args: args?.try_into().ok()? })
}

/// The whole life of a control.
pub fn live() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["control"] => enter_namespaces(),
        ["stage"] => stage(),
        ["victim"] => victim(),
        ["sandbox", order] => each("sandbox", order),
        ["attempt", surroundings, order] => attempt(surroundings, order),
        ["executed"] => std::process::exit(Outcome::Done.to_status()),
        _ => Err(io::Error::other("usage: hostile-control control | sandbox ORDER")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile-control {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn myself(words: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(words).stdin(Stdio::null());
    command
}

/// Everything that an attempt may change belongs to these namespaces, and ends with them.
fn enter_namespaces() -> io::Result<()> {
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWPID,
    )?;
    match myself(&["stage"]).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other("the stage failed")),
    }
}

/// The first process of the control's process-id namespace: when it ends, so does everything in it.
fn stage() -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>)?;
    objects::loopback()?;
    let mut victim = myself(&["victim"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let order = Order {
        attempt: "-".into(),
        victim: i32::try_from(victim.id()).map_err(io::Error::other)?,
        address: address_of(&mut victim)?,
        port: 0,
        abstract_name: "-".into(),
        root: objects::ROOT.into(),
    };
    each("control", &order.to_line())
}

/// Another process: says where a word of its memory is, and waits to be told to end.
fn victim() -> io::Result<()> {
    println!("{}", place(&[0]));
    io::stdin().read(&mut [0]).map(drop)
}

fn address_of(victim: &mut Child) -> io::Result<u64> {
    let mut line = String::new();
    if let Some(output) = &mut victim.stdout {
        BufReader::new(output).read_line(&mut line)?;
    }
    line.trim_end().parse().map_err(io::Error::other)
}

/// Makes every attempt in a process of its own and prints how each went.
fn each(surroundings: &str, order: &str) -> io::Result<()> {
    use std::os::unix::process::ExitStatusExt;
    let order = Order::from_line(order).ok_or_else(|| io::Error::other("not an order"))?;
    for attempt in attempts::all() {
        let order = Order { attempt: attempt.name.into(), ..order.clone() };
        let output = myself(&["attempt", surroundings, &order.to_line()]).output()?;
        let (status, signal) = (output.status.code().unwrap_or(-1), output.status.signal().unwrap_or(0));
        let log = String::from_utf8_lossy(&output.stderr);
        let args = trial::announced(&log, attempt.name);
        if Outcome::of_end(status, signal).is_none() || args.is_none() {
            return Err(io::Error::other(format!("{}: {}: {log}", attempt.name, output.status)));
        }
        let args: Vec<String> = args.unwrap_or_default().iter().map(u64::to_string).collect();
        writeln!(io::stdout(), "{} {status} {signal} {}", attempt.name, args.join(" "))?;
    }
    Ok(())
}

fn attempt(surroundings: &str, order: &str) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    alarm::set(ATTEMPT_SECONDS);
    let order = Order::from_line(order).ok_or_else(|| io::Error::other("not an order"))?;
    let attempt = attempts::find(&order.attempt).ok_or_else(|| io::Error::other("no such attempt"))?;
    let mut given = objects::common()?;
    order.inform(&mut given);
    match surroundings {
        "control" => objects::for_control(&mut given, attempt)?,
        _ => objects::for_sandbox(&mut given, attempt)?,
    }
    std::process::exit(trial::make(attempt, &given).to_status())
}

/// A directory for files that are not there to be changed.
fn make_parents(path: &str) -> io::Result<()> {
    path.rsplit_once('/').map_or(Ok(()), |(parent, _)| fs::create_dir_all(parent))
}
