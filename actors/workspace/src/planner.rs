//! Compares what is wanted with what the workspace has. What differs becomes deltas (what to show, to check and to keep
//! for an undo) and steps (what to do). The workspace is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode};

use crate::beneath;
use crate::diff::Diffs;
use crate::effects::NodeKind;
use crate::error::{At, StageError};
use crate::limits::Limits;
use crate::node::{self, Found, Image, Look, Meta, Time};
use crate::plan::{Op, Plan, Slot, Step, Touched};
use crate::remembered::Remembered;
use crate::store::{rename_new, slot_name};
use crate::want::{FileWant, TreePath, Want, Wants};

/// Makes a plan.
pub struct Planner<'a> {
    /// The workspace.
    pub workspace: &'a OwnedFd,
    /// The action's staging directory.
    pub staged: &'a OwnedFd,
    /// Limits.
    pub limits: &'a Limits,
    /// What has come together so far.
    pub plan: Plan,
    /// Times that directories are to have which nobody else chose.
    pub times: BTreeMap<Vec<u8>, Time>,
    /// What need not be read again.
    pub remembered: Remembered,
    pub(crate) diffs: Diffs,
    /// Files that are written in place, by inode number.
    overwritten: BTreeSet<u64>,
    /// What an undo has to keep.
    pub(crate) kept_bytes: u64,
}

/// Where a level of the tree is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The workspace's directory, where it has one that stays.
    pub old: Option<&'a OwnedFd>,
    /// The staged directory, where it is a new one.
    pub new: Option<&'a OwnedFd>,
    /// Directories above.
    pub depth: usize,
}

/// A node of a level.
pub(crate) struct Spot<'a> {
    /// Its level.
    pub place: Place<'a>,
    /// Its name there.
    pub name: &'a [u8],
    /// From the workspace.
    pub path: &'a [u8],
}

type Entry<'w> = (&'w TreePath, &'w Want);

