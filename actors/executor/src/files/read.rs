//! `read_file`: a part of a text, by lines; and, for people's own copies, a part of any file, by bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

use sha2::{Digest, Sha256};

use super::beneath::{INSIDE, open_file, output};
use super::{FileError, failed_io};
use crate::limits::{DIGEST_BYTES_MAX, PART_BYTES_MAX, READ_BUFFER_BYTES, SHOWN_BYTES};

/// Lines of a file from the one numbered `offset`, from 1, to standard output: at most `limit`, and no more than can be
/// shown at once. What there is to say about them goes to standard error.
pub fn read(path: &str, offset: u64, limit: Option<u64>) -> Result<(), FileError> {
    let (file, size) = open_file(path, INSIDE)?;
    let mut text = BufReader::with_capacity(READ_BUFFER_BYTES, file);
    if is_binary(text.fill_buf().map_err(failed_io("read", path))?, false) {
        return binary(text.into_inner(), path, size);
    }
    let lines = match lines(&mut text, offset, limit).map_err(failed_io("read", path))? {
        Some(lines) => lines,
        None => return Err(FileError::Fit { object: path.to_owned(), verb: "read", why: past_the_end(offset) }),
    };
    if is_binary(&lines.text, true) {
        return binary(text.into_inner(), path, size);
    }
    output().write_all(&lines.text).map_err(failed_io("answer for", path))?;
    // Who would read it may be gone.
    drop(io::stderr().write_all(lines.about(offset, size).as_bytes()));
    Ok(())
}

fn past_the_end(offset: u64) -> String {
    format!("it has no line {offset}; the first is 1")
}

/// Zeros, or no UTF-8. What follows the piece, unless it is `whole`, may end its last character.
fn is_binary(piece: &[u8], whole: bool) -> bool {
    let text = match std::str::from_utf8(piece) {
        Ok(_) => true,
        Err(error) => !whole && error.error_len().is_none(),
    };
    !text || piece.contains(&0)
}

/// Says what it is rather than what it holds.
fn binary(mut file: File, path: &str, size: u64) -> Result<(), FileError> {
    let mut said = format!("{path:?} is binary, {size} bytes");
    if size <= DIGEST_BYTES_MAX {
        file.seek(SeekFrom::Start(0)).map_err(failed_io("read", path))?;
        let (mut digest, mut buffer) = (Sha256::new(), vec![0; READ_BUFFER_BYTES]);
        loop {
            match file.read(&mut buffer).map_err(failed_io("read", path))? {
                0 => break,
                read => digest.update(&buffer[..read]),
            }
        }
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        said.push_str(&format!(", sha256 {digest}"));
    }
    said.push_str("; not shown. A command can look into it, and `chela files get` copies it out\n");
    output().write_all(said.as_bytes()).map_err(failed_io("answer for", path))
}

/// Some lines of a text.
struct Lines {
    text: Vec<u8>,
    /// How many.
    count: u64,
    /// The last is cut off here, and has so many bytes more.
    cut_bytes: u64,
    /// There are more.
    more: bool,
}

impl Lines {
    fn about(&self, first: u64, size: u64) -> String {
        let last = first + self.count.max(1) - 1;
        let lines = if last == first { format!("line {first}") } else { format!("lines {first} to {last}") };
        match (self.cut_bytes, self.more) {
            (0, false) => String::new(),
            (0, true) => format!("[{lines} of a file of {size} bytes; read on with offset {}]\n", last + 1),
            (cut, more) => {
                let on = if more { format!("; read on with offset {}", last + 1) } else { String::new() };
                format!("[{lines}, of which the last is cut and has {cut} bytes more{on}]\n")
            }
        }
    }
}

