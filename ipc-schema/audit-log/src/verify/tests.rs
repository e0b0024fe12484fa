use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::entry::{Draft, STARTED};

fn log(count: u64) -> Vec<String> {
    let mut head = Head::EMPTY;
    (1..=count)
        .map(|n| {
            let event = match n {
                1 => STARTED,
                n if n == count => STOPPED,
                _ => "tool.decided",
            };
            let body = json!({ "n": n, "text": "a \"quoted\" line\n" });
            let draft = Draft { at_ms: 1000 + n, action: n, event, body: &body };
            let (line, next) = draft.line(head);
            head = next;
            line
        })
        .collect()
}

fn check(text: &str) -> Report {
    verify(text.as_bytes(), None).unwrap()
}

#[test]
fn an_untouched_log_is_clean() {
    let report = check(&log(20).concat());
    assert!(report.is_clean(), "{:?}", report.faults);
    assert_eq!(report.entries, 20);
    assert!(report.ended_in_order);
    assert_eq!(report.last.unwrap().action, 20);
    assert!(check("").is_clean());
}

#[test]
fn a_missing_entry_is_a_gap_wherever_it_was() {
    for missing in 0..9 {
        let mut lines = log(10);
        lines.remove(missing);
        let found = check(&lines.concat()).faults;
        let due = missing as u64 + 1;
        assert_eq!(found[0].line, due);
        assert_eq!(found[0].fault, Fault::Gap { due, found: due + 1 });
    }
}

#[test]
fn swapped_and_doubled_entries_are_found() {
    let mut lines = log(6);
    lines.swap(2, 3);
    assert!(!check(&lines.concat()).is_clean());
    let mut lines = log(6);
    lines.insert(3, lines[2].clone());
    assert!(!check(&lines.concat()).is_clean());
}

#[test]
fn a_rewritten_entry_with_a_right_hash_breaks_the_chain() {
    let mut lines = log(5);
    let second = Entry::parse(lines[1].trim_end().as_bytes()).unwrap();
    let first = Entry::parse(lines[0].trim_end().as_bytes()).unwrap();
    let body = json!({ "n": 2, "text": "another" });
    let draft = Draft { at_ms: second.at_ms, action: second.action, event: &second.event, body: &body };
    lines[1] = draft.line(first.head()).0;
    let report = check(&lines.concat());
    assert_eq!(report.faults[0].line, 3);
    assert_eq!(report.faults[0].fault, Fault::Unchained);
}

#[test]
fn a_missing_end_is_found_with_a_recorded_head() {
    let lines = log(10);
    let last = Entry::parse(lines[9].trim_end().as_bytes()).unwrap().head();
    let whole = lines.concat();
    let short = lines[..8].concat();
    assert!(verify(whole.as_bytes(), Some(last)).unwrap().is_clean());
    let report = verify(short.as_bytes(), Some(last)).unwrap();
    assert_eq!(report.faults[0].fault, Fault::EndMissing { recorded: 10, last: 8 });
    assert!(!check(&short).ended_in_order);
}

#[test]
fn a_crash_is_accounted_for_by_the_entry_behind_it_and_by_no_other() {
    let lines = log(4);
    let last = Entry::parse(lines[2].trim_end().as_bytes()).unwrap();
    let fragment = &lines[3].as_bytes()[..40];
    let torn = |fragment: &[u8]| {
        let body = Draft::torn_body(fragment);
        let draft = Draft { at_ms: 1, action: 4, event: crate::entry::TORN, body: &body };
        draft.line(last.head()).0
    };
    let mut text = lines[..3].concat();
    text.push_str(std::str::from_utf8(fragment).unwrap());
    assert_eq!(check(&text).faults[0].fault, Fault::CutOff);
    text.push('\n');
    let report = check(&format!("{text}{}", torn(fragment)));
    assert!(report.is_clean(), "{:?}", report.faults);
    assert_eq!(report.torn, 1);
    let report = check(&format!("{text}{}", torn(b"something else")));
    assert_eq!(report.faults[0].line, 4);
    assert_eq!(report.faults[0].fault, Fault::NotAnEntry);
    assert_eq!(check(&text).faults[0].fault, Fault::NotAnEntry);
}

#[test]
fn a_line_of_any_length_is_bounded() {
    let text = format!("{}{}\n", log(3).concat(), "x".repeat(3 * LINE_BYTES_MAX));
    let report = check(&text);
    assert_eq!(report.faults_counted, 1);
    assert_eq!(report.entries, 3);
}

#[test]
fn an_entry_is_found_by_its_number_in_a_large_log() {
    use std::io::Write as _;
    let path = std::env::temp_dir().join(format!("chela-audit-find-{}", std::process::id()));
    let mut file = std::fs::File::options().create_new(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let lines = log(3000);
    file.write_all(lines.concat().as_bytes()).unwrap();
    let size = file.metadata().unwrap().len();
    assert!(size > 8 * LINE_BYTES_MAX as u64);
    for seq in [0, 1, 2, 777, 1500, 2999, 3000] {
        let offset = crate::find::offset_of(&file, size, seq).unwrap();
        let (found, _) = crate::find::lines_at(&file, offset, size, 2048).unwrap();
        assert_eq!(Entry::parse(&found[0]).unwrap().seq, seq.max(1));
    }
    assert_eq!(crate::find::offset_of(&file, size, 3001).unwrap(), size);
}

proptest! {
    /// Any one byte changed, and any cut, is found.
    #[test]
    fn any_edit_and_any_cut_is_found(at in 0..4000usize, change in 1..255u8) {
        let text = log(12).concat();
        let last = Entry::parse(log(12)[11].trim_end().as_bytes()).unwrap().head();
        let at = at % text.len();
        let mut edited = text.clone().into_bytes();
        edited[at] ^= change;
        prop_assert!(!verify(edited.as_slice(), Some(last)).unwrap().is_clean());
        prop_assert!(!verify(&text.as_bytes()[..at], Some(last)).unwrap().is_clean());
    }
}
