//! Takes the steps of a plan back, where one of them can't be done: because the disk is full, or since somebody changed the
//! workspace in the middle. What they did is theirs and stays; what they would lose is put beside it.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, RenameFlags};
use rustix::io::Errno;

use crate::apply::{Apply, movable};
use crate::beneath;
use crate::error::{At, Failed};
use crate::limits::{NAME_BYTES, NAMES_BESIDE_MAX};
use crate::plan::{Op, Step};
use crate::store::{rename_new, slot_name};

impl Apply<'_> {
    /// Takes a step back, unless it was not done.
    pub fn backward(&self, step: &Step, action: u64) -> Result<(), Failed> {
        match &step.op {
            Op::Create { slot } => self.uncreate(&step.path, &slot_name(*slot)),
            Op::Replace { slot, inode, dir_mode } => {
                self.unreplace(&step.path, &slot_name(*slot), *inode, action)?;
                self.restore_mode(&step.path, *dir_mode)
            }
            Op::Delete { slot, dir_mode } => {
                let slot = slot_name(*slot);
                if beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?.is_some() {
                    match self.parent_left(&step.path)? {
                        Some((dir, name)) => self.put_back(&step.path, &slot, (&dir, name), action)?,
                        None => self.put_above(&step.path, &slot, action)?,
                    }
                }
                self.restore_mode(&step.path, *dir_mode)
            }
            Op::Overwrite { target, backup, before, .. } => {
                self.overwrite(&step.path, &slot_name(*target), &slot_name(*backup), before)
            }
            Op::Meta { before, .. } => match self.meta(&step.path, before) {
                Err(failed) if is_gone(failed.errno) => Ok(()),
                other => other,
            },
        }
    }

    /// The directory of a path, if it is still there.
    fn parent_left<'p>(&self, path: &'p [u8]) -> Result<Option<(OwnedFd, &'p [u8])>, Failed> {
        match self.parent(path) {
            Err(failed) if is_gone(failed.errno) => Ok(None),
            other => other.map(Some),
        }
    }

    fn uncreate(&self, path: &[u8], slot: &str) -> Result<(), Failed> {
        if beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?.is_some() {
            return Ok(());
        }
        let Some((dir, name)) = self.parent_left(path)? else { return Ok(()) };
        let Some(stat) = beneath::look(&dir, name).at("look at", path)? else { return Ok(()) };
        movable(&dir, name, &stat).at("open up", path)?;
        rename_new(dir, name, self.staged, slot.as_bytes()).at("take back", path)
    }

    fn unreplace(&self, path: &[u8], slot: &str, new: u64, action: u64) -> Result<(), Failed> {
        let staged = beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?;
        let Some(old) = staged.filter(|stat| stat.st_ino != new) else { return Ok(()) };
        let Some((dir, name)) = self.parent_left(path)? else { return self.put_above(path, slot, action) };
        let now = beneath::look(&dir, name).at("look at", path)?;
        if let Some(now) = now.filter(|now| now.st_ino == new) {
            movable(&dir, name, &now).at("open up", path)?;
            movable(self.staged, slot.as_bytes(), &old).at("open up", path)?;
            return rustix::fs::renameat_with(&dir, name, self.staged, slot, RenameFlags::EXCHANGE)
                .at("take back", path);
        }
        self.put_back(path, slot, (&dir, name), action)
    }

    /// Gives an old node its name back; when somebody has used that meanwhile, a name beside it.
    fn put_back(&self, path: &[u8], slot: &str, (dir, name): (&OwnedFd, &[u8]), action: u64) -> Result<(), Failed> {
        let stat = beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?;
        let stat = stat.ok_or(Errno::NOENT).at("look at", slot.as_bytes())?;
        movable(self.staged, slot.as_bytes(), &stat).at("open up", path)?;
        match rename_new(self.staged, slot.as_bytes(), dir, name) {
            Err(Errno::EXIST) => self.put_beside(path, slot, (dir, name), action),
            other => other.at("put back", path),
        }
    }

    /// Where its directory is gone, or is another's by now, an old node goes into the nearest one above that is left.
    fn put_above(&self, path: &[u8], slot: &str, action: u64) -> Result<(), Failed> {
        let stat = beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?;
        let stat = stat.ok_or(Errno::NOENT).at("look at", slot.as_bytes())?;
        movable(self.staged, slot.as_bytes(), &stat).at("open up", path)?;
        let mut above = beneath::split(path).0;
        loop {
            match self.directory(above) {
                // The top is always there.
                Err(errno) if is_gone(errno) && !above.is_empty() => above = beneath::split(above).0,
                dir => {
                    let name = path.strip_prefix(above).unwrap_or(path);
                    let name = name.strip_prefix(b"/").unwrap_or(name);
                    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'/' { b'-' } else { *byte }).collect();
                    return self.put_beside(path, slot, (&dir.at("open", above)?, &name), action);
                }
            }
        }
    }

    /// Under a name that says what it was.
    fn put_beside(&self, path: &[u8], slot: &str, (dir, name): (&OwnedFd, &[u8]), action: u64) -> Result<(), Failed> {
        for number in 0..NAMES_BESIDE_MAX {
            let number = if number == 0 { String::new() } else { format!(".{number}") };
            let beside = format!(".before-action-{action}{number}");
            let beside = [&name[..name.len().min(NAME_BYTES - beside.len())], beside.as_bytes()].concat();
            match rename_new(self.staged, slot.as_bytes(), dir, &beside) {
                Err(Errno::EXIST) => {}
                other => return other.at("put back", path),
            }
        }
        Err(Errno::EXIST).at("put back", path)
    }

    fn restore_mode(&self, path: &[u8], dir_mode: Option<u32>) -> Result<(), Failed> {
        let Some(mode) = dir_mode else { return Ok(()) };
        let dir = match self.directory(path) {
            Err(errno) if is_gone(errno) => return Ok(()),
            other => other.at("open", path)?,
        };
        let stays = rustix::fs::fstat(&dir).at("look at", path)?.st_mode & 0o6000;
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode | stays)).at("restore the mode of", path)
    }
}

/// Somebody removed it, or put something else in its place.
fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE)
}