/// `None` when the text ends before.
fn lines(text: &mut impl BufRead, offset: u64, limit: Option<u64>) -> io::Result<Option<Lines>> {
    for _ in 1..offset {
        if text.skip_until(b'\n')? == 0 {
            return Ok(None);
        }
    }
    let mut lines = Lines { text: Vec::new(), count: 0, cut_bytes: 0, more: false };
    let limit = limit.unwrap_or(u64::MAX);
    loop {
        if text.fill_buf()?.is_empty() {
            return Ok((lines.count > 0 || offset == 1).then_some(lines));
        }
        if lines.count == limit {
            break;
        }
        let room = SHOWN_BYTES - lines.text.len();
        let before = lines.text.len();
        let read = text.take(room as u64).read_until(b'\n', &mut lines.text)?;
        if read > 0 && (lines.text.last() == Some(&b'\n') || text.fill_buf()?.is_empty()) {
            lines.count += 1;
            continue;
        }
        // No room for all of this line: it is shown next time, unless it is the only one.
        if lines.count > 0 {
            lines.text.truncate(before);
        } else {
            let kept = whole_characters(&lines.text);
            lines.cut_bytes = (lines.text.len() - kept) as u64;
            lines.text.truncate(kept);
            lines.cut_bytes += text.skip_until(b'\n')? as u64;
            lines.count = 1;
            lines.more = !text.fill_buf()?.is_empty();
            return Ok(Some(lines));
        }
        break;
    }
    lines.more = true;
    Ok(Some(lines))
}

/// Length without a character that is cut at the end.
fn whole_characters(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Ok(_) | Err(_) => text.len(),
    }
}

/// Bytes of a file as they are. How many there are in all, and what tells whether it is still the same file, goes to
/// standard error.
pub fn part(path: &str, offset: u64) -> Result<(), FileError> {
    let (mut file, size) = open_file(path, INSIDE)?;
    let facts = file.metadata().map_err(failed_io("look at", path))?;
    file.seek(SeekFrom::Start(offset)).map_err(failed_io("read", path))?;
    let mut part = Vec::new();
    file.take(PART_BYTES_MAX).read_to_end(&mut part).map_err(failed_io("read", path))?;
    output().write_all(&part).map_err(failed_io("answer for", path))?;
    let version = format!("{:x}.{:x}.{:x}", facts.ino(), facts.mtime(), facts.mtime_nsec());
    drop(io::stderr().write_all(format!("{size} {version}\n").as_bytes()));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read_lines(text: &str, offset: u64, limit: Option<u64>) -> Option<(String, u64, bool)> {
        let lines = lines(&mut text.as_bytes(), offset, limit).unwrap()?;
        Some((String::from_utf8(lines.text).unwrap(), lines.cut_bytes, lines.more))
    }

    #[test]
    fn lines_are_counted_from_one_and_what_is_left_is_known() {
        let text = "one\ntwo\nthree";
        assert_eq!(read_lines(text, 1, None), Some((text.to_owned(), 0, false)));
        assert_eq!(read_lines(text, 2, Some(1)), Some(("two\n".to_owned(), 0, true)));
        assert_eq!(read_lines(text, 3, Some(1)), Some(("three".to_owned(), 0, false)));
        assert_eq!(read_lines(text, 4, None), None);
        assert_eq!(read_lines("", 1, None), Some((String::new(), 0, false)));
        assert_eq!(read_lines("a\n", 2, None), None);
    }

    #[test]
    fn reading_on_gives_each_line_once() {
        let text: String = (0..5_000).map(|n| format!("line {n} {}\n", "x".repeat(n % 60))).collect();
        let (mut all, mut offset) = (String::new(), 1);
        loop {
            let (piece, cut, more) = read_lines(&text, offset, None).unwrap();
            assert!(piece.len() <= SHOWN_BYTES && cut == 0);
            offset += piece.lines().count() as u64;
            all.push_str(&piece);
            if !more {
                break;
            }
        }
        assert_eq!(all, text);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_at_a_character() {
        let text = format!("{}\nnext\n", "ä".repeat(SHOWN_BYTES));
        let (piece, cut, more) = read_lines(&text, 1, None).unwrap();
        assert_eq!(piece.len() as u64 + cut, 2 * SHOWN_BYTES as u64 + 1);
        assert!(more && piece.chars().all(|c| c == 'ä'));
        assert_eq!(read_lines(&text, 2, None), Some(("next\n".to_owned(), 0, false)));
    }

    #[test]
    fn zeros_and_other_bytes_are_binary_and_a_cut_character_is_not() {
        assert!(is_binary(b"a\0b", false) && is_binary(b"a\xffb", false) && is_binary(b"\xc3", true));
        assert!(!is_binary("äö".as_bytes(), true) && !is_binary(b"a\xc3", false) && !is_binary(b"", true));
    }
}
