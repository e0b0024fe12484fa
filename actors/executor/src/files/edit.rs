//! `edit_file`: a text in a file is exchanged for another, where it is exactly what was said.

use std::io::{Read, Write};

use super::beneath::{NO_LINKS, open_file, output};
use super::write::write;
use super::{FileError, failed_io};
use crate::limits::{EDIT_FILE_BYTES, EDIT_LINES_NAMED};

/// Replaces a file's content by what `edited` makes of it, and says how many places changed.
pub fn edit(path: &str, edited: impl FnOnce(&[u8]) -> Result<(Vec<u8>, usize), String>) -> Result<(), FileError> {
    let (file, size) = open_file(path, NO_LINKS)?;
    let too_large = |size| {
        let instead = "sed or a script";
        FileError::TooLarge { object: path.to_owned(), size, limit: EDIT_FILE_BYTES, instead }
    };
    if size > EDIT_FILE_BYTES {
        return Err(too_large(size));
    }
    let mut text = Vec::new();
    file.take(EDIT_FILE_BYTES).read_to_end(&mut text).map_err(failed_io("read", path))?;
    let (text, places) =
        edited(&text).map_err(|why| FileError::Fit { object: path.to_owned(), verb: "edited", why })?;
    if text.len() as u64 > EDIT_FILE_BYTES {
        return Err(too_large(text.len() as u64));
    }
    write(path, &text)?;
    let said = if places == 1 { "1 place changed\n".to_owned() } else { format!("{places} places changed\n") };
    output().write_all(said.as_bytes()).map_err(failed_io("answer for", path))
}

/// `text` with `new` in the place of `old`, which must be there once, unless `all`; and how often it was.
pub fn replace(text: &[u8], old: &[u8], new: &[u8], all: bool) -> Result<(Vec<u8>, usize), String> {
    let places: Vec<usize> = memchr::memmem::find_iter(text, old).collect();
    match places.len() {
        0 => return Err(not_there(text, old)),
        1 => {}
        _ if all => {}
        count => {
            return Err(format!(
                "old is there {count} times, {}; give more of the text around it so that it is there once, or set all",
                at_lines(text, &places)
            ));
        }
    }
    let mut edited = Vec::with_capacity(text.len() + places.len() * new.len().saturating_sub(old.len()));
    let mut from = 0;
    for place in &places {
        edited.extend_from_slice(&text[from..*place]);
        edited.extend_from_slice(new);
        from = place + old.len();
    }
    edited.extend_from_slice(&text[from..]);
    Ok((edited, places.len()))
}

/// The numbers of the lines that these places are in, counted from 1.
fn at_lines(text: &[u8], places: &[usize]) -> String {
    let (mut line, mut counted) = (1, 0);
    let mut numbers = Vec::new();
    for place in places.iter().take(EDIT_LINES_NAMED) {
        line += memchr::memchr_iter(b'\n', &text[counted..*place]).count();
        counted = *place;
        numbers.push(line.to_string());
    }
    numbers.dedup();
    let more = if places.len() > EDIT_LINES_NAMED { " and further down" } else { "" };
    let word = if numbers.len() == 1 { "line" } else { "lines" };
    format!("at {word} {}{more}", numbers.join(", "))
}

/// Nothing is like `old`: what would help to see why.
fn not_there(text: &[u8], old: &[u8]) -> String {
    let first = old.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    let places: Vec<usize> = match first {
        Some(first) => memchr::memmem::find_iter(text, first).take(EDIT_LINES_NAMED + 1).collect(),
        None => Vec::new(),
    };
    if places.is_empty() {
        return "old is not in it (0 matches); read the file and give the text exactly as it is there".to_owned();
    }
    format!(
        "old is not in it (0 matches); its first line alone is {}: what follows or the white space differs; read these \
         lines and give the text exactly as it is there",
        at_lines(text, &places)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::replace;

    #[test]
    fn what_is_there_once_is_replaced() {
        let edited = |text: &str, old: &str, new: &str| {
            replace(text.as_bytes(), old.as_bytes(), new.as_bytes(), false)
                .map(|(text, places)| (String::from_utf8(text).unwrap(), places))
        };
        assert_eq!(edited("a b c", "b", "xyz"), Ok(("a xyz c".to_owned(), 1)));
        assert_eq!(edited("a b c", "a b c", ""), Ok((String::new(), 1)));
        assert_eq!(edited("ä\r\nö\r\n", "ö\r", "ü\r"), Ok(("ä\r\nü\r\n".to_owned(), 1)));
    }

    #[test]
    fn what_is_there_more_than_once_is_named_by_line_or_replaced_everywhere() {
        let text = b"one\ntwo one\nthree\none";
        let why = replace(text, b"one", b"1", false).unwrap_err();
        assert!(why.contains("3 times, at lines 1, 2, 4;"), "{why}");
        assert_eq!(replace(text, b"one", b"1", true), Ok((b"1\ntwo 1\nthree\n1".to_vec(), 3)));
        assert_eq!(replace(b"aaa", b"aa", b"b", true), Ok((b"ba".to_vec(), 1)));
        let many = "x\n".repeat(1000);
        let why = replace(many.as_bytes(), b"x", b"y", false).unwrap_err();
        assert!(why.contains("1000 times") && why.contains("further down") && why.len() < 300, "{why}");
    }

    #[test]
    fn what_is_not_there_is_said_to_be_and_what_is_near_it() {
        assert!(replace(b"abc", b"x", b"y", true).unwrap_err().contains("0 matches"));
        let why = replace(b"zero\nif a:\n\treturn\n", b"if a:\n    return\n", b"", false).unwrap_err();
        assert!(why.contains("first line alone is at line 2:"), "{why}");
        assert!(replace(b"", b"x", b"y", false).is_err());
    }
}
