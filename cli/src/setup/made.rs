//! What a run of setup has made: taken back when a later step fails.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

use super::SetupError;

/// Paths made so far, in order. Dropped without [`Made::keep`], it removes them, newest first.
#[derive(Debug, Default)]
pub struct Made {
    paths: Vec<PathBuf>,
    undo: Vec<Undo>,
    lines: Vec<String>,
}

struct Undo(Box<dyn FnOnce()>);

impl std::fmt::Debug for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Undo")
    }
}

impl Made {
    /// Makes a directory unless it is there, and sees to its mode and group either way.
    pub fn directory(&mut self, path: &Path, mode: u32, gid: u32) -> Result<(), SetupError> {
        if !path.is_dir() {
            let from = umask(Mode::empty());
            let done = fs::create_dir(path);
            umask(from);
            done.map_err(|e| SetupError::io("making the directory", path, e))?;
            self.paths.push(path.to_path_buf());
            self.lines.push(format!("made {}", path.display()));
        }
        permit(path, mode, gid)
    }

    /// Writes a file that is not there yet, wholly or not at all.
    pub fn file(&mut self, path: &Path, text: &str, mode: u32, gid: u32) -> Result<(), SetupError> {
        write_whole(path, text.as_bytes(), mode, gid)?;
        self.paths.push(path.to_path_buf());
        self.lines.push(format!("wrote {}", path.display()));
        Ok(())
    }

    /// Notes a path that was made otherwise.
    pub fn path(&mut self, path: &Path, line: String) {
        self.paths.push(path.to_path_buf());
        self.lines.push(line);
    }

    /// Notes something that was changed otherwise, and how to take it back.
    pub fn other(&mut self, line: String, undo: impl FnOnce() + 'static) {
        self.lines.push(line);
        self.undo.push(Undo(Box::new(undo)));
    }

    /// All went well: what was done, a line each.
    pub fn keep(mut self) -> Vec<String> {
        self.paths.clear();
        self.undo.clear();
        std::mem::take(&mut self.lines)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for undo in self.undo.drain(..).rev() {
            undo.0();
        }
        for path in self.paths.drain(..).rev() {
            // A directory that somebody has put something into meanwhile stays, by the rules of remove_dir.
            let is_dir = path.symlink_metadata().is_ok_and(|m| m.is_dir());
            drop(if is_dir { fs::remove_dir(&path) } else { fs::remove_file(&path) });
        }
    }
}

/// Sets owner root, group and mode.
fn permit(path: &Path, mode: u32, gid: u32) -> Result<(), SetupError> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let there = path.metadata().map_err(|e| SetupError::io("looking at", path, e))?;
    if there.uid() != 0 || there.gid() != gid {
        chown(path, Some(0), Some(gid)).map_err(|e| SetupError::io("giving to root", path, e))?;
    }
    if there.mode() & 0o7777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|e| SetupError::io("setting the mode of", path, e))?;
    }
    Ok(())
}

/// Replaces `path` by a file with these bytes in one step, on the disk when this returns.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32, gid: u32) -> Result<(), SetupError> {
    use std::io::Write;
    let part = part_name(path);
    let result = (|| {
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()
    })()
    .map_err(|e| SetupError::io("writing", path, e))
    .and_then(|()| permit(&part, mode, gid))
    .and_then(|()| fs::rename(&part, path).map_err(|e| SetupError::io("writing", path, e)));
    if result.is_err() {
        drop(fs::remove_file(&part));
    }
    result
}

/// A name beside `path` for what is being written.
pub fn part_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".part.{}", std::process::id()));
    path.with_file_name(name)
}
