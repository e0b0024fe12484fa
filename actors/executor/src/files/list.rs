//! `list_files`.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::fchdir;
use walkdir::WalkDir;

use super::beneath::{INSIDE, open_directory, output};
use super::shown::one_line;
use super::{FileError, failed, failed_io};
use crate::limits::{DEPTH_MAX, LIST_NAMES_MAX, SHOWN_BYTES};

/// Names to standard output, one a line, sorted, directories with a slash; all below too, when `recursive`. What is not
/// shown is counted on standard error. No link is followed below the directory.
pub fn list(path: &str, recursive: bool) -> Result<(), FileError> {
    let dir = open_directory(path, INSIDE)?;
    fchdir(&dir).map_err(failed("list", path))?;
    let depth = if recursive { DEPTH_MAX } else { 1 };
    let entries = WalkDir::new(".").follow_links(false).min_depth(1).max_depth(depth).sort_by_file_name();
    let mut names = Names::default();
    for entry in entries {
        if names.is_full() {
            break;
        }
        match entry {
            Ok(entry) => names.add(entry.path(), entry.file_type().is_dir()),
            Err(error) if error.depth() == 0 => {
                let error = error.into_io_error().unwrap_or_else(|| io::Error::from_raw_os_error(libc::EIO));
                return Err(failed_io("list", path)(error));
            }
            Err(_) => names.unreadable += 1,
        }
    }
    output().write_all(&names.text).map_err(failed_io("answer for", path))?;
    // Who would read it may be gone.
    drop(io::stderr().write_all(names.about().as_bytes()));
    Ok(())
}

#[derive(Default)]
struct Names {
    text: Vec<u8>,
    shown: usize,
    more: usize,
    unreadable: usize,
}

impl Names {
    fn add(&mut self, path: &Path, directory: bool) {
        let path = path.strip_prefix(".").unwrap_or(path);
        let name = one_line(path.as_os_str().as_bytes());
        let line = if directory { format!("{name}/\n") } else { format!("{name}\n") };
        // What comes after one that is left out is left out too: what is shown is the beginning.
        if self.more == 0 && self.text.len() + line.len() <= SHOWN_BYTES {
            self.text.extend_from_slice(line.as_bytes());
            self.shown += 1;
        } else {
            self.more += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.shown + self.more >= LIST_NAMES_MAX
    }

    fn about(&self) -> String {
        let mut said = String::new();
        if self.more > 0 {
            let least = if self.is_full() { "at least " } else { "" };
            said.push_str(&format!("[{} shown, {least}{} more: list a directory of these]\n", self.shown, self.more));
        }
        if self.unreadable > 0 {
            said.push_str(&format!("[{} directories can't be read]\n", self.unreadable));
        }
        said
    }
}
