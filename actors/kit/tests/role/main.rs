//! A role's life under a launcher that is played by this program: the role is this program again, started with the
//! descriptors that a launcher gives, as a brain.
#![deny(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod launcher;
mod role;
mod sys;

use std::process::ExitCode;
use std::time::Duration;

use launcher::{Started, outcome, start};
use roles::Role;
use roles::launch::{EdgeGiven, Instance};
use schema::edge::control::{FromRole, ToRole};
use schema::edge::{Frame, ProbeResult};

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|slot| slot.parse::<u32>().is_ok()) || std::env::args().len() == 3 {
        return role::live();
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("role: these tests start a role under another account and need root; run them as root");
        return ExitCode::FAILURE;
    }
    for (name, check) in CHECKS {
        check();
        println!("ok {name}");
    }
    println!("{} cases", CHECKS.len());
    ExitCode::SUCCESS
}

fn me(slot: u32) -> EdgeGiven {
    EdgeGiven { who: Instance { role: Role::Brain, slot, number: 7 } }
}

/// A brain in slot 3 that has said that it is sealed and has been given its edge.
fn serving() -> (Started, launcher::Peer) {
    let brain = start("3", |_| {});
    assert_eq!(brain.line_says(), b"S");
    let peer = brain.give_edge(me(3));
    (brain, peer)
}

const CHECKS: &[(&str, fn())] = &[
    ("by hand it says who starts it and exits with 2", || {
        for args in [&["0"][..], &["0", "extra"], &["99"]] {
            let (status, said) = outcome(launcher::by_hand(args));
            assert_eq!(status.code(), Some(2), "{said}");
            assert!(said.contains("started by chelad, not by hand"), "{said}");
        }
    }),
    ("a slot that the table does not have", || {
        let (status, said) = outcome(start("16", |_| {}).child);
        assert_eq!(status.code(), Some(2), "{said}");
    }),
    ("as root it does not run", || {
        let (status, said) = outcome(start("0", |how| how.as_root = true).child);
        assert_eq!(status.code(), Some(1));
        assert!(said.contains("started as root"), "{said}");
    }),
    ("a descriptor that nobody declared is named", || {
        for extra in [5, 31] {
            let (status, said) = outcome(start("0", |how| how.extra = Some(extra)).child);
            assert_eq!(status.code(), Some(1));
            assert!(said.contains(&format!("descriptor {extra} is open")), "{said}");
        }
    }),
    ("sealed before it says so, then it speaks", || {
        let (brain, mut peer) = serving();
        let seen = std::fs::read_to_string(format!("/proc/{}/status", brain.child.id())).unwrap();
        for line in ["Seccomp:\t2", "Seccomp_filters:\t2", "NoNewPrivs:\t1", "Threads:\t1"] {
            assert!(seen.contains(line), "{line}: {seen}");
        }
        assert!(matches!(peer.read(), Frame::Hello { .. }));
        peer.hello();
        assert_eq!(brain.control_says(), FromRole::Ready);
        peer.send(&Frame::Probe { nonce: 5 });
        let Frame::Probed { nonce: 5, result } = peer.read() else {
            panic!("no answer to the probe");
        };
        assert_eq!(result, ProbeResult::CannotOpen);
        peer.send(&Frame::Body("say this".into()));
        assert_eq!(peer.read(), Frame::Body("say this".into()));
        brain.tell(&ToRole::Ping { nonce: 11 });
        assert_eq!(brain.control_says(), FromRole::Pong { nonce: 11 });
        brain.tell(&ToRole::Drain { deadline_ms: 100 });
        let (status, said) = outcome(brain.child);
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.starts_with("brain-3: "), "{said}");
    }),
    ("pings are answered while the role waits for its edge", || {
        let brain = start("0", |_| {});
        assert_eq!(brain.line_says(), b"S");
        brain.tell(&ToRole::Ping { nonce: 1 });
        assert_eq!(brain.control_says(), FromRole::Pong { nonce: 1 });
    }),
    ("SIGTERM ends it", || {
        let (brain, _peer) = serving();
        let pid = nix::unistd::Pid::from_raw(brain.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(outcome(brain.child).0.code(), Some(143));
    }),
    ("a panic goes to the log and ends it", || {
        let (brain, mut peer) = serving();
        peer.hello();
        peer.send(&Frame::Body("panic".into()));
        let (status, said) = outcome(brain.child);
        assert_eq!(status.code(), Some(101), "{said}");
        assert!(said.contains("panicked") && said.contains("as it was told"), "{said}");
    }),
    ("a forbidden call kills it", || {
        let (brain, mut peer) = serving();
        peer.hello();
        peer.send(&Frame::Body("socket".into()));
        let (status, _) = outcome(brain.child);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(31));
    }),
    ("without its launcher it exits", || {
        let brain = start("0", |_| {});
        assert_eq!(brain.line_says(), b"S");
        let Started { child, line, .. } = brain;
        drop(line);
        let (status, said) = outcome(child);
        assert_eq!(status.code(), Some(1));
        assert!(said.contains("launcher is gone"), "{said}");
    }),
    ("an edge with another's label is not taken", || {
        let brain = start("0", |_| {});
        assert_eq!(brain.line_says(), b"S");
        let _peer = brain.give_edge(me(1));
        let (status, said) = outcome(brain.child);
        assert_eq!(status.code(), Some(1), "{said}");
    }),
    ("garbage on the launcher line ends it", || {
        let brain = start("0", |_| {});
        assert_eq!(brain.line_says(), b"S");
        brain.line_send(b"garbage");
        assert_eq!(outcome(brain.child).0.code(), Some(1));
    }),
    ("garbage on the control line ends it", || {
        let (brain, _peer) = serving();
        brain.control_send(&[0xff; 100]);
        let (status, said) = outcome(brain.child);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("control line"), "{said}");
    }),
    ("a silent gate ends it in time", || {
        let (brain, _peer) = serving();
        let (status, said) = outcome(brain.child);
        assert_eq!(status.code(), Some(1));
        assert!(said.contains("no hello in time"), "{said}");
        const { assert!(Duration::from_millis(kit::limits::HELLO_DEADLINE_MS).as_secs() <= 5) };
    }),
    ("a supervisor that reads nothing holds nothing up", || {
        let (brain, mut peer) = serving();
        peer.hello();
        peer.send(&Frame::Body("talk".into()));
        assert!(matches!(peer.read(), Frame::Hello { .. }));
        assert_eq!(peer.read(), Frame::Body("talk".into()));
        peer.send(&Frame::Body("still there".into()));
        assert_eq!(peer.read(), Frame::Body("still there".into()));
        let status = std::fs::read_to_string(format!("/proc/{}/status", brain.child.id())).unwrap();
        let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        let kib: u64 = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kib < 8 << 10, "{resident}");
    }),
];
