//! What stands in a role's place: it does what it is told over its control line, and writes what it sees to its log.
//! As the supervisor it takes its orders from `etc/supervisor/orders`, a line each, as they are appended.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use roles::Role;
use roles::fd;
use roles::launch::{EdgeGiven, Instance, Notice, Report, Request, SEALED, Signal};

use crate::sys;

fn packet(socket: &OwnedFd) -> Option<(Vec<u8>, Option<OwnedFd>)> {
    let mut buffer = [0; 256];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut io = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let got = recvmsg::<()>(socket.as_raw_fd(), &mut io, Some(&mut space), flags).ok()?;
    let mut fd = None;
    for message in got.cmsgs().expect("control messages") {
        if let ControlMessageOwned::ScmRights(fds) = message {
            fd = fds.first().map(|n| sys::inherited(*n));
        }
    }
    let length = got.bytes;
    (length > 0).then(|| (buffer[..length].to_vec(), fd))
}

fn send(socket: &OwnedFd, bytes: &[u8]) {
    let none: &[ControlMessage] = &[];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], none, MsgFlags::empty(), None).expect("send");
}

/// The life of the puppet.
pub fn live(binary: &str, slot: &str) -> ! {
    let role = Role::ALL.into_iter().find(|r| r.row().binary == binary).expect("a role's binary");
    println!("born {} {slot} {}", role.name(), std::process::id());
    if role == Role::Supervisor { supervise() } else { obey(role) }
}

fn obey(role: Role) -> ! {
    let (line, control) = (sys::inherited(fd::LINE), sys::inherited(fd::CONTROL));
    let mut edges: BTreeMap<String, OwnedFd> = BTreeMap::new();
    loop {
        while let Some((bytes, Some(edge))) = packet(&line) {
            let given = EdgeGiven::from_bytes(&bytes).expect("a label");
            let name = format!("{}-{}-{}", given.who.role.name(), given.who.slot, given.who.number);
            println!("edge {name}");
            edges.insert(name, edge);
        }
        if let Some((bytes, _)) = packet(&control) {
            let order = String::from_utf8(bytes).expect("text");
            let mut words = order.split(' ');
            match words.next().expect("a verb") {
                "seal" => {
                    sys::seal().expect("seal");
                    send(&line, &[SEALED]);
                }
                "lie" => send(&line, &[SEALED]),
                "say" => send(&line, order.as_bytes()),
                "end" => std::process::exit(words.next().expect("a status").parse().expect("a number")),
                "hang-up" => {
                    nix::sys::socket::shutdown(line.as_raw_fd(), nix::sys::socket::Shutdown::Both).expect("shutdown");
                }
                "look" => look(role),
                "edge-send" => edges.values().for_each(|e| send(e, b"hello")),
                "edge-read" => {
                    for (name, edge) in &edges {
                        let heard = packet(edge).map(|(b, _)| b);
                        println!("heard {name} {}", String::from_utf8_lossy(&heard.unwrap_or_default()));
                    }
                }
                other => panic!("unknown order {other}"),
            }
        }
        sleep(Duration::from_millis(1));
    }
}

/// What only the process itself can see well.
fn look(role: Role) {
    let list = |dir: &str| {
        let mut names: Vec<_> = fs::read_dir(dir)
            .map(|d| d.flatten().map(|e| e.file_name().into_string().expect("UTF-8")).collect())
            .unwrap_or_default();
        names.sort();
        names.join(",")
    };
    println!("root {}", list("/"));
    println!("up {}", list("/.."));
    println!("cwd {}", std::env::current_dir().expect("a directory").display());
    println!("environment {}", std::env::vars_os().count());
    println!("pid {}", std::process::id());
    println!("write-root {:?}", fs::write("/x", "x").err().map(|e| e.raw_os_error()));
    for grant in role.row().files {
        let path = format!("{}/probe", grant.inside);
        println!("write {} {:?}", grant.inside, fs::write(path, "x").err().map(|e| e.raw_os_error()));
    }
    println!("looked");
}

struct Supervised {
    who: Instance,
    control: OwnedFd,
}

fn supervise() -> ! {
    let line = sys::inherited(fd::LINE);
    let mut known: Vec<Supervised> = Vec::new();
    let orders = || fs::read_to_string("/etc/supervisor/orders").unwrap_or_default();
    let mut done = orders().lines().take_while(|l| *l != "unsealed").count();
    println!("listens");
    if !orders().contains("unsealed") {
        sys::seal().expect("seal");
        send(&line, &[SEALED]);
    }
    loop {
        while let Some((bytes, fd)) = packet(&line) {
            let report = Report::from_bytes(&bytes).expect("a report");
            println!("{report:?}");
            match report {
                Report::Started { who, .. } | Report::Adopted { who, .. } => {
                    known.push(Supervised { who, control: fd.expect("a control line") });
                }
                Report::Exited { who, .. } => known.retain(|s| s.who != who),
                Report::Shutdown if !orders().contains("stubborn") => std::process::exit(0),
                Report::Shutdown | Report::Refused { .. } | Report::Sealed { .. } | Report::Reload => {}
            }
        }
        for order in orders().lines().skip(done) {
            done += 1;
            carry_out(order, &line, &mut known);
        }
        sleep(Duration::from_millis(1));
    }
}

fn carry_out(order: &str, line: &OwnedFd, known: &mut [Supervised]) {
    let words: Vec<&str> = order.splitn(4, ' ').collect();
    let place = || {
        let role = Role::ALL.into_iter().find(|r| r.name() == words[1]).expect("a role");
        (role, words[2].parse::<u32>().expect("a slot"))
    };
    let find = || known.iter().find(|s| (s.who.role, s.who.slot) == place()).expect("a known instance");
    match words[0] {
        "start" => {
            let (role, slot) = place();
            send(line, &Request::Start { role, slot }.to_bytes());
        }
        "tell" => send(&find().control, words[3].as_bytes()),
        "term" => send(line, &Request::Signal { to: find().who, signal: Signal::Term }.to_bytes()),
        "kill" => send(line, &Request::Signal { to: find().who, signal: Signal::Kill }.to_bytes()),
        "kill-launcher" => {
            let to = Instance { role: Role::Launcher, slot: 0, number: 1 };
            send(line, &Request::Signal { to, signal: Signal::Kill }.to_bytes());
        }
        "ready" => send(line, &Request::Notify(Notice::Ready).to_bytes()),
        "raw" => send(line, &vec![0xff; words[1].parse().expect("a length")]),
        "exit" => std::process::exit(words[1].parse().expect("a status")),
        "unsealed" | "stubborn" => {}
        other => panic!("unknown order {other}"),
    }
}
