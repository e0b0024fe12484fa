//! rename(2) of a directory where the overlay refuses it: a new directory, into which everything moves.
//!
//! What is no directory is renamed by the kernel, one by one: it keeps contents, modes, times, attributes, links and
//! open files as they are. Directories are made anew. The new tree grows under a name of its own beside the target and
//! gets its name in one step; when anything goes wrong before, everything is moved back.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, XattrFlags, chmodat, fchmod,
    fgetxattr, flistxattr, fsetxattr, fstat, fstatfs, futimens, linkat, mkdirat, openat, renameat_with, statat,
    unlinkat,
};
use rustix::io::{Errno, Result};

use crate::limits::{ATTRIBUTE_BYTES, MOVE_DEPTH, MOVE_NAMES, MOVE_ROUNDS};

const OVERLAY: i64 = 0x794c_7630;

/// Renames as renameat2(2) does.
pub fn rename(from: (BorrowedFd<'_>, &CStr), to: (BorrowedFd<'_>, &CStr), flags: RenameFlags) -> Result<()> {
    // Every check but the last is the kernel's: it refuses a directory of the lower layer after all others.
    match renameat_with(from.0, from.1, to.0, to.1, flags) {
        Err(Errno::XDEV) => {}
        other => return other,
    }
    let (from, to) = (Spot::of(from)?, Spot::of(to)?);
    let here = fstat(&from.dir)?.st_dev;
    if fstat(&to.dir)?.st_dev != here || fstatfs(&from.dir)?.f_type != OVERLAY {
        return Err(Errno::XDEV);
    }
    let done = if flags.contains(RenameFlags::EXCHANGE) { exchange(&from, &to) } else { replace(&from, &to, flags) };
    done.map_err(|errno| match errno {
        Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::NOMEM | Errno::NOTEMPTY | Errno::EXIST => errno,
        // As the overlay said: the caller has an answer to that.
        _ => Errno::XDEV,
    })
}

/// A name in a directory.
struct Spot {
    dir: OwnedFd,
    name: CString,
}

impl Spot {
    fn of((base, path): (BorrowedFd<'_>, &CStr)) -> Result<Spot> {
        let bytes = path.to_bytes();
        let end = bytes.iter().rposition(|byte| *byte != b'/').ok_or(Errno::XDEV)? + 1;
        let start = bytes[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let above = if start == 0 { &b"."[..] } else { &bytes[..start] };
        let dir = openat(base, above, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Spot { dir, name: CString::new(&bytes[start..end]).map_err(|_| Errno::XDEV)? })
    }

    /// A name beside it that nobody has.
    fn beside(&self) -> Result<Spot> {
        let dir = self.dir.try_clone().map_err(|_| Errno::MFILE)?;
        let own = std::process::id();
        for number in 0..MOVE_ROUNDS {
            let name = CString::new(format!(".moving-{own}-{number}")).map_err(|_| Errno::XDEV)?;
            if statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).is_err_and(|errno| errno == Errno::NOENT) {
                return Ok(Spot { dir, name });
            }
        }
        Err(Errno::EXIST)
    }

    fn move_to(&self, to: &Spot) -> Result<()> {
        let mut tree = Tree { top: to.dir.as_fd(), path: Vec::new(), links: BTreeMap::new() };
        tree.node((self.dir.as_fd(), &self.name), (to.dir.as_fd(), &to.name), 0)
    }

    fn rename_to(&self, to: &Spot, flags: RenameFlags) -> Result<()> {
        renameat_with(&self.dir, &self.name, &to.dir, &to.name, flags)
    }
}

fn replace(from: &Spot, to: &Spot, flags: RenameFlags) -> Result<()> {
    // Known beforehand, it costs nothing; the kernel looks again at the end.
    if let Ok(there) = open(to.dir.as_fd(), &to.name)
        && !names(there.as_fd())?.is_empty()
    {
        return Err(Errno::NOTEMPTY);
    }
    let new = to.beside()?;
    from.move_to(&new)?;
    new.rename_to(to, flags).inspect_err(|_| {
        // It is all of the upper layer now, so the kernel moves it.
        let _ = new.rename_to(from, RenameFlags::NOREPLACE);
    })
}

fn exchange(one: &Spot, other: &Spot) -> Result<()> {
    let first = other.beside()?;
    one.move_to(&first)?;
    // Only now, when the first name is taken.
    let second = one.beside().and_then(|second| other.move_to(&second).map(|()| second)).inspect_err(|_| {
        let _ = first.rename_to(one, RenameFlags::NOREPLACE);
    })?;
    first.rename_to(other, RenameFlags::NOREPLACE)?;
    second.rename_to(one, RenameFlags::NOREPLACE)
}

type At<'a> = (BorrowedFd<'a>, &'a CStr);

/// A tree on its way.
struct Tree<'a> {
    /// Where it grows.
    top: BorrowedFd<'a>,
    /// From there, where the work is now.
    path: Vec<u8>,
    /// Files with several names that have moved, and where to. An overlay would make a file of each name.
    links: BTreeMap<(u64, u64), CString>,
}

