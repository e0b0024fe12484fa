//! `search_files`: lines of files that match, by ripgrep's own parts. Bounded in time, in what is read, in what is shown;
//! links are not followed, and what is binary is left out and counted.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobMatcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder};
use nix::sys::stat::fstat;
use nix::unistd::fchdir;
use schema::tool::Search;
use walkdir::{DirEntry, WalkDir};

use super::beneath::{NO_LINKS, kind, open, open_file_in, output};
use super::found::{FileSink, Found};
use super::shown::one_line;
use super::{FileError, failed};
use crate::limits::{
    DEPTH_MAX, SEARCH_BYTES_MAX, SEARCH_LINE_IN_MEMORY_BYTES, SEARCH_MS, SEARCH_PATTERN_BYTES, SEARCH_PATTERN_NEST,
};

/// Matching lines to standard output, and what there is to say about them to standard error.
pub fn search(path: &str, what: &Search) -> Result<(), FileError> {
    let mut hunt = Hunt::new(path, what)?;
    let start = open(path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY, NO_LINKS)?;
    let facts = fstat(&start).map_err(failed("look at", path))?;
    match kind(facts.st_mode) {
        "a directory" => {
            fchdir(&start).map_err(failed("enter", path))?;
            hunt.tree()?;
        }
        "a file" => hunt.file(File::from(start), &one_line(path.as_bytes())),
        is => return Err(FileError::Kind { object: path.to_owned(), is, wanted: "a file or directory" }),
    }
    let said = hunt.found.about();
    output().write_all(&hunt.found.text).map_err(super::failed_io("answer for", path))?;
    // Who would read it may be gone.
    drop(io::stderr().write_all(said.as_bytes()));
    Ok(())
}

struct Hunt {
    /// Where it begins, as it is shown before each name; empty for the workspace.
    above: String,
    matcher: RegexMatcher,
    glob: Option<GlobMatcher>,
    searcher: Searcher,
    found: Found,
    until: Instant,
    bytes_left: u64,
}

impl Hunt {
    fn new(path: &str, what: &Search) -> Result<Hunt, FileError> {
        let bad = |what: &'static str| move |why: String| FileError::Pattern { what, why };
        let matcher = RegexMatcherBuilder::new()
            .fixed_strings(what.literal)
            .case_insensitive(what.ignore_case)
            .line_terminator(Some(b'\n'))
            .size_limit(SEARCH_PATTERN_BYTES)
            .dfa_size_limit(SEARCH_PATTERN_BYTES)
            .nest_limit(SEARCH_PATTERN_NEST)
            .build(&what.pattern)
            .map_err(|error| bad("pattern")(error.to_string()))?;
        let glob = match &what.glob {
            None => None,
            Some(glob) => {
                // As in a list of ignored files: without a slash it is a name in any directory.
                let anywhere = if glob.contains('/') { glob.clone() } else { format!("**/{glob}") };
                let made = GlobBuilder::new(&anywhere).literal_separator(true).build();
                Some(made.map_err(|error| bad("glob")(error.to_string()))?.compile_matcher())
            }
        };
        let context = what.context as usize;
        let searcher = SearcherBuilder::new()
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(SEARCH_LINE_IN_MEMORY_BYTES))
            .before_context(context)
            .after_context(context)
            .build();
        Ok(Hunt {
            above: if path == "." { String::new() } else { format!("{}/", one_line(path.as_bytes())) },
            matcher,
            glob,
            searcher,
            found: Found::new(context > 0),
            until: Instant::now() + Duration::from_millis(SEARCH_MS),
            bytes_left: SEARCH_BYTES_MAX,
        })
    }

    /// Each file below the working directory, by name.
    fn tree(&mut self) -> Result<(), FileError> {
        let top = File::open(".").map_err(super::failed_io("open", &self.above))?;
        let entries = WalkDir::new(".").follow_links(false).max_depth(DEPTH_MAX).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| !is_git(entry)) {
            if self.found.is_over() {
                break;
            }
            let Ok(entry) = entry else {
                self.found.unreadable += 1;
                continue;
            };
            if !entry.file_type().is_file() {
                continue;
            }
            let path = entry.path().strip_prefix(".").unwrap_or(entry.path());
            if self.glob.as_ref().is_some_and(|glob| !glob.is_match(path)) {
                continue;
            }
            let name = format!("{}{}", self.above, one_line(path.as_os_str().as_bytes()));
            let opened = CString::new(path.as_os_str().as_bytes()).ok();
            match opened.and_then(|path| open_file_in(top.as_fd(), &path, &name, NO_LINKS).ok()) {
                Some((file, _)) => self.file(file, &name),
                None => self.found.unreadable += 1,
            }
        }
        Ok(())
    }

    fn file(&mut self, file: File, name: &str) {
        let mut out_of = None;
        let bounded = Bounded { file, until: self.until, bytes_left: &mut self.bytes_left, out_of: &mut out_of };
        let sink = FileSink::new(&mut self.found, &self.matcher, name);
        if self.searcher.search_reader(&self.matcher, bounded, sink).is_err() {
            // A line that is longer than what may be held of it, or a disk that can't be read.
            self.found.unreadable += 1;
        }
        self.found.files += 1;
        self.found.out_of = self.found.out_of.or(out_of);
    }
}

/// What git keeps for itself: packed, and changed by git alone.
fn is_git(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name() == ".git" && entry.file_type().is_dir()
}

/// Reads until the time or the bytes are used up, and then ends.
struct Bounded<'a> {
    file: File,
    until: Instant,
    bytes_left: &'a mut u64,
    out_of: &'a mut Option<&'static str>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.until {
            *self.out_of = Some("time");
            return Ok(0);
        }
        if *self.bytes_left == 0 {
            *self.out_of = Some("bytes to read");
            return Ok(0);
        }
        let room = usize::try_from(*self.bytes_left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..room])?;
        *self.bytes_left -= read as u64;
        Ok(read)
    }
}
