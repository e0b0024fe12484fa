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
use crate::limits::{LABEL_CACHE_KIB, LABEL_LOG_BYTES, LABEL_LOG_PAGES_MAX, LABELS_FORGOTTEN_MAX};

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

/// Whether a path of a root is gone, by hand: nothing is there that its label would be of.
pub type Gone<'g> = &'g dyn Fn(&[u8], &[u8]) -> bool;

/// A root and a path of it.
type Spot = (Vec<u8>, Vec<u8>);

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
        // Reads and begins to write once: what that opens is open from here on. No root is called so.
        table.0.execute("DELETE FROM label WHERE root = X'00' AND path = X'00'", []).map_err(damaged)?;
        Ok(table)
    }

    /// Whether no path of a root has a label of its own.
    pub fn is_empty(&self, root: &[u8]) -> Result<bool, Failed> {
        let read = || {
            let mut ask = self.0.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM label WHERE root = ?1)")?;
            ask.query_row(params![root], |row| row.get(0))
        };
        read().map_err(|error| failed("read the labels of", root, &error))
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
    pub fn below(&self, root: &[u8], path: &[u8], gone: Gone<'_>) -> Result<Label, Failed> {
        if path.is_empty() {
            return self.join(&Range::Whole(root), gone);
        }
        Ok(self.get(root, path)?.unwrap_or(Label::OWN).join(self.join(&Range::Below(root, path), gone)?))
    }

    /// The join of a directory's and of what is in it.
    pub fn inside(&self, root: &[u8], path: &[u8], gone: Gone<'_>) -> Result<Label, Failed> {
        Ok(self.get(root, path)?.unwrap_or(Label::OWN).join(self.join(&Range::Inside(root, path), gone)?))
    }

    /// The join of all that is not in the workspace.
    pub fn beside(&self, gone: Gone<'_>) -> Result<Label, Failed> {
        self.join(&Range::Beside, gone)
    }

    fn join(&self, range: &Range<'_>, gone: Gone<'_>) -> Result<Label, Failed> {
        let integrity = match () {
            () if self.any(UNTRUSTED, range, gone)? => Integrity::Untrusted,
            () if self.any(MEMBER, range, gone)? => Integrity::Member,
            () => Integrity::Owner,
        };
        let confidentiality = match self.any(SECRET, range, gone)? {
            true => Confidentiality::Secret,
            false => Confidentiality::Public,
        };
        Ok(Label::OWN.join(Label { integrity, confidentiality }))
    }

    /// Whether any path of a range has that rank. Labels of paths that are gone are forgotten on the way, so many at most.
    fn any(&self, rank: (&str, &str), range: &Range<'_>, gone: Gone<'_>) -> Result<bool, Failed> {
        for _ in 0..LABELS_FORGOTTEN_MAX {
            let Some((root, path)) = self.first(rank, range)? else { return Ok(false) };
            if !gone(&root, &path) {
                return Ok(true);
            }
            let forget = || {
                self.0.prepare_cached("DELETE FROM label WHERE root = ?1 AND path = ?2")?.execute(params![root, path])
            };
            forget().map_err(|error| failed("forget the label of", &path, &error))?;
        }
        Ok(true)
    }

    /// One path of a range that has that rank.
    fn first(&self, (index, rank): (&str, &str), range: &Range<'_>) -> Result<Option<Spot>, Failed> {
        let nowhere: &[u8] = b"";
        let (root, path, of) = match range {
            Range::Whole(root) => (*root, nowhere, "root = ?1"),
            Range::Beside => (nowhere, nowhere, "root > ?1"),
            Range::Inside(root, b"") => (*root, nowhere, "root = ?1 AND instr(path, X'2F') = 0"),
            Range::Below(root, path) => (*root, *path, "root = ?1 AND path > ?2 AND path < ?3"),
            Range::Inside(root, path) => (
                *root,
                *path,
                "root = ?1 AND path > ?2 AND path < ?3 AND instr(substr(path, length(?2) + 1), X'2F') = 0",
            ),
        };
        // What is below `a` begins with `a/`, and the byte behind `/` is `0`.
        let (from, to) = ([path, b"/"].concat(), [path, b"0"].concat());
        // Each asks for all three, used or not.
        let ask = format!(
            "SELECT root, path FROM label INDEXED BY {index} WHERE {rank} AND {of} AND ?2 IS NOT NULL AND ?3 IS NOT NULL \
             LIMIT 1"
        );
        let read = || {
            let mut ask = self.0.prepare_cached(&ask)?;
            ask.query_row(params![root, from, to], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
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
