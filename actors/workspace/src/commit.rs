//! The commit of a staged action: wholly or not at all.
//!
//! Checked and kept → prepared (all that redoing takes is on the disk) → journaled (from here on it will be done) → the
//! steps, each a rename → settled → on the disk → recorded → the journal and what was replaced are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use schema::label::Label;

use crate::apply::Stamp;
use crate::area::{Area, Known, PLAN, Standing, action_name, journal_name, plan_name, record_name, undo_name};
use crate::beneath;
use crate::check::{Checked, Checker};
use crate::content;
use crate::error::{AreaError, At, CommitError, Conflict, ConflictKind, Failed};
use crate::keep::{self, Keeper, RECORD};
use crate::kept_links::KeptLinks;
use crate::limits::SYNC_ONE_BY_ONE_MAX;
use crate::node::{self, Look};
use crate::parents::Parents;
use crate::plan::{Op, Plan};
use crate::point::Point;
use crate::record::{self, Kept, Line};
use crate::roots::{Part, conflicts_in};
use crate::store::{remove_file, rename_new, slot_name};

/// What a commit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// What an undo needs is kept.
    pub undoable: bool,
    /// Older actions that can't be undone any more, since there was no room for them.
    pub forgotten: Vec<u64>,
}

type Stamps = BTreeMap<Vec<u8>, Stamp>;

impl Area {
    /// Makes a staged action's changes. With an error the workspace is as it was, and the action is still staged; only
    /// [`AreaError::Torn`] means that this is still to be done: by the next call that changes anything, or the next `open`.
    pub fn commit(&mut self, action: u64, note: &[u8]) -> Result<Committed, CommitError> {
        self.commit_as(action, note, Label::OWN)
    }

    /// As [`Area::commit`], and what the action wrote has that label from then on.
    pub fn commit_as(&mut self, action: u64, note: &[u8], label: Label) -> Result<Committed, CommitError> {
        self.heal()?;
        self.whole()?;
        if note.len() > self.limits.note_bytes_max {
            return Err(CommitError::NoteTooLarge(self.limits.note_bytes_max));
        }
        if self.known.get(&action).map(|known| known.standing) != Some(Standing::Staged) {
            return Err(CommitError::NotStaged { action, state: self.state(action) });
        }
        self.tidy_all()?;
        let mut plan = match self.planned.take_if(|(planned, _)| *planned == action) {
            Some((_, plan)) => plan,
            None => {
                let found = self.store.read_plan(self.store.staged(action)?, PLAN, &plan_name(action))?;
                found.ok_or_else(|| damaged(action, "there is none"))?.0
            }
        };
        if plan.since != self.counter {
            return Err(CommitError::Outdated { action, commits: self.counter.saturating_sub(plan.since) });
        }
        self.relabel(&mut plan, label)?;
        let parts = self.parts(action, &plan)?;
        if !self.fresh.contains(&action) {
            parts.iter().try_for_each(|part| staged_is_whole(action, part))?;
        }
        let stamps = match self.prepare(action, &plan, &parts, note) {
            Ok(stamps) => stamps,
            Err(error) => {
                // The first error is the one to tell; what could not be removed now is removed at the next `open`.
                let _ = self.forget_preparation(action);
                return Err(error);
            }
        };
        self.point(Point::Journaled);
        self.carry_out(action, &parts, &stamps)?;
        self.finish(action, &plan).map_err(|error| self.tear(action, &error, false))?;
        Ok(Committed { undoable: plan.effects.undoable, forgotten: self.expire(Some(action))? })
    }