impl Tree<'_> {
    /// Moves whatever it is. On an error everything is where it was.
    fn node(&mut self, from: At<'_>, to: At<'_>, depth: usize) -> Result<()> {
        let stat = statat(from.0, from.1, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_directory && stat.st_nlink > 1 {
            return self.one_of_several(from, to, &stat);
        }
        match renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
            // Or a directory that may not be written to, which does not keep it where it is: that is the top's to say.
            Err(Errno::XDEV | Errno::ACCESS) if is_directory && depth < MOVE_DEPTH => {}
            other => return other,
        }
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        let opened_up = !mode.contains(Mode::RWXU);
        if opened_up {
            chmodat(from.0, from.1, mode | Mode::RWXU, AtFlags::empty())?;
        }
        let above = self.path.len();
        self.path.extend([b"/", to.1.to_bytes()].concat());
        let done = self.directory(from, to, &stat, depth);
        self.path.truncate(above);
        if done.is_err() && opened_up {
            let _ = chmodat(from.0, from.1, mode, AtFlags::empty());
        }
        done
    }

    fn one_of_several(&mut self, from: At<'_>, to: At<'_>, stat: &Stat) -> Result<()> {
        let file = (stat.st_dev, stat.st_ino);
        if let Some(first) = self.links.get(&file) {
            let linked = linkat(self.top, first, to.0, to.1, AtFlags::empty());
            return linked.and_then(|()| unlinkat(from.0, from.1, AtFlags::empty()));
        }
        renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE)?;
        let place = [b".", self.path.as_slice(), b"/", to.1.to_bytes()].concat();
        self.links.extend(CString::new(place).ok().map(|place| (file, place)));
        Ok(())
    }

    fn directory(&mut self, from: At<'_>, to: At<'_>, stat: &Stat, depth: usize) -> Result<()> {
        let old = open(from.0, from.1)?;
        mkdirat(to.0, to.1, Mode::RWXU)?;
        let mut moved = Vec::new();
        let done = open(to.0, to.1).and_then(|new| {
            self.fill(old.as_fd(), new.as_fd(), &mut moved, depth)
                .and_then(|()| like(old.as_fd(), new.as_fd(), stat))
                .and_then(|()| self.remove(from, old.as_fd(), new.as_fd(), stat, &mut moved, depth))
                .inspect_err(|_| {
                    let _ = fchmod(&new, Mode::RWXU);
                    self.links.clear();
                    for name in &moved {
                        let _ = self.node((new.as_fd(), name), (old.as_fd(), name), depth + 1);
                    }
                    self.links.clear();
                    let _ = futimens(&old, &times(stat));
                })
        });
        if done.is_err() {
            let _ = unlinkat(to.0, to.1, AtFlags::REMOVEDIR);
        }
        done
    }

    fn fill(&mut self, old: BorrowedFd<'_>, new: BorrowedFd<'_>, moved: &mut Vec<CString>, depth: usize) -> Result<()> {
        for name in names(old)? {
            match self.node((old, &name), (new, &name), depth + 1) {
                Ok(()) => moved.push(name),
                // Somebody else has just moved or removed it.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Removes the old directory. What others have made in it meanwhile goes along.
    fn remove(
        &mut self,
        from: At<'_>,
        old: BorrowedFd<'_>,
        new: BorrowedFd<'_>,
        stat: &Stat,
        moved: &mut Vec<CString>,
        depth: usize,
    ) -> Result<()> {
        for _ in 0..MOVE_ROUNDS {
            match unlinkat(from.0, from.1, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY) => {}
                other => return other,
            }
            fchmod(new, Mode::RWXU)?;
            self.fill(old, new, moved, depth)?;
            like(old, new, stat)?;
        }
        Err(Errno::XDEV)
    }
}

/// Attributes, mode and times, in the order in which one does not disturb the other.
fn like(old: BorrowedFd<'_>, new: BorrowedFd<'_>, stat: &Stat) -> Result<()> {
    let mut list = vec![0; ATTRIBUTE_BYTES];
    let length = flistxattr(old, &mut list)?;
    for name in list[..length].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::XDEV)?;
        let mut value = vec![0; ATTRIBUTE_BYTES];
        let bytes = fgetxattr(old, name, &mut value)?;
        fsetxattr(new, name, &value[..bytes], XattrFlags::empty())?;
    }
    fchmod(new, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    futimens(new, &times(stat))
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as _),
    }
}

fn open(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

fn names(dir: BorrowedFd<'_>) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
        if names.len() > MOVE_NAMES {
            return Err(Errno::NOSPC);
        }
    }
    Ok(names)
}
