//! Hard links. An overlay copies a file up on its own, so of two names of one file the command changed one and saw the
//! other unchanged. Run without a sandbox both had changed, so such a file is written in place; unless the command put
//! another file in its place, which is of the same look in the layer.
//!
//! The overlay notes where a copy comes from only for files of one name. But a copy has the time of reading of what it is
//! a copy of, to the nanosecond, and with `noatime` the overlay lets it keep that; a file that the command made has
//! another. Where it is wrong (a command that sets that time itself) the file becomes one of its own, and its other names
//! keep what they had. So does a file that was renamed and changed in one action.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

use crate::beneath;
use crate::effects::NodeKind;
use crate::error::{At, Failed, StageError};
use crate::limits::DEPTH_MAX;
use crate::node::{self, Image, Look, Time};
use crate::parents::Parents;
use crate::plan::Slot;
use crate::planner::join;
use crate::store::slot_name;
use crate::want::{FileWant, TreePath, Want, Wants};

/// A file of a layer, with all names it has there.
pub struct Group {
    /// In the order in which they came.
    pub paths: Vec<Vec<u8>>,
    /// When it was read last.
    pub atime: Time,
    /// It is a copy of a file that had one name.
    pub origin: bool,
}

/// A file of the workspace that paths of the layer name.
struct Old {
    atime: Time,
    /// How many names it has.
    links: u64,
    /// Those that the layer has.
    names: Vec<Vec<u8>>,
    /// What it is, once somebody has asked.
    image: Option<Image>,
}

/// Sees to it that names of one file stay names of one file.
pub fn resolve(
    workspace: &OwnedFd,
    staged: &OwnedFd,
    wants: &mut Wants,
    groups: BTreeMap<Vec<u8>, Group>,
    next: &mut Slot,
) -> Result<(), StageError> {
    let mut resolve = Resolve { workspace, staged, wants, next, inodes: BTreeMap::new(), old: BTreeMap::new() };
    // All files of the layer may be copies of files of one name, which are none of ours.
    let find_deleted = groups.values().any(|group| !group.origin);
    resolve.find_names(find_deleted)?;
    let mut copies: BTreeMap<u64, Vec<Group>> = BTreeMap::new();
    for group in groups.into_values() {
        match resolve.copied(&group)? {
            Some(inode) => copies.entry(inode).or_default().push(group),
            None => resolve.made(&group),
        }
    }
    copies.into_iter().try_for_each(|(inode, groups)| resolve.kept(inode, &groups))
}

struct Resolve<'a> {
    workspace: &'a OwnedFd,
    staged: &'a OwnedFd,
    wants: &'a mut Wants,
    next: &'a mut Slot,
    /// The file that a path of the layer names in the workspace, by inode number.
    inodes: BTreeMap<Vec<u8>, u64>,
    /// Those files.
    old: BTreeMap<u64, Old>,
}