    /// Everything up to the journal.
    fn prepare(
        &mut self,
        action: u64,
        plan: &Plan,
        parts: &[Part<'_>],
        note: &[u8],
    ) -> Result<Vec<Stamps>, CommitError> {
        let mut keeper = match plan.effects.undoable {
            true => Some(Keeper::begin(&self.store, action)?),
            false => None,
        };
        let mut all = check(parts, keeper.as_mut())?;
        let stamps = all.iter_mut().map(|checked| std::mem::take(&mut checked.stamps)).collect();
        let [checked, ..] = &mut all[..] else { return Err(damaged(action, "it has no part").into()) };
        if KeptLinks::changed(&self.store, plan).unwrap_or(true) {
            let paths =
                checked.kept.iter().filter(|kept| kept.delta.after.as_ref().is_some_and(|after| after.links > 1));
            let conflict = |kept: &Kept| Conflict { path: kept.delta.path.clone(), kind: ConflictKind::Changed };
            return Err(CommitError::Conflict(paths.map(conflict).collect()));
        }
        parts.iter().try_for_each(|part| back_up(part.plan, &part.staged))?;
        if let Some(keeper) = &keeper {
            self.kept_links.keep(action, plan, &mut checked.kept, &self.workspace, keeper.dir())?;
        }
        let mut files: Vec<File> = Vec::new();
        let mut bytes = 0;
        if let Some(keeper) = &mut keeper {
            let lines = parts.iter().zip(all).flat_map(|(part, checked)| {
                let begins = (!part.name.is_empty()).then(|| Line::Root(part.name.to_vec(), 0));
                let touched = part.plan.touched.iter().cloned().map(Line::Touched);
                let labels = part.plan.relabels.iter().cloned().map(Line::Relabel);
                begins.into_iter().chain(checked.kept.into_iter().map(Line::Kept)).chain(touched).chain(labels)
            });
            files.push(self.store.write(keeper.dir(), RECORD, &undo_name(action), lines)?);
            files.append(&mut keeper.written);
            bytes = keeper.bytes + keep::disk_bytes(keeper.dir(), RECORD.as_bytes())?;
        }
        let kept = keeper.map(|keeper| keeper.into_dir());
        self.undo_bytes += bytes;
        self.point(Point::Kept);
        let name = format!("{action}.new");
        remove_file(&self.store.actions, name.as_bytes())?;
        remove_file(&self.store.journal, name.as_bytes())?;
        self.prepare_counter()?;
        let head = record::head(plan);
        let lines = [Line::Head(head.clone()), Line::Note(note.to_vec())].into_iter().chain(record::effect_lines(plan));
        files.push(self.store.write(&self.store.actions, &name, &action_name(action), lines)?);
        let lines = std::iter::once(Line::Head(head)).chain(record::redo_lines(plan));
        files.push(self.store.write(&self.store.journal, &name, &journal_name(action), lines)?);
        self.sync_prepared(&files, parts, kept.as_ref())?;
        self.point(Point::Prepared);
        rename_new(&self.store.journal, name.as_bytes(), &self.store.journal, action.to_string().as_bytes())
            .at("begin the journal of action", name.as_bytes())?;
        rustix::fs::fsync(&self.store.journal).at("sync", b"the journal")?;
        Ok(stamps)
    }

    fn sync_prepared(&self, files: &[File], parts: &[Part<'_>], kept: Option<&OwnedFd>) -> Result<(), Failed> {
        let [Part { staged, .. }, others @ ..] = parts else { return Ok(()) };
        others.iter().try_for_each(Part::sync_whole)?;
        let mut nodes = Vec::new();
        if files.len() > SYNC_ONE_BY_ONE_MAX || !few_nodes(staged, &mut nodes)? {
            return self.store.sync_whole();
        }
        let store = &self.store;
        let mut all: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).chain(nodes.iter().map(AsFd::as_fd)).collect();
        all.extend([staged.as_fd(), store.staging.as_fd(), store.actions.as_fd(), store.journal.as_fd()]);
        if let Some(kept) = kept {
            all.extend([kept.as_fd(), store.contents.as_fd(), store.undo.as_fd()]);
        }
        store.sync_all(&all)
    }

    /// Takes back what was prepared for a commit that does not come.
    pub(crate) fn forget_preparation(&mut self, action: u64) -> Result<(), Failed> {
        let name = format!("{action}.new");
        remove_file(&self.store.journal, name.as_bytes())?;
        remove_file(&self.store.actions, name.as_bytes())?;
        keep::forget(&self.store, action)?;
        self.kept_links.forget(action);
        self.undo_bytes = keep::total_bytes(&self.store)?;
        Ok(())
    }

    /// The steps. What can't be done takes all back.
    fn carry_out(&mut self, action: u64, parts: &[Part<'_>], stamps: &[Stamps]) -> Result<(), CommitError> {
        let error = match self.apply(parts, stamps) {
            Ok(None) => return Ok(()),
            Ok(Some(conflict)) => CommitError::Conflict(vec![conflict]),
            Err(failed) => CommitError::Io(failed),
        };
        match self.take_back(action, parts) {
            Ok(()) => Err(error),
            Err(failed) => Err(self.tear(action, &failed, true).into()),
        }
    }

    fn apply(&mut self, parts: &[Part<'_>], stamps: &[Stamps]) -> Result<Option<Conflict>, Failed> {
        parts.iter().try_for_each(|part| part.apply().open_up(part.plan))?;
        let mut number = 0;
        for (at, part) in parts.iter().enumerate() {
            // Files that a step has changed in place, as it left them: another may take a further name of one away.
            let mut changed: BTreeMap<u64, Stamp> = BTreeMap::new();
            for step in &part.plan.steps {
                let displaced = stamps.get(at).and_then(|stamps| stamps.get(&step.path));
                let displaced = displaced.map(|stamp| *changed.get(&stamp.inode).unwrap_or(stamp));
                if !part.apply().forward(step, displaced)? {
                    return Ok(Some(Conflict { path: part.shown(&step.path), kind: ConflictKind::Changed }));
                }
                if matches!(step.op, Op::Overwrite { .. } | Op::Meta { .. }) {
                    let (dir, name) = part.apply().parent(&step.path)?;
                    let now = beneath::look(dir, name).at("look at", &step.path)?.map(|stat| Stamp::of(&stat));
                    changed.extend(now.map(|now| (now.inode, now)));
                }
                number += 1;
                self.point(Point::Step(number));
            }
        }
        parts.iter().try_for_each(|part| part.apply().settle(part.plan, true))?;
        self.point(Point::Applied);
        self.sync_applied(parts)?;
        self.point(Point::Synced);
        self.give_labels(parts)?;
        self.point(Point::Labelled);
        Ok(None)
    }

    fn sync_applied(&self, parts: &[Part<'_>]) -> Result<(), Failed> {
        let [own, others @ ..] = parts else { return Ok(()) };
        others.iter().try_for_each(Part::sync_whole)?;
        if own.plan.touched.len() >= SYNC_ONE_BY_ONE_MAX {
            return self.store.sync_whole();
        }
        let dirs = own.apply().touched(own.plan)?;
        let mut all: Vec<BorrowedFd<'_>> = dirs.iter().map(AsFd::as_fd).collect();
        all.push(own.staged.as_fd());
        self.store.sync_all(&all)
    }

    /// Takes a commit back that has begun. It is staged still.
    pub(crate) fn take_back(&mut self, action: u64, parts: &[Part<'_>]) -> Result<(), Failed> {
        for part in parts.iter().rev() {
            let apply = part.apply();
            apply.open_up(part.plan)?;
            part.plan.steps.iter().rev().try_for_each(|step| apply.backward(step, action))?;
            apply.settle(part.plan, false)?;
            part.sync_whole()?;
        }
        self.give_labels_back(parts)?;
        self.store.sync_whole()?;
        remove_file(&self.store.journal, action.to_string().as_bytes())?;
        rustix::fs::fsync(&self.store.journal).at("sync", b"the journal")?;
        self.forget_preparation(action)
    }

    /// Does the steps of a journal that a crash left.
    pub(crate) fn redo(&mut self, parts: &[Part<'_>]) -> Result<(), Failed> {
        self.apply(parts, &[]).map(drop)
    }

    /// Everything behind the steps: the record, then nothing is left of the commit but it.
    pub(crate) fn finish(&mut self, action: u64, plan: &Plan) -> Result<(), Failed> {
        let undo_of = plan.undo_of;
        let (name, record) = (action.to_string(), record_name(action, undo_of));
        let new = format!("{action}.new");
        rustix::fs::renameat(&self.store.actions, new.as_bytes(), &self.store.actions, record.as_bytes())
            .at("record action", name.as_bytes())?;
        self.count(plan.since + 1)?;
        rustix::fs::fsync(&self.store.actions).at("sync", b"the actions")?;
        let kept = beneath::look(&self.store.undo, name.as_bytes()).at("look at", name.as_bytes())?.is_some();
        self.known.insert(action, Known { standing: Standing::Committed { undo_of }, kept, at_s: node::now().s });
        self.no_more_staged(action);
        self.point(Point::Recorded);
        remove_file(&self.store.journal, name.as_bytes())?;
        self.point(Point::Closed);
        self.leave(action)?;
        // Nobody is to see a file with a name more than it has in the workspace.
        if plan.has_shared_files() || plan.others.iter().any(|(_, part)| part.has_shared_files()) {
            self.tidy_all()?;
        }
        Ok(())
    }
}

/// Compares each part with what is there. With a keeper, what is replaced is kept.
fn check(parts: &[Part<'_>], mut keeper: Option<&mut Keeper<'_>>) -> Result<Vec<Checked>, CommitError> {
    let (mut all, mut conflicts) = (Vec::new(), Vec::new());
    for part in parts {
        match Checker::new(&part.top, keeper.as_deref_mut()).check(part.plan) {
            Ok(checked) => all.push(checked),
            Err(CommitError::Conflict(found)) => conflicts.extend(conflicts_in(part.name, found)),
            Err(error) => return Err(error),
        }
    }
    if conflicts.is_empty() { Ok(all) } else { Err(CommitError::Conflict(conflicts)) }
}

fn damaged(action: u64, why: &str) -> AreaError {
    AreaError::Damaged { what: plan_name(action), why: why.to_owned() }
}

/// Copies the content of each file that will be written in place.
fn back_up(plan: &Plan, staged: &OwnedFd) -> Result<(), Failed> {
    for step in &plan.steps {
        let Op::Overwrite { target, backup, .. } = &step.op else { continue };
        let (target, backup) = (slot_name(*target), slot_name(*backup));
        beneath::remove_tree(staged, backup.as_bytes())?;
        let stat = beneath::look(staged, target.as_bytes()).at("look at", &step.path)?;
        let stat = stat.ok_or(rustix::io::Errno::NOENT).at("look at", &step.path)?;
        let from = File::from(beneath::open_owned(staged, target.as_bytes(), &stat).at("open", &step.path)?);
        let to = beneath::create(staged, backup.as_bytes()).at("back up", &step.path)?;
        content::copy(&from, &to).at("back up", &step.path)?;
    }
    Ok(())
}

/// Opens all files and directories of a tree; `false` when there are too many to sync them one by one.
fn few_nodes(dir: &OwnedFd, found: &mut Vec<OwnedFd>) -> Result<bool, Failed> {
    for name in beneath::names(dir).at("list", b"staging")? {
        let Some(stat) = beneath::look(dir, &name).at("look at", &name)? else { continue };
        let kind = beneath::file_type(&stat);
        if found.len() == SYNC_ONE_BY_ONE_MAX {
            return Ok(false);
        }
        if kind == rustix::fs::FileType::Symlink {
            continue;
        }
        let (fd, _widened) = node::open(dir, &name, &stat).at("open", &name)?;
        let fine = kind != rustix::fs::FileType::Directory || few_nodes(&fd, found)?;
        found.push(fd);
        if !fine {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What was staged by another process may have been lost with the power.
fn staged_is_whole(action: u64, part: &Part<'_>) -> Result<(), CommitError> {
    let Part { plan, staged, .. } = part;
    let mut slots: BTreeMap<&[u8], String> = BTreeMap::new();
    for step in &plan.steps {
        match &step.op {
            Op::Create { slot } | Op::Replace { slot, .. } => drop(slots.insert(&step.path, slot_name(*slot))),
            Op::Overwrite { content, .. } => drop(slots.insert(&step.path, slot_name(*content))),
            Op::Delete { .. } | Op::Meta { .. } => {}
        }
    }
    // One more name of a file of the workspace does not have its new content before the commit.
    let linked: BTreeSet<u64> = plan.relied_on.iter().map(|(_, image)| image.inode).collect();
    let mut parents = Parents::new(staged);
    for delta in &plan.deltas {
        let Some(after) = &delta.after else { continue };
        let mut above = delta.path.as_slice();
        while !slots.contains_key(above) && !above.is_empty() {
            above = beneath::split(above).0;
        }
        let Some(slot) = slots.get(above) else { continue };
        let path = [slot.as_bytes(), &delta.path[above.len()..]].concat();
        let (parent, name) = beneath::split(&path);
        let whole = parents
            .get(parent)
            .ok()
            .and_then(|dir| node::read(dir, name, &delta.path, Look::Whole).ok().flatten())
            .is_some_and(|found| {
                let same = found.image.kind == after.kind && found.image.same_content(after);
                same || linked.contains(&found.image.inode)
            });
        if !whole {
            return Err(damaged(action, "a staged file is not what was staged").into());
        }
    }
    Ok(())
}
