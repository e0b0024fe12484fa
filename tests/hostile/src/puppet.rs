//! A supervisor that does as the test says, behind the supervisor's own seal. It reads its orders, a line each, from a file
//! of its configuration, as they are appended, and writes every report of the launcher to its log stream.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use kit::{LineError, Sealed};
use nix::errno::Errno;
use nix::sys::socket::{self, MsgFlags, Shutdown, shutdown};
use nix::unistd::write;
use roles::launch::{Instance, Notice, Report, Request, Signal};
use roles::{Role, fd};
use schema::codec::encode;
use schema::edge::control::{Place, ToRole};
use schema::limits::CONTROL_PACKET_BYTES;

/// Where it finds its orders.
pub const ORDERS: &str = "/etc/supervisor/orders";
/// What it writes when it is there.
pub const LISTENS: &str = "listens";
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The instances it knows, and what it is to tell each once that is sealed.
#[derive(Default)]
struct Tree {
    known: BTreeMap<(Role, u32), (Instance, OwnedFd)>,
    to_tell: BTreeMap<(Role, u32), String>,
    deaf: bool,
}

/// The life of the puppet.
pub async fn live(sealed: Sealed) -> Result<(), LineError> {
    let mut tree = Tree::default();
    // What stands there already was carried out by the one before.
    let mut done = orders().lines().count();
    say(LISTENS);
    loop {
        tokio::select! {
            report = sealed.line.next_report(), if !tree.deaf => {
                let (report, control) = report?;
                say(&format!("{report:?}"));
                if report == Report::Shutdown {
                    return Ok(());
                }
                tree.hear(report, control);
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                let all = orders();
                for order in all.lines().skip(done) {
                    done += 1;
                    tree.obey(order);
                }
            }
        }
    }
}

fn orders() -> String {
    let mut text = fs::read_to_string(ORDERS).unwrap_or_default();
    // A line that is still being written is the next look's.
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

/// Past the kit's log, which is bounded: a flood of reports is to be counted.
fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

impl Tree {
    fn hear(&mut self, report: Report, control: Option<OwnedFd>) {
        match report {
            Report::Started { who, .. } | Report::Adopted { who, .. } => {
                if let Some(control) = control {
                    self.known.insert((who.role, who.slot), (who, control));
                }
            }
            Report::Sealed { who } => {
                if let Some(text) = self.to_tell.remove(&(who.role, who.slot)) {
                    self.tell((who.role, who.slot), text);
                }
            }
            Report::Exited { who, .. } => drop(self.known.remove(&(who.role, who.slot))),
            Report::Refused { .. } | Report::Reload | Report::Shutdown => {}
        }
    }

    fn obey(&mut self, order: &str) {
        let mut words = order.splitn(2, ' ');
        let (verb, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match verb {
            "start" => in_place(rest, |place, _| start(place)),
            "attempt" => in_place(rest, |place, text| {
                self.to_tell.insert(place, text.to_owned());
                start(place);
            }),
            "tell" => in_place(rest, |place, text| self.tell(place, text.to_owned())),
            "kill" => in_place(rest, |place, _| {
                if let Some((who, _)) = self.known.get(&place) {
                    send(&Request::Signal { to: *who, signal: Signal::Kill }.to_bytes());
                }
            }),
            "ready" => send(&Request::Notify(Notice::Ready).to_bytes()),
            "raw" => send(&bytes(rest)),
            "flood" => self.flood(&bytes(rest)),
            "half-close" => shutdown(fd::LINE, Shutdown::Write).unwrap_or(()),
            other => say(&format!("unknown order {other}")),
        }
    }

    fn tell(&self, place: (Role, u32), reason: String) {
        let Some((_, control)) = self.known.get(&place) else {
            return say("told nobody");
        };
        let message = ToRole::Unavailable { place: Place::new(place.0, place.1), reason };
        match encode(&message, CONTROL_PACKET_BYTES).map(|packet| write(control, &packet)) {
            Ok(Ok(_)) => {}
            failed => say(&format!("telling failed: {failed:?}")),
        }
    }

    /// Sends the same record until it is ended for it, and reads nothing.
    fn flood(&mut self, record: &[u8]) {
        self.deaf = true;
        loop {
            send(record);
        }
    }
}

fn in_place(rest: &str, act: impl FnOnce((Role, u32), &str)) {
    let mut words = rest.splitn(3, ' ');
    let role = words.next().and_then(|name| Role::ALL.into_iter().find(|role| role.name() == name));
    let slot = words.next().and_then(|slot| slot.parse().ok());
    match role.zip(slot) {
        Some(place) => act(place, words.next().unwrap_or("")),
        None => say(&format!("no such place: {rest}")),
    }
}

fn start((role, slot): (Role, u32)) {
    send(&Request::Start { role, slot }.to_bytes());
}

/// From numbers with spaces between them.
fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// On the launcher's line, which the kit owns; it is not blocking, so a full one is tried again.
fn send(record: &[u8]) {
    while let Err(errno) = socket::send(fd::LINE, record, MsgFlags::MSG_NOSIGNAL) {
        if errno != Errno::EAGAIN {
            return say(&format!("sending: {errno}"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