impl Resolve<'_> {
    fn find_names(&mut self, deleted_too: bool) -> Result<(), Failed> {
        let mut parents = Parents::new(self.workspace);
        let mut found = Vec::new();
        for (path, want) in &*self.wants {
            let stays = matches!(want, Want::Directory { opaque: false, .. });
            if stays || (!deleted_too && matches!(want, Want::Directory { .. })) {
                continue;
            }
            let (above, name) = beneath::split(&path.0);
            let dir = match parents.get(above) {
                Ok(dir) => dir,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(errno) => return Err(Failed::new("open", above, errno)),
            };
            let Some(stat) = beneath::look(dir, name).at("look at", &path.0)? else { continue };
            match beneath::file_type(&stat) {
                FileType::RegularFile => found.push((path.0.clone(), stat)),
                FileType::Directory if deleted_too => files_below(dir, name, &path.0, 0, &mut found)?,
                _ => {}
            }
        }
        for (path, stat) in found {
            self.inodes.insert(path.clone(), stat.st_ino);
            let (atime, links) = (node::atime(&stat), stat.st_nlink);
            let old =
                self.old.entry(stat.st_ino).or_insert_with(|| Old { atime, links, names: Vec::new(), image: None });
            if !old.names.contains(&path) {
                old.names.push(path);
            }
        }
        Ok(())
    }

    /// The file that a layer's file is a copy of, where that matters: where it has several names, or gets them.
    fn copied(&mut self, group: &Group) -> Result<Option<u64>, StageError> {
        let has_name = |old: &Old| group.paths.iter().any(|path| old.names.contains(path));
        let may_be = |old: &Old| match group.origin {
            true => old.links == 1 && group.paths.len() > 1 && has_name(old),
            false => old.links > 1,
        };
        let read_then = self.old.iter().filter(|(_, old)| old.atime == group.atime && may_be(old));
        let candidates: Vec<(u64, bool)> = read_then.map(|(inode, old)| (*inode, has_name(old))).collect();
        // Files that were made in the same tick of the clock have the same time. Then what it looks like counts first.
        if candidates.len() > 1 || group.origin {
            for (inode, _) in &candidates {
                let old = self.image(*inode)?;
                let new = self.file(&group.paths[0]).map(|file| &file.image);
                if new.is_some_and(|new| is_same(new, &old) && new.meta.mtime == old.meta.mtime) {
                    return Ok(Some(*inode));
                }
            }
            if group.origin {
                return Ok(None);
            }
        }
        let named = candidates.iter().find(|(_, has_name)| *has_name).or(candidates.first());
        Ok(named.map(|(inode, _)| *inode))
    }

    /// What a file of the workspace is.
    fn image(&mut self, inode: u64) -> Result<Image, StageError> {
        let old = self.old.get_mut(&inode).ok_or(Errno::NOENT).at("look at", b"")?;
        if let Some(image) = &old.image {
            return Ok(image.clone());
        }
        let (above, name) = beneath::split(&old.names[0]);
        let mut parents = Parents::new(self.workspace);
        let dir = parents.get(above).at("open", above)?;
        let found =
            node::read(dir, name, &old.names[0], Look::Whole)?.ok_or(Errno::NOENT).at("look at", &old.names[0])?;
        Ok(old.image.insert(found.image).clone())
    }

    fn file(&self, path: &[u8]) -> Option<&FileWant> {
        match self.wants.get(&TreePath(path.to_vec())) {
            Some(Want::File(file)) => Some(file),
            _ => None,
        }
    }

    fn file_mut(&mut self, path: &[u8]) -> Option<&mut FileWant> {
        match self.wants.get_mut(&TreePath(path.to_vec())) {
            Some(Want::File(file)) => Some(file),
            _ => None,
        }
    }

    /// A new file. Several names are made to be names of one file, unless they are already.
    fn made(&mut self, group: &Group) {
        if group.paths.len() < 2 {
            return;
        }
        let mut old = group.paths.iter().map(|path| self.inodes.get(path).copied());
        let first = old.next().flatten();
        if first.is_some() && old.all(|inode| inode == first) {
            return;
        }
        for path in &group.paths {
            if let Some(file) = self.file_mut(path) {
                file.relink = true;
            }
        }
    }

    /// A file of the workspace with several names, and the layer's copies of it.
    fn kept(&mut self, inode: u64, groups: &[Group]) -> Result<(), StageError> {
        let old = self.image(inode)?;
        let names = self.old.get(&inode).map(|old| old.names.clone()).unwrap_or_default();
        let Some(anchor) = names.first() else { return Ok(()) };
        let image = |this: &Self, group: &Group| this.file(&group.paths[0]).map(|file| file.image.clone());
        let mut changed: Option<FileWant> = None;
        for group in groups {
            let Some(new) = image(self, group).filter(|new| !is_same(new, &old)) else { continue };
            // A copy that has none of the file's names was renamed, and is a file of its own.
            if !group.paths.iter().any(|path| names.contains(path)) {
                self.made(group);
                continue;
            }
            if changed.as_ref().is_some_and(|other| !is_same(&other.image, &new)) {
                return Err(StageError::Split { paths: names });
            }
            changed = changed.or_else(|| self.file(&group.paths[0]).cloned());
        }
        for group in groups {
            // Renamed, it has its time of writing too.
            let is_old = image(self, group).is_some_and(|new| is_same(&new, &old) && new.meta.mtime == old.meta.mtime);
            let keeps = is_old || group.paths.iter().any(|path| names.contains(path));
            for path in group.paths.iter().filter(|_| keeps) {
                self.keep(path, anchor, &names, &old, changed.as_ref())?;
            }
        }
        Ok(())
    }

    /// One name of the file: it has it, or gets it.
    fn keep(
        &mut self,
        path: &[u8],
        anchor: &[u8],
        names: &[Vec<u8>],
        old: &Image,
        changed: Option<&FileWant>,
    ) -> Result<(), StageError> {
        if names.iter().any(|name| name == path) {
            if let Some(file) = self.file_mut(path) {
                file.stays = true;
            }
            return Ok(());
        }
        let slot = *self.next;
        *self.next += 1;
        let (above, name) = beneath::split(anchor);
        let mut parents = Parents::new(self.workspace);
        let dir = parents.get(above).at("open", above)?;
        rustix::fs::linkat(dir, name, self.staged, slot_name(slot), AtFlags::empty()).at("link", path)?;
        let image = changed.map_or(old, |changed| &changed.image).clone();
        let image = Image { inode: old.inode, links: old.links, ..image };
        self.wants.insert(TreePath(path.to_vec()), Want::Same { from: anchor.to_vec(), slot, image });
        Ok(())
    }
}

/// Files of several names in a directory that goes: a directory that is moved goes, and its files come elsewhere. What its
/// owner denied itself to list keeps its names for itself.
fn files_below(
    above: &OwnedFd,
    name: &[u8],
    path: &[u8],
    depth: usize,
    found: &mut Vec<(Vec<u8>, Stat)>,
) -> Result<(), Failed> {
    let dir = match beneath::open_dir(above, name) {
        Ok(dir) if depth < DEPTH_MAX => dir,
        Ok(_) | Err(Errno::ACCESS) => return Ok(()),
        Err(errno) => return Err(Failed::new("open", path, errno)),
    };
    for name in beneath::names(&dir).at("list", path)? {
        let path = join(path, &name);
        let Some(stat) = beneath::look(&dir, &name).at("look at", &path)? else { continue };
        match beneath::file_type(&stat) {
            FileType::RegularFile if stat.st_nlink > 1 => found.push((path, stat)),
            FileType::Directory => files_below(&dir, &name, &path, depth + 1, found)?,
            _ => {}
        }
    }
    Ok(())
}

/// The same content, permissions and attributes.
fn is_same(one: &Image, other: &Image) -> bool {
    let meta = one.meta.mode == other.meta.mode && one.meta.xattrs == other.meta.xattrs;
    meta && one.kind == NodeKind::File && one.same_content(other)
}
