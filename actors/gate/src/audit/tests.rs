use std::io::Read as _;

use chela_audit_log::verify;
use proptest::prelude::*;

use super::*;

fn log() -> tempfile::NamedTempFile {
    tempfile::NamedTempFile::new().unwrap()
}

fn open(log: &tempfile::NamedTempFile) -> Audit {
    let file = File::options().read(true).append(true).open(log.path());
    Audit::open(file.unwrap()).unwrap()
}

fn text(log: &tempfile::NamedTempFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open(log.path()).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn report(log: &tempfile::NamedTempFile) -> chela_audit_log::Report {
    verify(text(log).as_slice(), None).unwrap()
}

fn decide(audit: &mut Audit, instance: u64) -> u64 {
    let action = audit.next_action();
    let body = json!({ "action": action, "instance": instance });
    audit.append(TOOL_DECIDED, &body).unwrap();
    action
}

#[test]
fn a_start_goes_on_where_the_last_gate_was() {
    let log = log();
    let mut audit = open(&log);
    let first = decide(&mut audit, 40);
    let second = decide(&mut audit, 41);
    audit.append(TOOL_ENDED, &json!({ "action": first })).unwrap();
    drop(audit);
    let mut audit = open(&log);
    assert_eq!(audit.entries(), 3);
    assert_eq!(audit.instance_of(first), None);
    assert_eq!(audit.instance_of(second), Some(41));
    assert_eq!(audit.next_action(), 3);
    audit.append("x", &json!({})).unwrap();
    audit.sync().unwrap();
    assert!(report(&log).is_clean());
}

#[test]
fn a_damaged_tail_is_said_in_the_log_itself() {
    let log = log();
    let mut audit = open(&log);
    for _ in 0..5 {
        decide(&mut audit, 1);
    }
    drop(audit);
    let mut bytes = text(&log);
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(log.path(), &bytes).unwrap();
    drop(open(&log));
    let report = report(&log);
    assert!(!report.is_clean());
    assert_eq!(report.last.unwrap().event, DAMAGED);
}

#[test]
fn a_log_without_any_entry_is_not_gone_on_with() {
    let log = log();
    std::fs::write(log.path(), "nothing\nof ours\n").unwrap();
    let file = File::options().read(true).append(true).open(log.path());
    assert!(matches!(Audit::open(file.unwrap()), Err(AuditError::Unreadable { .. })));
}

#[test]
fn a_missing_end_is_noticed_by_what_was_recorded_elsewhere() {
    let log = log();
    let mut audit = open(&log);
    for _ in 0..5 {
        decide(&mut audit, 1);
    }
    let recorded = audit.head();
    assert!(audit.hold_against(recorded).unwrap());
    drop(audit);
    let bytes = text(&log);
    let cut = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    std::fs::write(log.path(), &bytes[..cut]).unwrap();
    let mut audit = open(&log);
    assert!(!audit.hold_against(recorded).unwrap());
    assert_eq!(report(&log).last.unwrap().event, END_MISSING);
}

#[test]
fn entries_are_read_by_number() {
    let log = log();
    let mut audit = open(&log);
    for _ in 0..50 {
        decide(&mut audit, 1);
    }
    let lines = audit.read(48, 10).unwrap();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("{\"seq\":48,"));
    assert_eq!(audit.read(51, 10).unwrap(), Vec::<String>::new());
    assert_eq!(audit.read(0, 2).unwrap().len(), 2);
}

#[test]
fn an_entry_larger_than_a_line_is_refused_and_harms_nothing() {
    let log = log();
    let mut audit = open(&log);
    let large = json!({ "x": "y".repeat(LINE_BYTES_MAX) });
    assert!(matches!(audit.append("x", &large), Err(AuditError::TooLarge { .. })));
    decide(&mut audit, 1);
    assert!(report(&log).is_clean());
}

proptest! {
    /// Wherever a crash cuts the log off, the next start makes it whole again, and loses no entry that was whole.
    #[test]
    fn any_crash_is_mended(cut in 1..2000usize, again in 1..400usize) {
        let log = log();
        let mut audit = open(&log);
        for _ in 0..6 {
            decide(&mut audit, 1);
        }
        drop(audit);
        let bytes = text(&log);
        let cut = cut % bytes.len();
        std::fs::write(log.path(), &bytes[..cut]).unwrap();
        let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
        let readable = cut == 0 || whole > 0 || Entry::parse(&bytes[..cut]).is_ok();
        let file = File::options().read(true).append(true).open(log.path()).unwrap();
        match Audit::open(file) {
            Ok(mut audit) => {
                decide(&mut audit, 1);
                drop(audit);
                let found = report(&log);
                prop_assert!(found.is_clean(), "{:?}", found.faults);
                prop_assert!(found.entries > whole);
                // A crash while it was being mended is mended as well.
                let bytes = text(&log);
                let at = (bytes.len() - 1).saturating_sub(again).max(cut);
                std::fs::write(log.path(), &bytes[..at]).unwrap();
                if whole > 0 {
                    decide(&mut open(&log), 1);
                    let found = report(&log);
                    prop_assert!(found.is_clean(), "{:?}", found.faults);
                }
            }
            Err(error) => prop_assert!(!readable, "{error}"),
        }
    }
}
