//! The table of labels: a database in the store. Only paths that have a label of their own are in it, so that it is empty
//! where nobody but the principal has written anything. What is asked of it takes no longer with a million of them.
//!
//! It is opened, and made where there is none, before the executor is sealed; from then on it needs no call but those that
//! read and write what is open.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use rustix::io::Errno;
use schema::label::{Confidentiality, Integrity, Label};

use crate::error::{AreaError, Failed};
use crate::limits::{LABEL_CACHE_KIB, LABEL_LOG_BYTES, LABEL_LOG_PAGES_MAX};

const FILE: &str = "labels.db";
const VERSION: i64 = 1;

/// Ranks are those of [`rank_of`]. Each rank above a principal's own has an index of its own: whether any path of a range
/// has it is one step down a tree.
const SCHEMA: &str = "
    CREATE TABLE label (
        root BLOB NOT NULL,
        path BLOB NOT NULL,
        integrity INTEGER NOT NULL,
        confidentiality INTEGER NOT NULL,
        PRIMARY KEY (root, path)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX untrusted ON label (root, path) WHERE integrity = 2;
    CREATE INDEX member ON label (root, path) WHERE integrity = 1;
    CREATE INDEX secret ON label (root, path) WHERE confidentiality = 2;
    PRAGMA user_version = 1;
";

const UNTRUSTED: (&str, &str) = ("untrusted", "integrity = 2");
const MEMBER: (&str, &str) = ("member", "integrity = 1");
const SECRET: (&str, &str) = ("secret", "confidentiality = 2");

/// The table.
pub struct Table(Connection);

/// Paths of one root, or roots.
enum Range<'r> {
    /// Everything of a root.
    Whole(&'r [u8]),
    /// What is below a directory of a root.
    Below(&'r [u8], &'r [u8]),
    /// What is in a directory of a root, and not below that.
    Inside(&'r [u8], &'r [u8]),
    /// Every root but the workspace.
    Beside,
}

impl Table {
    /// Opens the table of the store in `store`.
    pub fn open(store: &Path) -> Result<Table, AreaError> {
        let path = store.join(FILE);
        let damaged = |why: rusqlite::Error| AreaError::Damaged { what: FILE.to_owned(), why: why.to_string() };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags).map_err(damaged)?;
        settings(&connection).map_err(damaged)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(damaged)?;
        match version {
            0 => connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;")).map_err(damaged)?,
            VERSION => {}
            other => {
                let why = format!("it is of version {other}, and this program knows {VERSION}");
                return Err(AreaError::Damaged { what: FILE.to_owned(), why });
            }
        }
        let table = Table(connection);
        // Reads and writes once: what that opens is open from here on.
        table.0.execute("DELETE FROM label WHERE integrity = 0 AND confidentiality = 0", []).map_err(damaged)?;
        Ok(table)
    }

    /// Whether no path of a root has a label of its own.
    pub fn is_empty(&self, root: &[u8]) -> Result<bool, Failed> {
        let found: bool = self.one("SELECT EXISTS (SELECT 1 FROM label WHERE root = ?1)", root)?;
        Ok(!found)
    }

    /// The label of a path, where it has one of its own.
    pub fn get(&self, root: &[u8], path: &[u8]) -> Result<Option<Label>, Failed> {
        let read = || {
            let mut ask =
                self.0.prepare_cached("SELECT integrity, confidentiality FROM label WHERE root = ?1 AND path = ?2")?;
            ask.query_row(params![root, path], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        let found: Option<(i64, i64)> = read().map_err(|error| failed("read the label of", path, &error))?;
        found.map(|(integrity, confidentiality)| label_of(integrity, confidentiality, path)).transpose()
    }

    /// The join of a path's and all below it.
    pub fn below(&self, root: &[u8], path: &[u8]) -> Result<Label, Failed> {
        if path.is_empty() {
            return self.join(&Range::Whole(root));
        }
        Ok(self.get(root, path)?.unwrap_or(Label::OWN).join(self.join(&Range::Below(root, path))?))
    }

    /// The join of a directory's and of what is in it.
    pub fn inside(&self, root: &[u8], path: &[u8]) -> Result<Label, Failed> {
        Ok(self.get(root, path)?.unwrap_or(Label::OWN).join(self.join(&Range::Inside(root, path))?))
    }

    /// The join of all that is not in the workspace.
    pub fn beside(&self) -> Result<Label, Failed> {
        self.join(&Range::Beside)
    }

    fn join(&self, range: &Range<'_>) -> Result<Label, Failed> {
        let integrity = match () {
            () if self.any(UNTRUSTED, range)? => Integrity::Untrusted,
            () if self.any(MEMBER, range)? => Integrity::Member,
            () => Integrity::Owner,
        };
        let confidentiality = match self.any(SECRET, range)? {
            true => Confidentiality::Secret,
            false => Confidentiality::Public,
        };
        Ok(Label::OWN.join(Label { integrity, confidentiality }))
    }

    /// Whether any path of a range has that rank.
    fn any(&self, (index, rank): (&str, &str), range: &Range<'_>) -> Result<bool, Failed> {
        let ask = |of: &str| format!("SELECT EXISTS (SELECT 1 FROM label INDEXED BY {index} WHERE {rank} AND {of})");
        let (of, root, path) = match range {
            Range::Whole(root) => return self.one(&ask("root = ?1"), root),
            Range::Beside => return self.one(&ask("root > ?1"), b""),
            Range::Inside(root, b"") => return self.one(&ask("root = ?1 AND instr(path, X'2F') = 0"), root),
            Range::Below(root, path) => ("root = ?1 AND path > ?2 AND path < ?3", root, path),
            Range::Inside(root, path) => {
                ("root = ?1 AND path > ?2 AND path < ?3 AND instr(substr(path, length(?2) + 1), X'2F') = 0", root, path)
            }
        };
        // What is below `a` begins with `a/`, and the byte behind `/` is `0`.
        let (from, to) = ([path, &b"/"[..]].concat(), [path, &b"0"[..]].concat());
        let read = || self.0.prepare_cached(&ask(of))?.query_row(params![root, from, to], |row| row.get(0));
        read().map_err(|error| failed("read the labels below", path, &error))
    }

    fn one(&self, ask: &str, root: &[u8]) -> Result<bool, Failed> {
        let read = || self.0.prepare_cached(ask)?.query_row(params![root], |row| row.get(0));
        read().map_err(|error| failed("read the labels of", root, &error))
    }

    /// Gives paths their labels, all of them or none. They are on the disk afterwards.
    pub fn set<'c>(
        &mut self,
        mut changes: impl Iterator<Item = (&'c [u8], &'c [u8], Option<Label>)>,
    ) -> Result<(), Failed> {
        let Some(first) = changes.next() else { return Ok(()) };
        let all = std::iter::once(first).chain(changes);
        let write = || {
            let transaction = self.0.transaction()?;
            {
                let mut give = transaction.prepare_cached("INSERT OR REPLACE INTO label VALUES (?1, ?2, ?3, ?4)")?;
                let mut take = transaction.prepare_cached("DELETE FROM label WHERE root = ?1 AND path = ?2")?;
                for (root, path, label) in all {
                    match label.map(rank_of) {
                        Some((integrity, confidentiality)) => {
                            give.execute(params![root, path, integrity, confidentiality])?
                        }
                        None => take.execute(params![root, path])?,
                    };
                }
            }
            transaction.commit()
        };
        write().map_err(|error| failed("write down", b"labels", &error))
    }
}

/// The exclusive lock keeps the index of the write-ahead log in this process's own memory, and a second one out.
fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -LABEL_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LABEL_LOG_PAGES_MAX)?;
    connection.pragma_update(None, "journal_size_limit", LABEL_LOG_BYTES)?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")
}

