//! The audit log's writer. An entry is with the kernel when [`Audit::append`] returns, so that no death of this process
//! loses it, and on the disk when [`Audit::sync`] returns: that happens before what it allows happens.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use chela_audit_log::entry::TORN;
use chela_audit_log::limits::LINE_BYTES_MAX;
use chela_audit_log::verify::Chain;
use chela_audit_log::{Draft, Entry, Head, find};
use serde_json::{Value, json};

use crate::limits::{AUDIT_TAIL_BYTES, LOG_BYTES_MAX, LOG_ENTRIES_MAX};

/// Event: a call was decided. With `action` and `instance` when it was admitted.
pub const TOOL_DECIDED: &str = "tool.decided";
/// Event: an admitted call goes to another instance than its decision says: it never reached the first, or that died.
pub const TOOL_MOVED: &str = "tool.moved";
/// Event: an admitted call has ended.
pub const TOOL_ENDED: &str = "tool.ended";
/// Event: an admitted call goes on in the background, behind its turn's back.
pub const TOOL_GOES_ON: &str = "tool.goes_on";
/// Event: entries that this log had are not there any more.
pub const END_MISSING: &str = "log.end_missing";
/// Event: the end of the log was damaged before this start.
pub const DAMAGED: &str = "log.damaged";

/// Why the log can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A system call failed.
    #[error("audit log: {step}: {error}; without it nothing can be allowed (is the disk full?)")]
    Io {
        /// Which step.
        step: &'static str,
        /// What happened.
        error: io::Error,
    },
    /// No entry can be read at its end.
    #[error(
        "audit log: its last {bytes} bytes hold no entry: keep var/audit/audit.log under another name, then start anew"
    )]
    Unreadable {
        /// So many bytes were looked at.
        bytes: usize,
    },
    /// The entry is larger than a line may be.
    #[error("audit log: an entry of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// The log, open at its end.
