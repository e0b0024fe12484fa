//! The inverse of a committed action, staged as an action of its own: so an undo is shown, committed and undone as any
//! other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::AtFlags;
use rustix::io::Errno;
use schema::label::Label;

use crate::area::{Area, State, undo_name};
use crate::beneath;
use crate::check::Checker;
use crate::effects::{Effects, NodeKind};
use crate::error::{AreaError, At, CommitError, Conflict, Failed, StageError, UndoError};
use crate::keep::{CONTENT, RECORD, link_name};
use crate::limits::CHUNK_BYTES;
use crate::node::{self, Image, Look};
use crate::plan::{Delta, Plan, Slot, Touched};
use crate::planner::Planner;
use crate::record::{Content, Kept, Line};
use crate::remembered::Remembered;
use crate::roots::conflicts_in;
use crate::store::{Store, slot_name};
use crate::want::{FileWant, TreePath, Want, Wants, add_parents};

/// What an undo would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undo {
    /// As shown; empty with conflicts.
    pub effects: Effects,
    /// What was changed since. With any, nothing is staged.
    pub conflicts: Vec<Conflict>,
}

impl Area {
    /// Stages the inverse of a committed action as action `as_action`, to be committed as any other. Actions are taken
    /// back in any order, as long as what they changed is what they left.
    pub fn stage_undo(&mut self, action: u64, as_action: u64) -> Result<Undo, UndoError> {
        self.heal()?;
        self.whole()?;
        let state = self.state(action);
        if state != (State::Committed { undoable: true }) {
            return Err(UndoError::NotUndoable { action, state });
        }
        self.tidy_all()?;
        let mut parts = self.read_kept(action)?;
        let mut conflicts = Vec::new();
        for part in &mut parts {
            match changed_since(self.top(&part.name)?, &part.kept)? {
                Ok(remembered) => part.remembered = remembered,
                Err(found) => conflicts.extend(conflicts_in(&part.name, found)),
            }
        }
        if !conflicts.is_empty() {
            return Ok(Undo { effects: Effects::default(), conflicts });
        }
        let staged = self.begin(as_action)?;
        let plan = self.plan_undo(action, as_action, staged, parts);
        Ok(Undo { effects: self.end(as_action, plan)?, conflicts })
    }

    /// The workspace, or the directory of that name.
    fn top(&self, name: &[u8]) -> Result<&OwnedFd, AreaError> {
        if name.is_empty() { Ok(&self.workspace) } else { self.root(name).map(|root| &root.top) }
    }

    /// What is kept of an action, the workspace's first.
    fn read_kept(&self, action: u64) -> Result<Vec<KeptPart>, AreaError> {
        let name = action.to_string();
        let dir = beneath::open_dir(&self.store.undo, name.as_bytes()).at("open", name.as_bytes())?;
        let mut parts = Vec::new();
        let mut part = KeptPart::default();
        let found = self.store.read(dir, RECORD, &undo_name(action), |line| match line {
            Line::Root(name, _) => {
                let next = KeptPart { name, ..KeptPart::default() };
                parts.push(std::mem::replace(&mut part, next));
            }
            Line::Kept(one) => part.kept.push(one),
            Line::Touched(one) => part.touched.push(one),
            Line::Relabel(one) => part.labels.push((one.path, one.before.unwrap_or(Label::OWN))),
            _ => {}
        })?;
        parts.push(part);
        let missing = || AreaError::Damaged { what: undo_name(action), why: "there is none".to_owned() };
        found.ok_or_else(missing).map(|()| parts)
    }

    fn plan_undo(
        &self,
        action: u64,
        as_action: u64,
        staged: OwnedFd,
        parts: Vec<KeptPart>,
    ) -> Result<Plan, StageError> {
        let mut parts = parts.into_iter();
        let own = parts.next().unwrap_or_default();
        let mut plan = self.plan_undo_part(action, &self.workspace, &staged, own)?;
        for part in parts {
            let root = self.root(&part.name)?;
            let (name, staged) = (part.name.clone(), root.begin(as_action)?);
            plan.add(&name, self.plan_undo_part(action, &root.top, &staged, part)?, &self.limits);
        }
        Ok(Plan { undo_of: Some(action), ..plan })
    }

