//! `read_file`.

use std::io::{self, Read};

use super::beneath::{INSIDE, open_file, output};
use super::{FileError, failed_io};
use crate::limits::READ_FILE_BYTES;

/// A file's content to standard output.
pub fn read(path: &str) -> Result<(), FileError> {
    let (file, size) = open_file(path, INSIDE)?;
    if size > READ_FILE_BYTES {
        let instead = "head, tail or grep";
        return Err(FileError::TooLarge { object: path.to_owned(), size, limit: READ_FILE_BYTES, instead });
    }
    let mut bounded = file.take(READ_FILE_BYTES);
    io::copy(&mut bounded, &mut output()).map(drop).map_err(failed_io("read", path))
}