#[derive(Debug)]
pub struct Audit {
    file: File,
    head: Head,
    action: u64,
    dirty: bool,
    /// What of an entry was written before writing failed.
    cut: Vec<u8>,
    /// Actions that have not ended, those of the gate before this one included: the executor instance that has them.
    unfinished: BTreeMap<u64, u64>,
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Audit {
    /// Goes on with the log in `file`, whatever state the last gate left it in. Nothing in it is ever removed.
    ///
    /// # Errors
    /// When it can't be read or written, or holds no entry at its end.
    pub fn open(mut file: File) -> Result<Audit, AuditError> {
        let tail = read_tail(&mut file).map_err(io("reading its end"))?;
        let mut audit =
            Audit { file, head: Head::EMPTY, action: 0, dirty: false, cut: Vec::new(), unfinished: BTreeMap::new() };
        let Some(tail) = tail else { return Ok(audit) };
        audit.take_up(&tail)?;
        Ok(audit)
    }

    /// Number of the newest entry.
    pub fn entries(&self) -> u64 {
        self.head.seq
    }

    /// The newest entry.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The executor instance that may have an action which has not ended.
    pub fn instance_of(&self, action: u64) -> Option<u64> {
        self.unfinished.get(&action).copied()
    }

    /// An action is about to go to that executor instance.
    pub fn started(&mut self, action: u64, instance: u64) {
        self.unfinished.insert(action, instance);
    }

    /// An action has ended.
    pub fn ended(&mut self, action: u64) {
        self.unfinished.remove(&action);
    }

    /// No action up to this number is given out again.
    pub fn skip_actions(&mut self, up_to: u64) {
        self.action = self.action.max(up_to);
    }

    /// A number for an action, never given out before. It counts once an entry with it is written.
    pub fn next_action(&mut self) -> u64 {
        self.action += 1;
        self.action
    }

    /// Whether entries wait for [`Audit::sync`].
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// When it is not written: then what it was to allow must not happen.
    pub fn append(&mut self, event: &str, body: &Value) -> Result<(), AuditError> {
        self.mend()?;
        self.write_entry(event, body)
    }

    /// Waits until all entries are on the disk.
    ///
    /// # Errors
    /// When they may not be.
    pub fn sync(&mut self) -> Result<(), AuditError> {
        if self.dirty {
            self.file.sync_data().map_err(io("fdatasync"))?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Entries from number `from` on, each as its line; at most so many.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn read(&self, from: u64, entries_max: u32) -> Result<Vec<String>, AuditError> {
        let size = self.file.metadata().map_err(io("its size"))?.len();
        let offset = find::offset_of(&self.file, size, from).map_err(io("finding an entry"))?;
        let (lines, _) = find::lines_at(&self.file, offset, size, LOG_BYTES_MAX).map_err(io("reading"))?;
        let most = entries_max.min(LOG_ENTRIES_MAX) as usize;
        let lines = lines.into_iter().take(most);
        Ok(lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect())
    }

    /// Whether the log still has the entry that was recorded elsewhere; if not, says so in the log.
    ///
    /// # Errors
    /// When the log can't be read or written.
    pub fn hold_against(&mut self, recorded: Head) -> Result<bool, AuditError> {
        let found = self.read(recorded.seq, 1)?;
        let entry = found.first().and_then(|line| Entry::parse(line.as_bytes()).ok());
        if recorded.seq == 0 || entry.is_some_and(|entry| entry.head() == recorded) {
            return Ok(true);
        }
        let body = json!({ "recorded": recorded.seq, "hash": recorded.hash.to_string() });
        self.append(END_MISSING, &body)?;
        self.sync()?;
        Ok(false)
    }

    fn take_up(&mut self, tail: &Tail) -> Result<(), AuditError> {
        let mut chain: Option<Chain> = None;
        let mut taken = 0;
        let mut at = 0;
        while let Some(length) = tail.bytes[at..].iter().position(|byte| *byte == b'\n') {
            let line = &tail.bytes[at..at + length];
            at += length + 1;
            let Ok(entry) = Entry::parse(line) else { continue };
            // What the log was before this tail is `chela log verify`'s to say.
            let from = if chain.is_some() { taken } else { at - length - 1 };
            let chain = chain.get_or_insert_with(|| Chain::new(before(&entry), None));
            for line in tail.bytes[from..at - 1].split(|byte| *byte == b'\n') {
                chain.push(line);
            }
            taken = at;
            self.take_up_entry(Some(entry));
        }
        let rest = &tail.bytes[taken..];
        if self.head == Head::EMPTY && !(tail.whole && is_first_entry_cut(&tail.bytes)) {
            return Err(AuditError::Unreadable { bytes: tail.bytes.len() });
        }
        self.take_up_rest(rest)?;
        self.report_damage(chain.map_or(0, |chain| chain.end(false).faults_counted))
    }

    fn take_up_entry(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        self.head = entry.head();
        self.action = self.action.max(entry.action);
        let number = |key: &str| entry.body.get(key).and_then(Value::as_u64);
        let Some(action) = number("action").filter(|action| *action > 0) else {
            return;
        };
        if entry.event == TOOL_ENDED {
            self.unfinished.remove(&action);
        } else if let (TOOL_DECIDED | TOOL_MOVED, Some(instance)) = (entry.event.as_str(), number("instance")) {
            self.unfinished.insert(action, instance);
        }
    }

    /// What crashes left behind the last entry.
    fn take_up_rest(&mut self, rest: &[u8]) -> Result<(), AuditError> {
        // The line that is not ended yet may be a whole entry, for example the one that accounts for what lies before it.
        let begun = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = Entry::parse(&rest[begun..]).ok();
        let whole = whole.filter(|entry| before(entry) == self.head);
        if let Some(entry) = whole {
            // Only its line break is missing.
            self.write_bytes(b"\n")?;
            self.take_up_entry(Some(entry));
            return self.sync();
        }
        match rest.strip_suffix(b"\n") {
            Some(fragment) => self.account_for(fragment),
            None => {
                self.cut = rest.to_vec();
                self.mend()
            }
        }
    }

    fn report_damage(&mut self, faults: u64) -> Result<(), AuditError> {
        if faults == 0 {
            return Ok(());
        }
        tracing::error!(faults, "the audit log was damaged before this start: `chela log verify` shows where");
        self.append(DAMAGED, &json!({ "faults": faults }))?;
        self.sync()
    }

    /// Makes what was cut off a line of its own and accounts for it.
    fn mend(&mut self) -> Result<(), AuditError> {
        if self.cut.is_empty() {
            return Ok(());
        }
        let fragment = std::mem::take(&mut self.cut);
        if let Err(error) = self.write_bytes(b"\n") {
            self.cut = fragment;
            return Err(error);
        }
        self.account_for(&fragment)
    }

    fn account_for(&mut self, fragment: &[u8]) -> Result<(), AuditError> {
        self.write_entry(TORN, &Draft::torn_body(fragment))?;
        self.sync()
    }

    fn write_entry(&mut self, event: &str, body: &Value) -> Result<(), AuditError> {
        let draft = Draft { at_ms: now_ms(), action: self.action, event, body };
        let (line, head) = draft.line(self.head);
        if line.len() > LINE_BYTES_MAX {
            return Err(AuditError::TooLarge { bytes: line.len() });
        }
        self.write_bytes(line.as_bytes())?;
        self.head = head;
        Ok(())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), AuditError> {
        let mut written = 0;
        while written < bytes.len() {
            self.dirty = true;
            match self.file.write(&bytes[written..]) {
                Ok(0) => {
                    self.cut = bytes[..written].to_vec();
                    return Err(io("writing")(io::ErrorKind::WriteZero.into()));
                }
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut = bytes[..written].to_vec();
                    return Err(io("writing")(error));
                }
            }
        }
        Ok(())
    }
}

/// The head that an entry was written behind.
fn before(entry: &Entry) -> Head {
    Head { seq: entry.seq.saturating_sub(1), hash: entry.prev }
}

/// Whether this is what crashes leave of the first entry ever.
fn is_first_entry_cut(bytes: &[u8]) -> bool {
    const BEGINS: &[u8] = b"{\"seq\":1,";
    bytes.starts_with(BEGINS) || BEGINS.starts_with(bytes)
}

struct Tail {
    bytes: Vec<u8>,
    /// Whether it is the whole log.
    whole: bool,
}

/// The end of the log from the beginning of a line on, or `None` when the log is empty.
fn read_tail(file: &mut File) -> io::Result<Option<Tail>> {
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(None);
    }
    let from = size.saturating_sub(AUDIT_TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if from > 0 {
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.drain(..line);
    }
    Ok(Some(Tail { bytes, whole: from == 0 }))
}

fn io(step: &'static str) -> impl FnOnce(io::Error) -> AuditError {
    move |error| AuditError::Io { step, error }
}

#[cfg(test)]
mod tests;
