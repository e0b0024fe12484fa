//! What can go wrong in the store: each error names the step, the file and the way out.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a request, or opening the database, did not work. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room. The store goes on by itself once there is some.
    #[error(
        "{step}: the disk that holds {} is full; nothing was changed; make room there, no restart is needed",
        path.display()
    )]
    Full {
        /// What was being done.
        step: &'static str,
        /// The database.
        path: PathBuf,
    },
    /// The database's bytes are not what SQLite wrote.
    #[error("{step}: {} is damaged: {what}", path.display())]
    Damaged {
        /// What was being done.
        step: &'static str,
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no database, but there was one.
    #[error(
        "{} is missing, and {} shows that there was one; put a backup in its place, or move that file out of the \
         directory to begin with an empty memory; no restart is needed",
        path.display(), witness.display()
    )]
    Missing {
        /// The database.
        path: PathBuf,
        /// The file that shows it.
        witness: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "{} has version {found}, this release knows versions up to {known}; install the release that wrote it",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// Anything else that SQLite reports.
    #[error("{step}: {}: {source}; nothing was changed", path.display())]
    Sqlite {
        /// What was being done.
        step: &'static str,
        /// The database.
        path: PathBuf,
        /// SQLite's word on it.
        source: rusqlite::Error,
    },
    /// A file operation beside SQLite.
    #[error("{step}: {}: {source}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word on it.
        source: io::Error,
    },
    /// A journaled record that this release can't read.
    #[error("{}: {what}; nothing was changed", path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// Which record, and why.
        what: String,
    },
}

impl StoreError {
    /// Sorts what SQLite reported while `step` was being done on `path`.
    pub fn sqlite(step: &'static str, path: &Path, source: rusqlite::Error) -> StoreError {
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { step, path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { step, path, what: source.to_string() }
            }
            Some(_) | None => StoreError::Sqlite { step, path, source },
        }
    }

    /// Sorts what the system reported while `step` was being done on `path`.
    pub fn io(step: &'static str, path: &Path, source: io::Error) -> StoreError {
        let path = path.to_path_buf();
        if source.kind() == io::ErrorKind::StorageFull {
            return StoreError::Full { step, path };
        }
        StoreError::Io { step, path, source }
    }
}
