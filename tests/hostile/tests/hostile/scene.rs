//! A service in which every role is its twin, and the supervisor a puppet of the test.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use harness::{Chelad, Home, sockets, wait_for};
use hostile::orders::Order;
use hostile::outcome::Outcome;
use hostile::puppet;
use roles::Role;

/// How long anything may take before a test calls it failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// The service, and what an attacker might reach of the host.
pub struct Scene {
    /// Dropped before the home: its ids can't be given back while it runs.
    pub chelad: Chelad,
    pub home: Home,
    /// How much of the puppet's log has been read.
    read: Cell<u64>,
    tcp: TcpListener,
    unix: (UnixListener, String),
}

/// A home whose roles are all twins.
pub fn home_of_twins(name: &str) -> Home {
    let home = Home::new(name).unwrap();
    home.script_model().unwrap();
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Launcher) {
        home.place(role.row().binary, env!("CARGO_BIN_EXE_hostile-twin").as_ref()).unwrap();
    }
    home.configure("supervisor/orders", "").unwrap();
    home
}

impl Scene {
    /// Starts chelad with the puppet and nobody else.
    pub fn open(name: &str) -> Scene {
        let home = home_of_twins(name);
        let unix = format!("chela-hostile-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from_abstract_name(&unix).unwrap();
        let scene = Scene {
            chelad: Chelad::spawn(&home).unwrap(),
            home,
            read: Cell::new(0),
            tcp: TcpListener::bind(("127.0.0.1", 0)).unwrap(),
            unix: (UnixListener::bind_addr(&address).unwrap(), unix),
        };
        scene.report(&[puppet::LISTENS]);
        scene
    }

    /// As [`Scene::open`], and the gate's twin is there, so that every role gets an edge.
    pub fn with_gate(name: &str) -> Scene {
        let scene = Scene::open(name);
        scene.order("start gate 0");
        scene.report(&["Sealed", &place(Role::Gate, 0)]);
        scene
    }

    /// Starts the service again: what the launcher counts is counted from 0.
    pub fn start_again(&mut self) {
        self.end();
        self.chelad = Chelad::spawn(&self.home).unwrap();
        self.report(&[puppet::LISTENS]);
    }

    /// Nobody listens, and the service stops in order.
    pub fn end(&mut self) {
        assert_eq!(sockets::listening(self.chelad.pid()), Vec::<String>::new());
        self.chelad.signal(nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = self.chelad.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.chelad.stderr());
    }

    /// Tells the puppet.
    pub fn order(&self, order: &str) {
        let path = self.home.root().join("etc/supervisor/orders");
        let mut orders = File::options().append(true).open(path).unwrap();
        writeln!(orders, "{order}").unwrap();
    }

    fn log(&self, role: Role, slot: u32) -> PathBuf {
        self.home.root().join(format!("var/log/{}-{slot}.log", role.name()))
    }

    /// The next line of the puppet's log that has all these parts; those before it are passed over.
    #[track_caller]
    pub fn report(&self, parts: &[&str]) -> String {
        let found = wait_for(&format!("{parts:?} of the puppet"), PATIENCE, || self.next_line(parts));
        found.unwrap_or_else(|e| panic!("{e}\nchelad: {}", self.chelad.stderr()))
    }

    fn next_line(&self, parts: &[&str]) -> Option<String> {
        let mut file = File::open(self.log(Role::Supervisor, 0)).ok()?;
        file.seek(SeekFrom::Start(self.read.get())).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut passed = 0;
        for line in whole.split_inclusive('\n') {
            passed += line.len() as u64;
            if parts.iter().all(|part| line.contains(part)) {
                self.read.set(self.read.get() + passed);
                return Some(line.trim_end().to_owned());
            }
        }
        None
    }

    /// What an attacker in this scene knows.
    pub fn order_for(&self, attempt: &str) -> Order {
        let victim = harness::procs::find(self.chelad.pid(), Role::Supervisor, 0).unwrap();
        Order {
            attempt: attempt.to_owned(),
            victim: victim.try_into().unwrap(),
            address: 4096,
            port: self.tcp.local_addr().unwrap().port(),
            abstract_name: self.unix.1.clone(),
            root: self.home.root().to_string_lossy().into_owned(),
        }
    }

    /// Has a fresh twin make an attempt. `log_bytes`: how long its log is made before.
    pub fn attempt(&self, role: Role, slot: u32, order: &Order, log_bytes: Option<u64>) -> Outcome {
        let (name, who) = (role.name(), place(role, slot));
        let line = order.to_line();
        if let Some(bytes) = log_bytes {
            self.order(&format!("start {name} {slot}"));
            self.report(&["Sealed", &who]);
            let log = File::options().write(true).open(self.log(role, slot)).unwrap();
            log.set_len(bytes).unwrap();
            self.order(&format!("tell {name} {slot} {line}"));
            let ended = self.report(&["Exited", &who]);
            log.set_len(0).unwrap();
            return outcome_of(&ended);
        }
        self.order(&format!("attempt {name} {slot} {line}"));
        outcome_of(&self.report(&["Exited", &who]))
    }

    /// With which arguments a twin made the attempt last.
    pub fn announced(&self, role: Role, slot: u32, attempt: &str) -> Option<[u64; 6]> {
        hostile::trial::announced(&fs::read_to_string(self.log(role, slot)).unwrap(), attempt)
    }
}

/// How a report names an instance.
pub fn place(role: Role, slot: u32) -> String {
    format!("role: {role:?}, slot: {slot},")
}

/// From a report of an end.
fn outcome_of(report: &str) -> Outcome {
    let outcome = Outcome::of_end(number_in(report, "status: "), number_in(report, "signal: "));
    outcome.unwrap_or_else(|| panic!("no attempt ends so: {report}"))
}

/// The number after `key` in a report.
pub fn number_in<T: std::str::FromStr>(report: &str, key: &str) -> T {
    let rest = report.split_once(key).and_then(|(_, rest)| rest.split([',', ' ']).next());
    rest.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no `{key}` in {report}"))
}
