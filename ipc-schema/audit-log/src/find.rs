//! Where an entry is in a log of any size: a search by halving, no index, a few reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::entry::Entry;
use crate::limits::LINE_BYTES_MAX;

/// Offset of the first entry whose number is `seq` or higher; the file's size when there is none. `size` is the file's.
///
/// # Errors
/// When reading fails.
pub fn offset_of(file: &File, size: u64, seq: u64) -> io::Result<u64> {
    // All entries that start before `low` have a smaller number; some entry at or behind `high`, or none, has not.
    let (mut low, mut high) = (0, size);
    while high - low > 2 * LINE_BYTES_MAX as u64 {
        let middle = low + (high - low) / 2;
        match entry_behind(file, middle, high)? {
            Some((start, end, found)) if found < seq => low = end.max(start),
            Some((start, ..)) => high = start,
            None => high = middle,
        }
    }
    scan(file, low, size, seq)
}

/// The lines from `offset` on, whole ones only, at most `bytes_max` of them together, and the offset behind the last.
///
/// # Errors
/// When reading fails.
pub fn lines_at(file: &File, offset: u64, size: u64, bytes_max: usize) -> io::Result<(Vec<Vec<u8>>, u64)> {
    let room = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let bytes = read_at(file, offset, room.min(bytes_max))?;
    let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return Ok((Vec::new(), offset));
    };
    let lines = bytes[..last].split(|byte| *byte == b'\n');
    Ok((lines.map(<[u8]>::to_vec).collect(), offset + last as u64 + 1))
}

/// The first entry that starts at or behind `from`, and before `until`: where it starts, where it ends, its number.
fn entry_behind(file: &File, from: u64, until: u64) -> io::Result<Option<(u64, u64, u64)>> {
    let mut at = from;
    // At the beginning of a line only if the byte before is a line break.
    let mut in_line = from > 0;
    while at < until {
        let bytes = read_at(file, at, LINE_BYTES_MAX)?;
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let behind = at + end as u64 + 1;
        if !in_line && let Ok(entry) = Entry::parse(&bytes[..end]) {
            return Ok(Some((at, behind, entry.seq)));
        }
        in_line = false;
        at = behind;
    }
    Ok(None)
}

fn scan(file: &File, from: u64, size: u64, seq: u64) -> io::Result<u64> {
    let mut at = from;
    while let Some((start, end, found)) = entry_behind_line(file, at, size)? {
        if found >= seq {
            return Ok(start);
        }
        at = end;
    }
    Ok(size)
}

/// As [`entry_behind`], from the beginning of a line.
fn entry_behind_line(file: &File, from: u64, until: u64) -> io::Result<Option<(u64, u64, u64)>> {
    if from == 0 { entry_behind(file, 0, until) } else { entry_behind(file, from - 1, until) }
}

fn read_at(file: &File, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; bytes_max];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
