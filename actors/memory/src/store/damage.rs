//! A damaged database is set aside under a name with the date, and never silently replaced by an empty one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::open::DATABASE;
use crate::error::StoreError;

const SET_ASIDE: &str = "memory.db.damaged-";
/// Files that SQLite keeps beside a database: without them it may lack its newest pages.
const SIDE_FILES: [&str; 2] = ["memory.db-wal", "memory.db-journal"];

/// Renames the damaged database and its side files. What comes back says so, or says why that failed too.
pub fn set_aside(directory: &Path, what: &str) -> StoreError {
    let path = directory.join(DATABASE);
    let aside = match free_name(directory, SystemTime::now()) {
        Ok(aside) => aside,
        Err(error) => return error,
    };
    for side in SIDE_FILES {
        let from = directory.join(side);
        let suffix = side.trim_start_matches(DATABASE);
        let to = PathBuf::from(format!("{}{suffix}", aside.display()));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return StoreError::io("set the damaged database aside", &from, e),
        }
    }
    if let Err(e) = fs::rename(&path, &aside) {
        return StoreError::io("set the damaged database aside", &path, e);
    }
    tracing::error!(database = %path.display(), aside = %aside.display(), what, "damaged: set aside, not replaced");
    StoreError::Missing { path, witness: aside }
}

/// An error if the directory shows that there was a database: one set aside, or side files that belong to one.
pub fn refuse_if_one_was_here(directory: &Path, path: &Path) -> Result<(), StoreError> {
    let listing = |e| StoreError::io("list the directory", directory, e);
    for entry in fs::read_dir(directory).map_err(listing)? {
        let name = entry.map_err(listing)?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(SET_ASIDE) || SIDE_FILES.contains(&name.as_ref()) {
            return Err(StoreError::Missing { path: path.to_path_buf(), witness: directory.join(name.as_ref()) });
        }
    }
    Ok(())
}

fn free_name(directory: &Path, now: SystemTime) -> Result<PathBuf, StoreError> {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let date = utc(seconds);
    for attempt in 0..100 {
        let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
        let name = directory.join(format!("{SET_ASIDE}{date}{suffix}"));
        let taken = name.try_exists().map_err(|e| StoreError::io("find a name for the damaged database", &name, e))?;
        if !taken {
            return Ok(name);
        }
    }
    Err(StoreError::Damaged {
        step: "find a name for the damaged database",
        path: directory.join(DATABASE),
        what: "a hundred were set aside within this second".to_owned(),
    })
}

/// `2026-11-24T19-20-00Z`: sorts by time, and is a file name everywhere.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let (mut year, mut left) = (1970, days);
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let mut month = 1;
    loop {
        let length = match month {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if left < length {
            return (year, month, left + 1);
        }
        left -= length;
        month += 1;
    }
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_the_calendars() {
        assert_eq!(utc(0), "1970-01-01T00-00-00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23-59-59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00-00-00Z");
        assert_eq!(utc(1_795_548_000), "2026-11-24T19-20-00Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00-00-00Z");
    }
}