    fn plan_undo_part(&self, action: u64, top: &OwnedFd, staged: &OwnedFd, part: KeptPart) -> Result<Plan, StageError> {
        let name = action.to_string();
        let dir = beneath::open_dir(&self.store.undo, name.as_bytes()).at("open", name.as_bytes())?;
        let stays = |one: &Kept| match &one.delta.before {
            Some(before) if one.delta.in_place && before.kind == NodeKind::File && before.links > 1 => {
                Some((before.inode, one.delta.path.clone()))
            }
            _ => None,
        };
        let in_place = part.kept.iter().filter_map(stays).collect();
        let (files, relied) = (BTreeMap::new(), Vec::new());
        let remembered = part.remembered;
        let mut restore = Restore { store: &self.store, dir, staged, next: 0, files, in_place, relied, remembered };
        let mut wants = Wants::new();
        for one in part.kept {
            let path = TreePath(one.delta.path.clone());
            wants.insert(path, restore.want(one)?);
        }
        add_parents(&mut wants);
        let mut planner = Planner::new(top, staged, &self.limits, restore.next);
        planner.remembered = restore.remembered;
        for directory in &part.touched {
            // Nobody has changed it since, so it gets the time back that it had before the action.
            if let (Some(before), Ok(dir)) = (&directory.before, beneath::open_dir(top, &directory.path))
                && rustix::fs::fstat(dir).is_ok_and(|stat| node::mtime(&stat) == directory.after.mtime)
            {
                planner.times.insert(directory.path.clone(), before.mtime);
            }
        }
        Ok(Plan { relied_links: restore.relied, brings: part.labels, ..planner.plan(&wants)? })
    }
}

/// What is kept of what an action did in one directory.
#[derive(Default)]
struct KeptPart {
    /// Empty: the workspace.
    name: Vec<u8>,
    kept: Vec<Kept>,
    touched: Vec<Touched>,
    /// What was read of the workspace.
    remembered: Remembered,
    /// Labels that paths had before it.
    labels: Vec<(Vec<u8>, Label)>,
}

/// What is not what the action left; where all is: what was read of it.
fn changed_since(top: &OwnedFd, kept: &[Kept]) -> Result<Result<Remembered, Vec<Conflict>>, Failed> {
    let inverse = |kept: &Kept| Delta {
        path: kept.delta.path.clone(),
        before: kept.delta.after.clone(),
        after: kept.delta.before.clone(),
        in_place: false,
    };
    let plan = Plan { deltas: kept.iter().map(inverse).collect(), ..Plan::default() };
    match Checker::new(top, None).check(&plan) {
        Ok(checked) => Ok(Ok(checked.remembered)),
        Err(CommitError::Conflict(conflicts)) => Ok(Err(conflicts)),
        Err(CommitError::Io(failed)) => Err(failed),
        Err(other) => Err(Failed { step: "compare", object: other.to_string(), errno: Errno::IO }),
    }
}

/// Makes old nodes again.
struct Restore<'a> {
    store: &'a Store,
    /// The action's directory in the undo store.
    dir: OwnedFd,
    staged: &'a OwnedFd,
    next: Slot,
    /// The first slot of each file that had several names, by the inode number it had.
    files: BTreeMap<u64, Slot>,
    /// A name of each file that was changed in place, by its inode number.
    in_place: BTreeMap<u64, Vec<u8>>,
    /// Names of the undo store that slots are names of, too.
    relied: Vec<(u64, Image)>,
    remembered: Remembered,
}

