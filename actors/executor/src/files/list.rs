//! `list_files`.

use std::io::Write;

use super::beneath::{INSIDE, open_directory, output};
use super::{FileError, failed, failed_io};
use crate::limits::LIST_NAMES;

/// Names to standard output: sorted, one a line, directories with a slash, control characters escaped.
pub fn list(path: &str) -> Result<(), FileError> {
    let dir = open_directory(path, INSIDE)?;
    let mut dir = nix::dir::Dir::from_fd(dir).map_err(failed("list", path))?;
    let mut names = Vec::new();
    let mut more = 0u64;
    for entry in dir.iter() {
        let entry = entry.map_err(failed("list", path))?;
        let bytes = entry.file_name().to_bytes();
        if matches!(bytes, b"." | b"..") {
            continue;
        }
        if names.len() == LIST_NAMES {
            more += 1;
            continue;
        }
        let slash = matches!(entry.file_type(), Some(nix::dir::Type::Directory));
        names.push(one_line(bytes, slash));
    }
    names.sort_unstable();
    let mut text = names.concat();
    if more > 0 {
        text.push_str(&format!("... and {more} more\n"));
    }
    output().write_all(text.as_bytes()).map_err(failed_io("list", path))
}

/// A name can hold anything but a slash and a zero, newlines and terminal escapes included.
fn one_line(name: &[u8], slash: bool) -> String {
    let mut line = String::new();
    for part in String::from_utf8_lossy(name).chars() {
        if part.is_control() {
            line.extend(part.escape_default());
        } else {
            line.push(part);
        }
    }
    line.push_str(if slash { "/\n" } else { "\n" });
    line
}
