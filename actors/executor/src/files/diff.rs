//! A unified diff, applied strictly: each line that a hunk says is there must be there, in one place only. The numbers in
//! a hunk's head say which place, and when they are off, the lines must be in one place alone.

use std::ops::Range;

use diffy::{Line, Patch};

use crate::limits::{DIFF_HUNKS_MAX, EDIT_LINES_NAMED};

/// The text after the diff, and how many hunks it had.
pub fn apply(text: &[u8], diff: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let patch = Patch::from_bytes(diff).map_err(|error| {
        format!("the diff can't be read: {error}; each hunk is \"@@ -LINE,COUNT +LINE,COUNT @@\" and its lines")
    })?;
    let hunks = patch.hunks();
    if hunks.is_empty() {
        return Err("the diff has no hunk: each begins with \"@@ -LINE,COUNT +LINE,COUNT @@\"".to_owned());
    }
    if hunks.len() > DIFF_HUNKS_MAX {
        return Err(format!("the diff has {} hunks, the limit is {DIFF_HUNKS_MAX}", hunks.len()));
    }
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let mut edited = Vec::with_capacity(text.len() + diff.len());
    let mut done = 0;
    // How far the hunks so far were from where they said.
    let mut drift = 0;
    for (number, hunk) in hunks.iter().enumerate() {
        let old: Vec<&[u8]> = hunk.lines().iter().filter_map(old_line).collect();
        let range = hunk.old_range();
        // An empty range is behind its line.
        let said = if old.is_empty() { range.start() } else { range.start().saturating_sub(1) };
        let at = place(&lines, done, &old, said.saturating_add_signed(drift))
            .map_err(|why| format!("hunk {} of {} (\"@@ -{range}\") does not apply: {why}", number + 1, hunks.len()))?;
        drift = at as isize - said as isize;
        edited.extend(lines[done..at].iter().copied().flatten());
        edited.extend(hunk.lines().iter().filter_map(new_line).flatten());
        done = at + old.len();
    }
    edited.extend(lines[done..].iter().copied().flatten());
    Ok((edited, hunks.len()))
}

fn old_line<'a>(line: &Line<'a, [u8]>) -> Option<&'a [u8]> {
    match line {
        Line::Context(line) | Line::Delete(line) => Some(line),
        Line::Insert(_) => None,
    }
}

fn new_line<'a>(line: &Line<'a, [u8]>) -> Option<&'a [u8]> {
    match line {
        Line::Context(line) | Line::Insert(line) => Some(line),
        Line::Delete(_) => None,
    }
}

/// Where `old` is, not before `done`: at `said`, or in the one place that there is.
fn place(lines: &[&[u8]], done: usize, old: &[&[u8]], said: usize) -> Result<usize, String> {
    let is_at = |at: usize| lines.get(at..at + old.len()) == Some(old);
    if said >= done && is_at(said) {
        return Ok(said);
    }
    if old.is_empty() {
        return Err(format!("the file has {} lines", lines.len()));
    }
    let all: Range<usize> = done..(lines.len() + 1).saturating_sub(old.len()).max(done);
    let places: Vec<usize> = all.filter(|at| is_at(*at)).take(EDIT_LINES_NAMED).collect();
    match places[..] {
        [one] => Ok(one),
        [] => Err(missing(lines, old, said)),
        _ => {
            let numbers: Vec<String> = places.iter().map(|at| (at + 1).to_string()).collect();
            Err(format!("its lines are at {}, not where it says; correct its numbers", numbers.join(", ")))
        }
    }
}

/// The first line that is another one than the hunk says.
fn missing(lines: &[&[u8]], old: &[&[u8]], said: usize) -> String {
    let differs = old.iter().zip(said..).find(|(line, at)| lines.get(*at) != Some(line));
    let (line, at) = differs.map_or((&b""[..], said), |(line, at)| (*line, at));
    let shown = |line: &[u8]| {
        let text: String = String::from_utf8_lossy(line).trim_end_matches('\n').chars().take(80).collect();
        format!("{text:?}")
    };
    let there = lines.get(at).map_or("nothing".to_owned(), |line| shown(line));
    format!("its lines are nowhere in the file; line {} is {there}, the hunk says {}", at + 1, shown(line))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::apply;

    const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

    fn applied(text: &str, diff: &str) -> Result<String, String> {
        apply(text.as_bytes(), diff.as_bytes()).map(|(text, _)| String::from_utf8(text).unwrap())
    }

    #[test]
    fn hunks_apply_where_they_say() {
        let diff = "--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n one\n-two\n+TWO\n+2\n@@ -6,2 +7,2 @@\n six\n-seven\n+SEVEN\n";
        assert_eq!(applied(TEXT, diff).unwrap(), "one\nTWO\n2\nthree\nfour\nfive\nsix\nSEVEN\n");
        // Without names of files, at the end, and into an empty file.
        assert_eq!(applied("a\n", "@@ -1,1 +1,2 @@\n a\n+b\n").unwrap(), "a\nb\n");
        assert_eq!(applied("", "@@ -0,0 +1 @@\n+b\n").unwrap(), "b\n");
        assert_eq!(applied("a\n", "@@ -1 +0,0 @@\n-a\n").unwrap(), "");
        let no_newline = "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n";
        assert_eq!(applied("a", no_newline).unwrap(), "b\n");
        assert!(applied("a\n", no_newline).is_err(), "a last line without its end is another line");
    }

    #[test]
    fn numbers_that_are_off_are_forgiven_when_there_is_one_place_only() {
        assert_eq!(applied(TEXT, "@@ -1,2 +1,2 @@\n five\n-six\n+6\n").unwrap(), TEXT.replace("six", "6"));
        // The second hunk is off by as much as the first.
        let text = format!("head\nhead\n{TEXT}x\ny\nx\ny\n");
        let diff = "@@ -1,1 +1,1 @@\n-one\n+1\n@@ -8,2 +8,2 @@\n-x\n+X\n y\n";
        assert_eq!(applied(&text, diff).unwrap(), text.replace("one", "1").replacen("x\ny", "X\ny", 1));
    }

    #[test]
    fn what_does_not_apply_is_named() {
        let why = applied(TEXT, "@@ -1 +1 @@\n-one\n+1\n@@ -4,2 +4,2 @@\n four\n-FIVE\n+5\n").unwrap_err();
        assert!(why.contains("hunk 2 of 2") && why.contains("line 5 is \"five\", the hunk says \"FIVE\""), "{why}");
        let why = applied("x\na\nx\na\n", "@@ -7 +7 @@\n-a\n+b\n").unwrap_err();
        assert!(why.contains("at 2, 4"), "{why}");
        for bad in ["", "nonsense", "@@ -1,5 +1,1 @@\n one\n", "@@ x @@\n", "--- a\n+++ b\n"] {
            assert!(applied(TEXT, bad).is_err(), "{bad:?}");
        }
        // A hunk before the one before it.
        assert!(applied("a\nb\n", "@@ -2 +2 @@\n-b\n+B\n@@ -1 +1 @@\n-a\n+A\n").is_err());
        let far = "@@ -99999999999999999999 +1 @@\n-one\n+1\n";
        assert!(applied(TEXT, far).is_err());
        assert!(applied(TEXT, "@@ -18446744073709551615 +1 @@\n-none\n+1\n").is_err());
    }
}