impl Restore<'_> {
    fn want(&mut self, kept: Kept) -> Result<Want, StageError> {
        let Kept { delta, content, link } = kept;
        let Some(before) = delta.before.clone() else { return Ok(Want::Absent) };
        Ok(match before.kind {
            NodeKind::Directory => Want::Directory { meta: Some(before.meta), opaque: false },
            NodeKind::Symlink => Want::Symlink { target: before.target, mtime: before.meta.mtime },
            NodeKind::File => {
                let slot = self.next;
                self.next += 1;
                if let Some(from) = self.name_again(slot, &delta, &before, link)? {
                    return Ok(Want::Same { from, slot, image: before });
                }
                // Where nothing but permissions was changed, the content is where it was.
                let only_meta = delta.in_place && delta.after.is_some_and(|after| after.same_content(&before));
                let mut relink = false;
                if !only_meta {
                    // The first of several names as well: the others will be names of what is in its slot.
                    let several = self.file(slot, &delta.path, &before, content, link)? || before.links > 1;
                    relink = several && !delta.in_place;
                }
                Want::File(FileWant { slot, image: before, stays: delta.in_place, relink, exact: true })
            }
        })
    }

    /// One more name of a file that was changed in place under another: the file itself, which that other name's own
    /// part of the undo changes back. That other name.
    fn name_again(
        &self,
        slot: Slot,
        delta: &Delta,
        before: &Image,
        link: Option<u64>,
    ) -> Result<Option<Vec<u8>>, StageError> {
        let (false, Some(from), Some(number)) = (delta.in_place, self.in_place.get(&before.inode), link) else {
            return Ok(None);
        };
        let name = link_name(number);
        let found = beneath::look(&self.dir, name.as_bytes()).at("look at", name.as_bytes())?;
        if found.is_none_or(|stat| stat.st_ino != before.inode) {
            return Ok(None);
        }
        rustix::fs::linkat(&self.dir, name, self.staged, slot_name(slot), AtFlags::empty()).at("link", &delta.path)?;
        Ok(Some(from.clone()))
    }

    /// Puts a file into a slot; whether it is one of several names.
    fn file(
        &mut self,
        slot: Slot,
        path: &[u8],
        image: &Image,
        content: Content,
        link: Option<u64>,
    ) -> Result<bool, StageError> {
        if let Some(first) = self.files.get(&image.inode) {
            let names = (slot_name(*first), slot_name(slot));
            rustix::fs::linkat(self.staged, names.0, self.staged, names.1, AtFlags::empty()).at("link", path)?;
            return Ok(true);
        }
        let name = slot_name(slot);
        let mut linked = false;
        if let Some(number) = link {
            linked = self.link(&link_name(number), &name, image)?;
            self.relied.extend(linked.then(|| (number, image.clone())));
        }
        if !linked {
            let file = beneath::create(self.staged, name.as_bytes()).at("restore", path)?;
            match content {
                Content::Nothing => {}
                Content::Inline(bytes) => {
                    file.write_all_at(&bytes, 0).at("restore", path)?;
                    self.remembered.slot(slot, bytes);
                }
                Content::Stored => read_stored(self.store, &image.digest, &file).at("restore", path)?,
            }
            node::set_new_meta(&file, &image.meta).at("restore", path)?;
        }
        if image.links > 1 {
            self.files.insert(image.inode, slot);
        }
        Ok(linked)
    }

    /// The file itself, if its other names have not changed it since.
    fn link(&self, link: &str, slot: &str, image: &Image) -> Result<bool, StageError> {
        let found = node::read(&self.dir, link.as_bytes(), link.as_bytes(), Look::Whole)?;
        if found.is_none_or(|found| !found.image.is_like(image) || found.image.meta.xattrs != image.meta.xattrs) {
            return Ok(false);
        }
        rustix::fs::linkat(&self.dir, link, self.staged, slot, AtFlags::empty()).at("link", link.as_bytes())?;
        Ok(true)
    }
}

/// Writes a kept content back into an empty file.
fn read_stored(store: &Store, digest: &[u8; 32], to: &File) -> io::Result<()> {
    let name = store.sealer.name(digest);
    let file = beneath::open_read(&store.contents, name.as_bytes())?;
    let mut reader = store.sealer.reader(CONTENT, BufReader::new(file))?;
    let (mut at, mut buffer) = (0_u64, vec![0; CHUNK_BYTES]);
    loop {
        let mut kind = [0];
        if reader.read(&mut kind)? == 0 {
            return to.set_len(at);
        }
        let mut length = [0; 8];
        reader.read_exact(&mut length)?;
        let mut left = u64::from_le_bytes(length);
        if kind == [0] {
            at = at.checked_add(left).ok_or_else(|| io::Error::other("a hole beyond any file"))?;
            continue;
        }
        while left > 0 {
            let piece = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            reader.read_exact(&mut buffer[..piece])?;
            to.write_all_at(&buffer[..piece], at)?;
            at += piece as u64;
            left -= piece as u64;
        }
    }
}
