//! The bytes of every message, held by files: an encoding that changes is seen in review, not in a crash.
//!
//! `CHELA_BLESS=1 cargo test -p chela-schema --test golden` writes them anew.
#![allow(clippy::unwrap_used, clippy::panic)]

mod samples;

use std::collections::BTreeSet;
use std::path::PathBuf;

use roles::Role;
use roles::launch::{EdgeGiven, Instance, Notice, Refusal, Report, Request, Signal};
use samples::Line;
use samples::edges::edges;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

fn text(lines: &[Line]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    lines.iter().map(|line| format!("{} {}\n", line.name, hex(&line.bytes))).collect()
}

fn hold(name: &str, lines: &[Line]) {
    let now = text(lines);
    if std::env::var_os("CHELA_BLESS").is_some() {
        std::fs::write(file(name), &now).unwrap();
    }
    let held = std::fs::read_to_string(file(name)).unwrap_or_default();
    for (now, held) in now.lines().zip(held.lines()) {
        assert_eq!(now, held, "golden/{name}.txt: the bytes of a message have changed");
    }
    assert_eq!(now.lines().count(), held.lines().count(), "golden/{name}.txt has other messages");
}

#[test]
fn every_message_has_the_bytes_that_its_golden_file_says() {
    for edge in edges() {
        hold(edge.file, &edge.lines);
        for line in &edge.lines {
            assert!(line.comes_back, "{}: {} does not come back as it was", edge.file, line.name);
        }
    }
}

#[test]
fn every_variant_of_every_enum_is_held() {
    for edge in edges() {
        let held: BTreeSet<String> = edge.lines.iter().map(|line| line.name.clone()).collect();
        let due = edge.names.iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}.{name}")));
        assert_eq!(held, due.collect(), "{}", edge.file);
    }
}

#[test]
fn every_record_of_the_launchers_lines_is_held() {
    let who = Instance { role: Role::Memory, slot: 3, number: 0x0102_0304_0506_0708 };
    let mut lines = Vec::new();
    let mut add = |name: &str, bytes: &[u8], comes_back: bool| {
        lines.push(Line { name: name.to_owned(), bytes: bytes.to_vec(), comes_back });
    };
    let requests = [
        ("Request.Start", Request::Start { role: Role::Brain, slot: 2 }),
        ("Request.Signal.Term", Request::Signal { to: who, signal: Signal::Term }),
        ("Request.Signal.Kill", Request::Signal { to: who, signal: Signal::Kill }),
        ("Request.Notify.Ready", Request::Notify(Notice::Ready)),
        ("Request.Notify.Reloading", Request::Notify(Notice::Reloading)),
        ("Request.Notify.Alive", Request::Notify(Notice::Alive)),
        ("Request.Notify.Stopping", Request::Notify(Notice::Stopping)),
    ];
    for (name, request) in requests {
        add(name, &request.to_bytes(), Request::from_bytes(&request.to_bytes()) == Some(request));
    }
    let refused = |reason| Report::Refused { role: Role::Model, slot: 1, reason, errno: -2 };
    let reports = [
        ("Report.Started", Report::Started { who, pid: 70_000 }),
        ("Report.Adopted", Report::Adopted { who, pid: 70_000, sealed: true }),
        ("Report.Refused.NoSuchSlot", refused(Refusal::NoSuchSlot)),
        ("Report.Refused.Running", refused(Refusal::Running)),
        ("Report.Refused.AccountBusy", refused(Refusal::AccountBusy)),
        ("Report.Refused.TooOften", refused(Refusal::TooOften)),
        ("Report.Refused.TooMany", refused(Refusal::TooMany)),
        ("Report.Refused.Failed", refused(Refusal::Failed)),
        ("Report.Refused.FileMissing", refused(Refusal::FileMissing)),
        ("Report.Sealed", Report::Sealed { who }),
        ("Report.Exited", Report::Exited { who, status: -1, signal: 9, cpu_ms: 12, rss_max_kib: 3456 }),
        ("Report.Reload", Report::Reload),
        ("Report.Shutdown", Report::Shutdown),
    ];
    for (name, report) in reports {
        add(name, &report.to_bytes(), Report::from_bytes(&report.to_bytes()) == Some(report));
    }
    let given = EdgeGiven { who };
    add("EdgeGiven", &given.to_bytes(), EdgeGiven::from_bytes(&given.to_bytes()) == Some(given));
    for line in &lines {
        assert!(line.comes_back, "{} does not come back as it was", line.name);
    }
    hold("launch", &lines);
}
