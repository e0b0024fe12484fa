//! Finds any edit, gap or truncation: a line at a time, in bounded memory.

use std::fmt;
use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256};

use crate::entry::{BadLine, Entry, Hash, Head, STOPPED};
use crate::limits::{FAULTS_NAMED_MAX, LINE_BYTES_MAX};

/// What is wrong at a place of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The line is no entry, and the entry behind it does not account for it.
    NotAnEntry,
    /// The entry was edited.
    Edited,
    /// Entries are missing or doubled before this one.
    Gap {
        /// The number that was due.
        due: u64,
        /// The number that is there.
        found: u64,
    },
    /// The entry before this one is not the one that was there when it was written.
    Unchained,
    /// The file ends in the middle of a line.
    CutOff,
    /// The log ends before an entry, or has another in its place, that was recorded elsewhere.
    EndMissing {
        /// Number of the recorded entry.
        recorded: u64,
        /// Number of the last entry that is there.
        last: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotAnEntry => write!(f, "not an entry, and no crash is recorded here"),
            Fault::Edited => write!(f, "edited: its hash is not that of its bytes"),
            Fault::Gap { due, found } => {
                write!(f, "gap: entry {due} is due here, this is entry {found}")
            }
            Fault::Unchained => write!(f, "the entry before it is not the one that stood there when it was written"),
            Fault::CutOff => {
                write!(f, "cut off in the middle of a line (after a crash, the next start of chelad marks it)")
            }
            Fault::EndMissing { recorded, last } => write!(
                f,
                "the end is missing or replaced: entry {recorded} was recorded elsewhere, the last one here is {last}"
            ),
        }
    }
}

/// A fault and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Line, counted from 1.
    pub line: u64,
    /// What.
    pub fault: Fault,
}

/// What a log looks like.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Entries that are whole.
    pub entries: u64,
    /// Crashes in the middle of a line that are accounted for.
    pub torn: u64,
    /// The newest entry.
    pub last: Option<Entry>,
    /// Whether the newest entry is a gate's orderly end.
    pub ended_in_order: bool,
    /// Faults, oldest first; at most [`FAULTS_NAMED_MAX`].
    pub faults: Vec<Found>,
    /// All faults, those beyond the limit included.
    pub faults_counted: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults_counted == 0
    }
}

/// Reads a whole log. `recorded` is an entry that is known to have been there, if the caller knows one.
///
/// # Errors
/// Only when reading fails; what is wrong with the log is in the report.
pub fn verify(reader: impl Read, recorded: Option<Head>) -> io::Result<Report> {
    let mut reader = io::BufReader::new(reader);
    let mut chain = Chain::new(Head::EMPTY, recorded);
    let mut line = Vec::new();
    loop {
        line.clear();
        let got = reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if got == 0 {
            return Ok(chain.end(false));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            chain.push(&line);
        } else if got == LINE_BYTES_MAX {
            // Longer than any entry: no entry, whatever the rest of it says.
            skip_line(&mut reader)?;
            chain.push(&line);
        } else {
            return Ok(chain.end(true));
        }
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (skip, over) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(skip);
        if over {
            return Ok(());
        }
    }
}

/// Lines in a row that are no entries: what one crash left, or several before a start could account for them.
#[derive(Debug)]
struct Fragment {
    line: u64,
    bytes: u64,
    hash: Sha256,
    bad: BadLine,
}

/// A log under examination: lines go in, in order.
#[derive(Debug)]
pub struct Chain {
    head: Head,
    recorded: Option<Head>,
    recorded_seen: bool,
    fragment: Option<Fragment>,
    lines: u64,
    report: Report,
}

impl Chain {
    /// A chain that goes on behind `head`.
    pub fn new(head: Head, recorded: Option<Head>) -> Chain {
        Chain {
            head,
            recorded,
            recorded_seen: recorded.is_none_or(|recorded| recorded.seq == 0),
            fragment: None,
            lines: 0,
            report: Report {
                entries: 0,
                torn: 0,
                last: None,
                ended_in_order: false,
                faults: Vec::new(),
                faults_counted: 0,
            },
        }
    }

    /// The next line, without its line break. Returns the entry in it, whatever is wrong with its place.
    pub fn push(&mut self, line: &[u8]) -> Option<Entry> {
        self.lines += 1;
        match Entry::parse(line) {
            Err(bad) => {
                self.add_fragment(line, bad);
                None
            }
            Ok(entry) => {
                self.judge_fragment(Some(&entry));
                self.judge_place(&entry);
                self.head = entry.head();
                self.recorded_seen |= self.recorded == Some(self.head);
                self.report.entries += 1;
                self.report.last = Some(entry.clone());
                Some(entry)
            }
        }
    }

    /// The report; `cut_off` when more bytes follow, but no line break.
    pub fn end(mut self, cut_off: bool) -> Report {
        self.judge_fragment(None);
        if cut_off {
            self.lines += 1;
            self.fault(self.lines, Fault::CutOff);
        }
        if !self.recorded_seen {
            let recorded = self.recorded.map_or(0, |head| head.seq);
            let last = self.head.seq;
            self.fault(self.lines, Fault::EndMissing { recorded, last });
        }
        let last = self.report.last.as_ref();
        self.report.ended_in_order = !cut_off && last.is_some_and(|entry| entry.event == STOPPED);
        self.report
    }

    fn add_fragment(&mut self, line: &[u8], bad: BadLine) {
        match &mut self.fragment {
            Some(fragment) => {
                fragment.bytes += 1 + line.len() as u64;
                fragment.hash.update(b"\n");
                fragment.hash.update(line);
            }
            None => {
                self.fragment = Some(Fragment {
                    line: self.lines,
                    bytes: line.len() as u64,
                    hash: Sha256::new_with_prefix(line),
                    bad,
                });
            }
        }
    }

    /// What stood before this line was no entry: a crash that this one accounts for, or a fault.
    fn judge_fragment(&mut self, next: Option<&Entry>) {
        let Some(fragment) = self.fragment.take() else {
            return;
        };
        let hash = Hash(fragment.hash.finalize().into());
        if next.is_some_and(|next| next.accounts_for(fragment.bytes, hash)) {
            self.report.torn += 1;
            return;
        }
        let fault = match fragment.bad {
            BadLine::Form => Fault::NotAnEntry,
            BadLine::Edited => Fault::Edited,
        };
        self.fault(fragment.line, fault);
    }

    fn judge_place(&mut self, entry: &Entry) {
        let due = self.head.seq + 1;
        if entry.seq != due {
            let found = entry.seq;
            self.fault(self.lines, Fault::Gap { due, found });
        } else if entry.prev != self.head.hash {
            self.fault(self.lines, Fault::Unchained);
        }
    }

    fn fault(&mut self, line: u64, fault: Fault) {
        self.report.faults_counted += 1;
        if self.report.faults.len() < FAULTS_NAMED_MAX {
            self.report.faults.push(Found { line, fault });
        }
    }
}

#[cfg(test)]
mod tests;
