//! The house's records: what the gate keeps for itself, by table and key.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use schema::edge::memory::Answer;

use crate::error::StoreError;

/// The records, within one transaction.
pub struct House<'a> {
    /// The transaction's connection.
    pub connection: &'a Connection,
    /// The database, for errors.
    pub path: &'a Path,
}

impl House<'_> {
    /// Writes a record over whatever it was.
    pub fn put(&self, table: &str, key: &str, value: &[u8]) -> Result<Answer, StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO record (category, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (category, key) DO UPDATE SET value = excluded.value",
            )
            .and_then(|mut s| s.execute(params![table, key, value]))
            .map_err(|e| self.error("write a record", e))?;
        Ok(Answer::Stored)
    }

    /// Reads a record.
    pub fn get(&self, table: &str, key: &str) -> Result<Answer, StoreError> {
        self.connection
            .prepare_cached("SELECT value FROM record WHERE category = ?1 AND key = ?2")
            .and_then(|mut s| s.query_row(params![table, key], |row| row.get(0)).optional())
            .map(Answer::Value)
            .map_err(|e| self.error("read a record", e))
    }

    /// Removes a record, if it is there.
    pub fn remove(&self, table: &str, key: &str) -> Result<Answer, StoreError> {
        self.connection
            .prepare_cached("DELETE FROM record WHERE category = ?1 AND key = ?2")
            .and_then(|mut s| s.execute(params![table, key]))
            .map_err(|e| self.error("remove a record", e))?;
        Ok(Answer::Stored)
    }

    /// All records of a table, by key.
    pub fn list(&self, table: &str) -> Result<Answer, StoreError> {
        self.connection
            .prepare_cached("SELECT key, value FROM record WHERE category = ?1 ORDER BY key")
            .and_then(|mut s| s.query_map(params![table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .map(Answer::Records)
            .map_err(|e| self.error("list records", e))
    }

    fn error(&self, step: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::sqlite(step, self.path, source)
    }
}
