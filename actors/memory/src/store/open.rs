//! Opening: settings, creation under another name, the check, the migrations.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::schema_sql::{application_id, migrations};
use super::{Database, Owner, damage};
use crate::error::StoreError;
use crate::limits::{CHECK_AT_OPEN_BYTES_MAX, LOG_FILE_BYTES, LOG_PAGES_MAX, PAGE_CACHE_KIB};

/// Name of the database in its directory.
pub const DATABASE: &str = "memory.db";
const BEING_MADE: &str = "memory.db.new";

/// Opens the database of `owner` in `directory`. An empty directory gets a new one; a directory that shows traces of
/// one that is gone does not.
pub fn open(owner: Owner, directory: &Path) -> Result<Database, StoreError> {
    let path = directory.join(DATABASE);
    if !exists(&path)? {
        damage::refuse_if_one_was_here(directory, &path)?;
        create(owner, directory, &path)?;
    }
    let size = fs::metadata(&path).map_err(|e| StoreError::io("look at the database", &path, e))?.len();
    if size == 0 {
        return Err(damaged("open", &path, "it is empty"));
    }
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    settings(&connection, "WAL").map_err(|e| StoreError::sqlite("open", &path, e))?;
    if size <= CHECK_AT_OPEN_BYTES_MAX {
        check(&connection, &path)?;
    }
    whose(&connection, owner, &path)?;
    migrate(&mut connection, owner, &path)?;
    Ok(Database { connection, path })
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|e| StoreError::io("look for the database", path, e))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags).map_err(|e| StoreError::sqlite("open", path, e))
}

/// The exclusive lock keeps the index of the write-ahead log in this process's own memory, and a second one out.
fn settings(connection: &Connection, journal: &str) -> rusqlite::Result<()> {
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_mode", journal)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
    connection.pragma_update(None, "journal_size_limit", LOG_FILE_BYTES)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")
}

/// Made whole under another name, then renamed: so an empty or half-made `memory.db` is always damage, never a start.
fn create(owner: Owner, directory: &Path, path: &Path) -> Result<(), StoreError> {
    let unfinished = directory.join(BEING_MADE);
    remove_if_there(&unfinished)?;
    remove_if_there(&directory.join(format!("{BEING_MADE}-journal")))?;
    {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(&unfinished, flags)?;
        settings(&connection, "DELETE").map_err(|e| StoreError::sqlite("create", &unfinished, e))?;
        connection
            .pragma_update(None, "application_id", application_id(owner))
            .map_err(|e| StoreError::sqlite("create", &unfinished, e))?;
        migrate(&mut connection, owner, &unfinished)?;
    }
    fs::rename(&unfinished, path).map_err(|e| StoreError::io("name the new database", path, e))?;
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(|e| StoreError::io("write down the new name", directory, e))
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::io("remove a half-made database", path, e)),
    }
}

fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|e| StoreError::sqlite("check", path, e))?;
    if found == "ok" {
        return Ok(());
    }
    Err(damaged("check", path, &found))
}

fn whose(connection: &Connection, owner: Owner, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|e| StoreError::sqlite("open", path, e))?;
    if found == application_id(owner) {
        return Ok(());
    }
    Err(damaged("open", path, "it is not a database of this slot"))
}

/// Takes the steps that this file has not seen yet, each with its version in one transaction.
fn migrate(connection: &mut Connection, owner: Owner, path: &Path) -> Result<(), StoreError> {
    let steps = migrations(owner);
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let sqlite = |e| StoreError::sqlite("bring up to date", path, e);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_path_buf(), found, known });
    }
    let done = usize::try_from(found).map_err(|_| damaged("open", path, "its version is negative"))?;
    for (index, step) in steps.iter().enumerate().skip(done) {
        let version = i64::try_from(index + 1).unwrap_or(i64::MAX);
        let transaction = connection.transaction().map_err(sqlite)?;
        transaction.execute_batch(step).map_err(sqlite)?;
        transaction.pragma_update(None, "user_version", version).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}

fn damaged(step: &'static str, path: &Path, what: &str) -> StoreError {
    StoreError::Damaged { step, path: PathBuf::from(path), what: what.to_owned() }
}
