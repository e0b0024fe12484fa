//! Does the steps of a plan. What is done already is seen from where the nodes are, so it can be begun again after a crash.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::beneath;
use crate::content;
use crate::error::{At, Failed};
use crate::node::{self, Meta};
use crate::plan::{Op, Plan, Step};
use crate::store::{rename_new, slot_name};

/// Where steps are done.
pub struct Apply<'a> {
    /// The workspace.
    pub workspace: &'a OwnedFd,
    /// The action's staging directory.
    pub staged: &'a OwnedFd,
}

/// Everything of a node that a change made by hand would change, short of reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which node.
    pub inode: u64,
    /// Its length.
    pub bytes: i64,
    /// When its content was changed.
    pub mtime: node::Time,
}

impl Stamp {
    /// A node's.
    pub fn of(stat: &rustix::fs::Stat) -> Stamp {
        Stamp { inode: stat.st_ino, bytes: stat.st_size, mtime: node::mtime(stat) }
    }
}

impl Apply<'_> {
    /// Makes directories writable whose names are to change.
    pub fn open_up(&self, plan: &Plan) -> Result<(), Failed> {
        for touched in plan.touched.iter().rev().filter(|touched| touched.before.is_some()) {
            match self.directory(&touched.path) {
                // What is in a directory that goes or has gone needs nothing; nor what somebody put a link in the place of.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                other => drop(other.at("open up", &touched.path)?),
            }
        }
        Ok(())
    }

    /// Gives directories the permissions and times they are to have: `after` the steps, or `before` them.
    pub fn settle(&self, plan: &Plan, is_after: bool) -> Result<(), Failed> {
        for touched in &plan.touched {
            let meta = if is_after { Some(&touched.after) } else { touched.before.as_ref() };
            let Some(meta) = meta else { continue };
            match self.directory(&touched.path) {
                // Somebody removed it, which is why all is taken back.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !is_after => {}
                dir => node::set_meta(dir.at("open", &touched.path)?, meta).at("set the mode of", &touched.path)?,
            }
        }
        Ok(())
    }

    /// The directories that a plan changes, open.
    pub fn touched(&self, plan: &Plan) -> Result<Vec<OwnedFd>, Failed> {
        let stay = plan.touched.iter().filter(|touched| touched.before.is_some());
        stay.map(|touched| {
            let (above, name) = beneath::split(&touched.path);
            if name.is_empty() {
                return beneath::open_dir(self.workspace, b"").at("open", b"");
            }
            let above = beneath::open_dir(self.workspace, above).at("open", above)?;
            let stat = beneath::look(&above, name).at("look at", &touched.path)?;
            let stat = stat.ok_or(Errno::NOENT).at("look at", &touched.path)?;
            node::open(&above, name, &stat).map(|(dir, _)| dir).at("open", &touched.path)
        })
        .collect()
    }

    /// A directory of the workspace, usable by its owner.
    pub(crate) fn directory(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let fd = if path.is_empty() {
            beneath::open_dir(self.workspace, path)?
        } else {
            let (above, name) = beneath::split(path);
            let above = beneath::open_dir(self.workspace, above)?;
            let stat = beneath::look(&above, name)?.ok_or(Errno::NOENT)?;
            if beneath::file_type(&stat) != FileType::Directory {
                return Err(Errno::NOTDIR);
            }
            beneath::open_owned(&above, name, &stat)?
        };
        writable(&fd)?;
        Ok(fd)
    }

    pub(crate) fn parent<'p>(&self, path: &'p [u8]) -> Result<(OwnedFd, &'p [u8]), Failed> {
        let (above, name) = beneath::split(path);
        Ok((beneath::open_dir(self.workspace, above).at("open", above)?, name))
    }

    /// Does a step, unless it is done. `displaced`: what must have been under the name; `false` when it was not.
    pub fn forward(&self, step: &Step, displaced: Option<Stamp>) -> Result<bool, Failed> {
        match &step.op {
            Op::Create { slot } => {
                let slot = slot_name(*slot);
                if beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?.is_some() {
                    let (dir, name) = self.parent(&step.path)?;
                    rename_new(self.staged, slot.as_bytes(), dir, name).at("create", &step.path)?;
                }
                Ok(true)
            }
            Op::Replace { slot, inode, .. } => self.exchange(&step.path, &slot_name(*slot), *inode, displaced),
            Op::Delete { slot, .. } => self.delete(&step.path, &slot_name(*slot), displaced),
            Op::Overwrite { target, content, after, .. } => {
                self.overwrite(&step.path, &slot_name(*target), &slot_name(*content), after).map(|()| true)
            }
            Op::Meta { after, .. } => self.meta(&step.path, after).map(|()| true),
        }
    }

    fn exchange(&self, path: &[u8], slot: &str, new: u64, displaced: Option<Stamp>) -> Result<bool, Failed> {
        let (dir, name) = self.parent(path)?;
        // A file that was checked a moment ago is moved without looking; it is looked at where it has come to.
        if displaced.is_none() {
            let stat = beneath::look(&dir, name).at("look at", path)?.ok_or(Errno::NOENT).at("look at", path)?;
            if stat.st_ino == new {
                return Ok(true);
            }
            movable(&dir, name, &stat).at("open up", path)?;
        }
        rustix::fs::renameat_with(&dir, name, self.staged, slot, RenameFlags::EXCHANGE).at("replace", path)?;
        self.is_what_was_checked(slot, displaced).at("look at", path)
    }

    fn delete(&self, path: &[u8], slot: &str, displaced: Option<Stamp>) -> Result<bool, Failed> {
        if displaced.is_none() && beneath::look(self.staged, slot.as_bytes()).at("look at", slot.as_bytes())?.is_some()
        {
            return Ok(true);
        }
        let (dir, name) = self.parent(path)?;
        if displaced.is_none() {
            let stat = beneath::look(&dir, name).at("look at", path)?.ok_or(Errno::NOENT).at("look at", path)?;
            movable(&dir, name, &stat).at("open up", path)?;
        }
        rename_new(&dir, name, self.staged, slot.as_bytes()).at("delete", path)?;
        self.is_what_was_checked(slot, displaced).at("look at", path)
    }

    fn is_what_was_checked(&self, slot: &str, displaced: Option<Stamp>) -> Result<bool, Errno> {
        let Some(stamp) = displaced else { return Ok(true) };
        Ok(beneath::look(self.staged, slot.as_bytes())?.is_some_and(|stat| Stamp::of(&stat) == stamp))
    }

    pub(crate) fn overwrite(&self, path: &[u8], target: &str, from: &str, meta: &Meta) -> Result<(), Failed> {
        let stat = |name: &str| beneath::look(self.staged, name.as_bytes()).at("look at", name.as_bytes());
        // Without a copy of the old content the step was not begun.
        let (Some(from_stat), Some(target_stat)) = (stat(from)?, stat(target)?) else { return Ok(()) };
        let from = beneath::open_owned(self.staged, from.as_bytes(), &from_stat).at("open", path)?;
        let reader = beneath::open_owned(self.staged, target.as_bytes(), &target_stat).at("open", path)?;
        rustix::fs::fchmod(&reader, Mode::RUSR | Mode::WUSR | Mode::from_raw_mode(target_stat.st_mode & 0o777))
            .at("open up", path)?;
        let to = beneath::open(self.staged, target.as_bytes(), OFlags::WRONLY, Mode::empty()).at("open", path)?;
        let to = File::from(to);
        content::overwrite(&File::from(from), &to).at("write", path)?;
        node::set_meta(&to, meta).at("set the mode of", path)?;
        rustix::fs::fsync(&to).at("sync", path)
    }

    pub(crate) fn meta(&self, path: &[u8], meta: &Meta) -> Result<(), Failed> {
        let (dir, name) = self.parent(path)?;
        let stat = beneath::look(&dir, name).at("look at", path)?.ok_or(Errno::NOENT).at("look at", path)?;
        if beneath::file_type(&stat) != FileType::RegularFile {
            return Err(Errno::STALE).at("set the mode of", path);
        }
        let file = beneath::open_owned(&dir, name, &stat).at("open", path)?;
        node::set_meta(&file, meta).at("set the mode of", path)?;
        rustix::fs::fsync(&file).at("sync", path)
    }
}

/// A directory can be moved to another one only where its owner may write to it, since its `..` changes.
pub fn movable(dir: impl AsFd, name: &[u8], stat: &rustix::fs::Stat) -> Result<(), Errno> {
    if beneath::file_type(stat) == FileType::Directory && stat.st_mode & 0o700 != 0o700 {
        writable(&beneath::open_owned(dir, name, stat)?)?;
    }
    Ok(())
}

fn writable(dir: &OwnedFd) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(dir)?;
    if stat.st_mode & 0o700 == 0o700 {
        return Ok(());
    }
    rustix::fs::fchmod(dir, Mode::from_raw_mode(stat.st_mode & 0o7777 | 0o700))
}