impl<'a> Planner<'a> {
    /// Nothing planned.
    pub fn new(workspace: &'a OwnedFd, staged: &'a OwnedFd, limits: &'a Limits, next_slot: Slot) -> Planner<'a> {
        Planner {
            workspace,
            staged,
            limits,
            plan: Plan { next_slot, ..Plan::default() },
            times: BTreeMap::new(),
            remembered: Remembered::default(),
            diffs: Diffs::new(limits),
            overwritten: BTreeSet::new(),
            kept_bytes: 0,
        }
    }

    /// The plan for all that is wanted. Each directory above a wanted node is among the wanted.
    pub fn plan(mut self, wants: &Wants) -> Result<Plan, StageError> {
        let all: Vec<Entry<'_>> = wants.iter().collect();
        let root = node::read(self.workspace, b".", b"", Look::Node)?;
        let root = root.ok_or(rustix::io::Errno::NOENT).at("open", b"")?;
        let place = Place { old: Some(self.workspace), new: None, depth: 0 };
        if self.level(&all, b"", place)? {
            self.touch(b"", &root.image.meta, None);
        }
        self.plan.effects.undoable = self.kept_bytes <= self.limits.undo_bytes_max;
        Ok(self.plan)
    }

    /// Plans a directory's nodes; whether any name in it changes.
    fn level(&mut self, mut wants: &[Entry<'_>], above: &[u8], place: Place<'_>) -> Result<bool, StageError> {
        if place.depth > self.limits.depth_max {
            return Err(self.over("directories above a node", above, self.limits.depth_max as u64));
        }
        let mut named = false;
        while let Some((own, rest)) = wants.split_first() {
            let path = own.0.0.as_slice();
            let below = |entry: &&Entry<'_>| entry.0.0.starts_with(path) && entry.0.0.get(path.len()) == Some(&b'/');
            let (inner, next) = rest.split_at(rest.iter().take_while(below).count());
            let (_, name) = beneath::split(path);
            named |= self.node(&Spot { place, name, path }, own.1, inner)?;
            wants = next;
        }
        Ok(named)
    }

    /// Plans one node and what is in it; whether its name changes in its directory.
    fn node(&mut self, spot: &Spot<'_>, want: &Want, inner: &[Entry<'_>]) -> Result<bool, StageError> {
        let found = match spot.place.old {
            Some(old) => self.read(old, spot.name, spot.path)?,
            None => None,
        };
        let named = match want {
            Want::Absent => match found {
                None => false,
                Some(found) => {
                    self.vanish(spot, &found, None)?;
                    let (slot, dir_mode) = (self.slot(), found.dir_mode());
                    self.step(spot.path, Op::Delete { slot, dir_mode });
                    true
                }
            },
            Want::File(file) => self.file(spot, file, found)?,
            Want::Same { from, slot, image } => self.same(spot, from, *slot, image, found)?,
            Want::Symlink { target, mtime } => self.symlink(spot, target, *mtime, found)?,
            Want::Directory { meta, opaque } => self.directory(spot, meta.as_ref(), *opaque, found, inner)?,
        };
        Ok(named)
    }

    fn read(&mut self, dir: &OwnedFd, name: &[u8], path: &[u8]) -> Result<Option<Found>, StageError> {
        if self.remembered.has(path)
            && let Some(stat) = beneath::look(dir, name).at("look at", path)?
            && let Some(found) = self.remembered.of_file(path, &stat)
        {
            return Ok(Some(found));
        }
        node::read(dir, name, path, Look::Whole)
    }

    fn file(&mut self, spot: &Spot<'_>, want: &FileWant, found: Option<Found>) -> Result<bool, StageError> {
        let Some(found) = found else {
            self.delta(spot, None, Some(&want.image), false, Some(want.slot))?;
            return self.put(spot, want.slot, None);
        };
        let old = &found.image;
        if old.kind != NodeKind::File {
            self.vanish(spot, &found, Some((&want.image, want.slot)))?;
            return self.put(spot, want.slot, Some(&found));
        }
        let alike = old.same_content(&want.image);
        let same_meta = match want.exact {
            true => old.meta == want.image.meta,
            false => old.meta.mode == want.image.meta.mode && old.meta.xattrs == want.image.meta.xattrs,
        };
        if alike && same_meta && !want.relink {
            beneath::remove_tree(self.staged, slot_name(want.slot).as_bytes())?;
            return Ok(false);
        }
        let one_file = want.stays || old.links == 1;
        if alike && one_file && !want.relink {
            self.delta(spot, Some(&found), Some(&want.image), true, None)?;
            let op = Op::Meta { after: want.image.meta.clone(), before: old.meta.clone() };
            self.step(spot.path, op);
            return Ok(false);
        }
        if want.stays && old.links > 1 {
            self.delta(spot, Some(&found), Some(&want.image), true, Some(want.slot))?;
            self.overwrite(spot, want, old)?;
            return Ok(false);
        }
        self.delta(spot, Some(&found), Some(&want.image), false, Some(want.slot))?;
        self.put(spot, want.slot, Some(&found))
    }

    fn overwrite(&mut self, spot: &Spot<'_>, want: &FileWant, old: &Image) -> Result<(), StageError> {
        let Some(dir) = spot.place.old else { return Ok(()) };
        if !self.overwritten.insert(old.inode) {
            return Ok(());
        }
        let (target, backup) = (self.slot(), self.slot());
        rustix::fs::linkat(dir, spot.name, self.staged, slot_name(target), AtFlags::empty()).at("link", spot.path)?;
        let (after, before) = (want.image.meta.clone(), old.meta.clone());
        self.step(spot.path, Op::Overwrite { target, content: want.slot, backup, after, before });
        Ok(())
    }

    fn same(
        &mut self,
        spot: &Spot<'_>,
        from: &[u8],
        slot: Slot,
        image: &Image,
        found: Option<Found>,
    ) -> Result<bool, StageError> {
        self.plan.relied_on.push((from.to_vec(), image.clone()));
        match found {
            Some(found) if found.image.inode == image.inode && found.image.kind == NodeKind::File => {
                beneath::remove_tree(self.staged, slot_name(slot).as_bytes())?;
                Ok(false)
            }
            Some(found) => {
                self.vanish(spot, &found, Some((image, slot)))?;
                self.put(spot, slot, Some(&found))
            }
            None => {
                self.delta(spot, None, Some(image), false, Some(slot))?;
                self.put(spot, slot, None)
            }
        }
    }

    fn symlink(
        &mut self,
        spot: &Spot<'_>,
        target: &[u8],
        mtime: Time,
        found: Option<Found>,
    ) -> Result<bool, StageError> {
        let image = Image::symlink(target, mtime);
        if found.as_ref().is_some_and(|found| found.image.kind == NodeKind::Symlink && found.image.target == target) {
            return Ok(false);
        }
        let slot = self.slot();
        rustix::fs::symlinkat(target, self.staged, slot_name(slot)).at("make the link", spot.path)?;
        node::set_link_time(self.staged, slot_name(slot).as_bytes(), mtime).at("set the time of", spot.path)?;
        match &found {
            Some(found) => self.vanish(spot, found, Some((&image, slot)))?,
            None => self.delta(spot, None, Some(&image), false, None)?,
        }
        self.put(spot, slot, found.as_ref())
    }

    fn directory(
        &mut self,
        spot: &Spot<'_>,
        meta: Option<&Meta>,
        opaque: bool,
        found: Option<Found>,
        inner: &[Entry<'_>],
    ) -> Result<bool, StageError> {
        let depth = spot.place.depth + 1;
        if let Some(found) = &found
            && let (NodeKind::Directory, Some(old)) = (found.image.kind, &found.fd)
        {
            return self.merge(spot, meta, opaque, (found, old), inner).map(|()| false);
        }
        let Some(meta) = meta else {
            return Err(StageError::Change { path: spot.path.to_vec(), why: "there is no such directory" });
        };
        let image = Image::directory(meta);
        let (name, parent, slot) = match spot.place.new {
            Some(parent) => (spot.name.to_vec(), parent, None),
            None => {
                let slot = self.slot();
                (slot_name(slot).into_bytes(), self.staged, Some(slot))
            }
        };
        rustix::fs::mkdirat(parent, &name[..], Mode::RWXU).at("make the directory", spot.path)?;
        let new = beneath::open_dir(parent, &name).at("open", spot.path)?;
        match (&found, slot) {
            (Some(found), Some(slot)) => self.vanish(spot, found, Some((&image, slot)))?,
            _ => self.delta(spot, None, Some(&image), false, None)?,
        }
        self.level(inner, spot.path, Place { old: None, new: Some(&new), depth })?;
        let Some(slot) = slot else {
            node::set_meta(&new, meta).at("set the mode of", spot.path)?;
            return Ok(true);
        };
        // It has to be writable to be moved, so it gets its own permissions behind the steps.
        let open_meta = Meta { mode: meta.mode | 0o700, ..meta.clone() };
        node::set_meta(&new, &open_meta).at("set the mode of", spot.path)?;
        self.plan.touched.push(Touched { path: spot.path.to_vec(), before: None, after: meta.clone() });
        self.put(spot, slot, found.as_ref())
    }

    /// A directory that is there and stays.
    fn merge(
        &mut self,
        spot: &Spot<'_>,
        meta: Option<&Meta>,
        opaque: bool,
        (found, old): (&Found, &OwnedFd),
        inner: &[Entry<'_>],
    ) -> Result<(), StageError> {
        let before = &found.image.meta;
        let changed = meta.filter(|meta| meta.mode != before.mode || meta.xattrs != before.xattrs);
        if let Some(meta) = changed {
            let after = Image::directory(meta);
            self.delta(spot, Some(found), Some(&after), true, None)?;
        }
        let place = Place { old: Some(old), new: None, depth: spot.place.depth + 1 };
        let steps = self.plan.steps.len();
        let mut named = self.level(inner, spot.path, place)?;
        if opaque {
            named |= self.only(spot, old, inner)?;
        }
        if named || changed.is_some() {
            self.touch(spot.path, before, meta);
        } else if self.plan.steps.len() > steps && before.mode & 0o700 != 0o700 {
            // Nothing of it changes, but it has to be opened up for what changes in it.
            let (path, before) = (spot.path.to_vec(), Some(before.clone()));
            self.plan.touched.push(Touched { path, after: found.image.meta.clone(), before });
        }
        Ok(())
    }

    /// Deletes what is in a directory and is not wanted there.
    fn only(&mut self, spot: &Spot<'_>, old: &OwnedFd, inner: &[Entry<'_>]) -> Result<bool, StageError> {
        let wanted: BTreeSet<&[u8]> = inner
            .iter()
            .filter_map(|(path, _)| path.0[spot.path.len() + 1..].split(|byte| *byte == b'/').next())
            .collect();
        let mut any = false;
        for name in beneath::names(old).at("list", spot.path)? {
            if wanted.contains(&name[..]) {
                continue;
            }
            let path = join(spot.path, &name);
            let place = Place { old: Some(old), new: None, depth: spot.place.depth + 1 };
            any |= self.node(&Spot { place, name: &name, path: &path }, &Want::Absent, &[])?;
        }
        Ok(any)
    }

    /// Deltas of a node that goes, and of all in it. With `into`: something else takes its name.
    fn vanish(&mut self, spot: &Spot<'_>, found: &Found, into: Option<(&Image, Slot)>) -> Result<(), StageError> {
        if spot.place.depth > self.limits.depth_max {
            return Err(self.over("directories above a node", spot.path, self.limits.depth_max as u64));
        }
        self.delta(spot, Some(found), into.map(|(image, _)| image), false, into.map(|(_, slot)| slot))?;
        if let (NodeKind::Directory, Some(dir)) = (found.image.kind, &found.fd) {
            for name in beneath::names(dir).at("list", spot.path)? {
                let path = join(spot.path, &name);
                let Some(inner) = self.read(dir, &name, &path)? else { continue };
                let place = Place { old: Some(dir), new: None, depth: spot.place.depth + 1 };
                self.vanish(&Spot { place, name: &name, path: &path }, &inner, None)?;
            }
        }
        Ok(())
    }

    /// Gives a slot's node its name: now in a new directory, by a step in one that is there.
    fn put(&mut self, spot: &Spot<'_>, slot: Slot, replaced: Option<&Found>) -> Result<bool, StageError> {
        let name = slot_name(slot);
        if let Some(new) = spot.place.new {
            rename_new(self.staged, name.as_bytes(), new, spot.name).at("stage", spot.path)?;
        } else if let Some(found) = replaced {
            let stat = rustix::fs::statat(self.staged, &name, AtFlags::SYMLINK_NOFOLLOW).at("stage", spot.path)?;
            self.step(spot.path, Op::Replace { slot, inode: stat.st_ino, dir_mode: found.dir_mode() });
        } else {
            self.step(spot.path, Op::Create { slot });
        }
        Ok(true)
    }

    fn step(&mut self, path: &[u8], op: Op) {
        self.plan.steps.push(Step { path: path.to_vec(), op });
    }

    fn slot(&mut self) -> Slot {
        self.plan.next_slot += 1;
        self.plan.next_slot - 1
    }

    fn touch(&mut self, path: &[u8], before: &Meta, wanted: Option<&Meta>) {
        let mut after = wanted.cloned().unwrap_or_else(|| Meta { mtime: node::now(), ..before.clone() });
        if let Some(time) = self.times.get(path) {
            after.mtime = *time;
        }
        self.plan.touched.push(Touched { path: path.to_vec(), before: Some(before.clone()), after });
    }

    pub(crate) fn over(&self, what: &'static str, path: &[u8], limit: u64) -> StageError {
        StageError::Limit { what, path: path.to_vec(), limit }
    }
}

/// A name in a directory.
pub fn join(above: &[u8], name: &[u8]) -> Vec<u8> {
    if above.is_empty() { name.to_vec() } else { [above, b"/", name].concat() }
}
