//! The supervisor's twin: it has no control line, so its order is in its configuration, and each attempt a start of the service.

use std::fs;

use harness::{Chelad, Home, sockets, wait_for};
use hostile::attempts::{self, Attempt};
use hostile::expect;
use hostile::orders::Order;
use hostile::outcome::Outcome;
use roles::Role;

use crate::roles_of_the_table::{given, log_bytes};
use crate::scene::{PATIENCE, home_of_twins};
use crate::tally::Tally;

const GO: &str = "supervisor/go";

/// Has the twin make the attempt; how it ended is the launcher's word.
fn attempt(home: &Home, attempt: &Attempt, order: &Order) -> Outcome {
    let log = home.root().join("var/log/supervisor-0.log");
    drop(fs::remove_file(&log));
    drop(fs::remove_file(home.root().join("etc").join(GO)));
    home.configure("supervisor/attempt", &order.to_line()).unwrap();
    let chelad = Chelad::spawn(home).unwrap();
    let before = chelad.stderr().len();
    if let Some(bytes) = log_bytes(Role::Supervisor, attempt) {
        let file = wait_for("the log", PATIENCE, || fs::File::options().write(true).open(&log).ok()).unwrap();
        file.set_len(bytes).unwrap();
    }
    home.configure(GO, "").unwrap();
    let ended = wait_for("the twin's end", PATIENCE, || end_of(chelad.stderr().get(before..)?));
    let ended = ended.unwrap_or_else(|e| panic!("{}: {e}: {}", attempt.name, chelad.stderr()));
    assert_eq!(sockets::listening(chelad.pid()), Vec::<String>::new());
    // What the next attempt reads is not the rest of a long one.
    fs::File::options().write(true).open(&log).unwrap().set_len(64 << 10).unwrap();
    ended
}

fn end_of(stderr: &str) -> Option<Outcome> {
    let (_, rest) = stderr.split_once("has ended: status ")?;
    let (status, rest) = rest.split_once(", signal ")?;
    let signal = rest.split_once('\n')?.0;
    let outcome = Outcome::of_end(status.parse().ok()?, signal.parse().ok()?);
    Some(outcome.unwrap_or_else(|| panic!("no attempt ends so: {stderr}")))
}

#[test]
fn the_supervisor_can_do_nothing_its_row_omits() {
    let home = home_of_twins("supervisor");
    let mut tally = Tally::default();
    for one in attempts::all() {
        let order = Order {
            attempt: one.name.to_owned(),
            victim: std::process::id().try_into().unwrap(),
            address: 4096,
            port: 9,
            abstract_name: "nobody".to_owned(),
            root: home.root().to_string_lossy().into_owned(),
        };
        let outcome = attempt(&home, one, &order);
        let is_long = log_bytes(Role::Supervisor, one).is_some();
        let args = if is_long { Some([0; 6]) } else { announced(&home, one.name) };
        let args = args.unwrap_or_else(|| panic!("{}: its arguments were not announced: {outcome}", one.name));
        let expected = expect::in_role(Role::Supervisor.row(), one, args, &given(&order, one));
        tally.add(one, expected, outcome);
    }
    tally.judge("supervisor");
}

fn announced(home: &Home, name: &str) -> Option<[u64; 6]> {
    hostile::trial::announced(&home.log(Role::Supervisor, 0), name)
}
