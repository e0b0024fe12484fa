//! What a search has found so far, as it is shown: `path:line:text` for a match, `path-line-text` for what is around it.

use std::io;

use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_searcher::{Searcher, Sink, SinkContext, SinkFinish, SinkMatch};

use super::shown::one_line;
use crate::limits::{SEARCH_LINE_BYTES, SEARCH_MATCHES_MAX, SHOWN_BYTES};

/// Lines found, and what was left out.
pub struct Found {
    /// The lines.
    pub text: Vec<u8>,
    /// Files that were looked into.
    pub files: u64,
    /// Files and directories that could not be read.
    pub unreadable: u64,
    /// What was used up before the end.
    pub out_of: Option<&'static str>,
    matches: usize,
    binary: u64,
    /// There are more matches than are shown.
    more: bool,
    /// Groups of lines are told apart.
    groups: bool,
}

impl Found {
    /// Nothing yet.
    pub fn new(groups: bool) -> Found {
        Found { text: Vec::new(), files: 0, unreadable: 0, out_of: None, matches: 0, binary: 0, more: false, groups }
    }

    /// Nothing more is to be looked for.
    pub fn is_over(&self) -> bool {
        self.more || self.out_of.is_some()
    }

    /// False when there is no room for it.
    fn line(&mut self, name: &str, sign: char, number: Option<u64>, text: &str) -> bool {
        let line = format!("{name}{sign}{}{sign}{text}\n", number.unwrap_or(0));
        if self.text.len() + line.len() > SHOWN_BYTES {
            self.more = true;
            return false;
        }
        self.text.extend_from_slice(line.as_bytes());
        true
    }

    fn break_group(&mut self) {
        if self.groups && !self.text.is_empty() && !self.text.ends_with(b"\n--\n") {
            self.text.extend_from_slice(b"--\n");
        }
    }

    /// What there is to say about it.
    pub fn about(&self) -> String {
        let mut said = String::new();
        let files = |count: u64, what: &str| match count {
            1 => format!("1 file {what}"),
            count => format!("{count} files {what}"),
        };
        if self.more {
            let shown =
                if self.matches == 1 { "1 match is".to_owned() } else { format!("{} matches are", self.matches) };
            said.push_str(&format!("[{shown} shown, and there are more: narrow it by pattern, path or glob]\n"));
        } else if let Some(what) = self.out_of {
            said.push_str(&format!(
                "[out of {what} after {}: narrow it by path or glob]\n",
                files(self.files, "searched")
            ));
        } else if self.matches == 0 {
            said.push_str(&format!("[no match; {}]\n", files(self.files, "searched")));
        }
        if self.binary > 0 {
            said.push_str(&format!("[{} left out]\n", files(self.binary, "with binary content")));
        }
        if self.unreadable > 0 {
            said.push_str(&format!("[{} left out]\n", files(self.unreadable, "that can't be read line by line")));
        }
        said
    }
}

/// Takes the lines of one file.
pub struct FileSink<'a> {
    found: &'a mut Found,
    matcher: &'a RegexMatcher,
    name: &'a str,
    first: bool,
}

impl<'a> FileSink<'a> {
    /// Of a file of this name.
    pub fn new(found: &'a mut Found, matcher: &'a RegexMatcher, name: &'a str) -> FileSink<'a> {
        FileSink { found, matcher, name, first: true }
    }

    fn begin_group(&mut self) {
        if std::mem::take(&mut self.first) {
            self.found.break_group();
        }
    }
}

impl Sink for FileSink<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        if self.found.matches == SEARCH_MATCHES_MAX {
            self.found.more = true;
            return Ok(false);
        }
        self.begin_group();
        let at = self.matcher.find(found.bytes()).ok().flatten().map_or(0, |found| found.start());
        let went = self.found.line(self.name, ':', found.line_number(), &piece(found.bytes(), at));
        self.found.matches += usize::from(went);
        Ok(went)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        self.begin_group();
        Ok(self.found.line(self.name, '-', context.line_number(), &piece(context.bytes(), 0)))
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, io::Error> {
        self.found.break_group();
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, end: &SinkFinish) -> Result<(), io::Error> {
        self.found.binary += u64::from(end.binary_byte_offset().is_some());
        Ok(())
    }
}

/// A line, or the part of a long one that what was found is in.
fn piece(line: &[u8], at: usize) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= SEARCH_LINE_BYTES {
        return one_line(line);
    }
    let from = if at < SEARCH_LINE_BYTES / 2 { 0 } else { at - SEARCH_LINE_BYTES / 4 };
    let to = line.len().min(from + SEARCH_LINE_BYTES);
    let dots = |there: bool| if there { "…" } else { "" };
    let shown = one_line(&line[from..to]);
    format!("{}{}{} [a line of {} bytes]", dots(from > 0), shown, dots(to < line.len()), line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_shown_where_the_match_is() {
        let line = format!("{}here{}\n", "a".repeat(10_000), "b".repeat(10_000));
        let shown = piece(line.as_bytes(), 10_000);
        assert!(shown.contains("aahereb") && shown.len() < SEARCH_LINE_BYTES + 60, "{shown}");
        assert_eq!(piece(b"esc\x1b[31m\ttab\r\n", 0), "esc\\u{1b}[31m\ttab");
        // A cut in the middle of a character.
        assert!(piece("ä".repeat(1_000).as_bytes(), 501).contains('ä'));
    }
}
