//! The directories that nodes of the workspace are in, opened one after the other.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::beneath;
use crate::node::Widened;

/// Keeps the directory open that was asked for last: most nodes that are looked at are in the same one as the node before.
/// What it had to open up for that is closed again before the next.
pub struct Parents<'a> {
    workspace: &'a OwnedFd,
    last: Option<(Vec<u8>, OwnedFd)>,
    /// Directories that had to be opened up to be looked into.
    widened: Vec<Widened>,
}

impl<'a> Parents<'a> {
    /// Of a workspace.
    pub fn new(workspace: &'a OwnedFd) -> Parents<'a> {
        Parents { workspace, last: None, widened: Vec::new() }
    }

    /// A directory, for calls that take a name in it. It can't be listed.
    pub fn get(&mut self, path: &[u8]) -> Result<&OwnedFd, Errno> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            (self.last, self.widened) = (None, Vec::new());
            let fd = match search(self.workspace, path) {
                Err(Errno::ACCESS) => self.open_up(path)?,
                other => other?,
            };
            // Opened or not: without the right to search it no name in it can be looked at.
            let fd = if rustix::fs::fstat(&fd)?.st_mode & 0o100 == 0 { self.open_up(path)? } else { fd };
            self.last = Some((path.to_vec(), fd));
        }
        self.last.as_ref().map(|(_, fd)| fd).ok_or(Errno::NOENT)
    }

    /// Opens up each directory on the way whose owner has denied itself to look into it.
    fn open_up(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut at = beneath::open_dir(self.workspace, b"")?;
        if path.is_empty() {
            return Ok(at);
        }
        for name in path.split(|byte| *byte == b'/') {
            let stat = beneath::look(&at, name)?.ok_or(Errno::NOENT)?;
            if beneath::file_type(&stat) != FileType::Directory {
                return Err(Errno::NOTDIR);
            }
            at = beneath::open_owned(&at, name, &stat)?;
            self.widened.extend(Widened::from_mode(&at, stat.st_mode & 0o7777)?);
        }
        Ok(at)
    }
}

/// Opens a directory beneath another one to look at names in it, which its owner may though it may not list it.
fn search(dir: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    beneath::open(dir, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
}