fn rank_of(label: Label) -> (i64, i64) {
    let integrity = match label.integrity {
        Integrity::Owner => 0,
        Integrity::Member => 1,
        Integrity::Untrusted => 2,
    };
    let confidentiality = match label.confidentiality {
        Confidentiality::Public => 0,
        Confidentiality::Private => 1,
        Confidentiality::Secret => 2,
    };
    (integrity, confidentiality)
}

fn label_of(integrity: i64, confidentiality: i64, path: &[u8]) -> Result<Label, Failed> {
    let integrity = match integrity {
        0 => Some(Integrity::Owner),
        1 => Some(Integrity::Member),
        2 => Some(Integrity::Untrusted),
        _ => None,
    };
    let confidentiality = match confidentiality {
        0 => Some(Confidentiality::Public),
        1 => Some(Confidentiality::Private),
        2 => Some(Confidentiality::Secret),
        _ => None,
    };
    match (integrity, confidentiality) {
        (Some(integrity), Some(confidentiality)) => Ok(Label { integrity, confidentiality }),
        (None, _) | (_, None) => Err(Failed::new("understand the label of", path, Errno::INVAL)),
    }
}

fn failed(step: &'static str, object: &[u8], error: &rusqlite::Error) -> Failed {
    let errno = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Errno::NOSPC,
        Some(ErrorCode::ReadOnly) => Errno::ROFS,
        Some(ErrorCode::OutOfMemory) => Errno::NOMEM,
        _ => Errno::IO,
    };
    Failed::new(step, object, errno)
}
