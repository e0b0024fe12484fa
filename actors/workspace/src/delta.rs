//! What differs: noted for the commit, and shown.

use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;

use crate::beneath;
use crate::diff::Text;
use crate::effects::{ChangeKind, Effect, NodeKind};
use crate::error::{At, StageError};
use crate::node::{Found, Image};
use crate::plan::{Delta, Slot};
use crate::planner::{Planner, Spot};
use crate::store::slot_name;

impl Planner<'_> {
    /// Notes that a node is created, changed or deleted. `content`: the new file.
    pub(crate) fn delta(
        &mut self,
        spot: &Spot<'_>,
        before: Option<&Found>,
        after: Option<&Image>,
        in_place: bool,
        content: Option<Slot>,
    ) -> Result<(), StageError> {
        if self.plan.deltas.len() >= self.limits.changes_max {
            return Err(self.over("changed files", spot.path, self.limits.changes_max as u64));
        }
        let old = before.map(|found| &found.image);
        let rewritten = |image: &&Image| image.kind == NodeKind::File && old.is_none_or(|old| !old.same_content(image));
        self.plan.effects.bytes_written += after.filter(rewritten).map_or(0, |image| image.bytes);
        self.kept_bytes += 512 + old.map_or(0, |old| old.bytes);
        if self.plan.effects.list.len() < self.limits.effects_listed_max {
            let effect = self.effect(spot, before, after, in_place, content)?;
            self.plan.effects.list.push(effect);
        } else {
            self.plan.effects.more += 1;
            self.plan.effects.more_deleted += u64::from(after.is_none());
        }
        let delta = Delta { path: spot.path.to_vec(), before: old.cloned(), after: after.cloned(), in_place };
        self.plan.deltas.push(delta);
        Ok(())
    }

    fn effect(
        &mut self,
        spot: &Spot<'_>,
        before: Option<&Found>,
        after: Option<&Image>,
        in_place: bool,
        content: Option<Slot>,
    ) -> Result<Effect, StageError> {
        let old = before.map(|found| &found.image);
        let is_file = |image: &&Image| image.kind == NodeKind::File;
        let unchanged = matches!((old, after), (Some(old), Some(after)) if old.same_content(after));
        let old_text = match before {
            Some(Found { content: Some(bytes), .. }) => Text::Read(bytes),
            Some(Found { fd: Some(fd), image, .. }) if is_file(&image) => Text::Unread(fd, image.bytes),
            _ => Text::None,
        };
        let new_file = match (content, after.filter(is_file)) {
            (Some(slot), Some(image)) if !unchanged => Some((slot, image.bytes)),
            _ => None,
        };
        let unread = match new_file {
            Some((slot, _)) if self.remembered.of_slot(slot).is_none() => Some(self.open_slot(slot, spot.path)?),
            _ => None,
        };
        let new_text = match (new_file, &unread) {
            (Some((_, bytes)), Some(fd)) => Text::Unread(fd, bytes),
            (Some((slot, _)), None) => self.remembered.of_slot(slot).map_or(Text::None, Text::Read),
            (None, _) => Text::None,
        };
        let diff = if unchanged { None } else { self.diffs.of(spot.path, &old_text, &new_text) };
        let binary = !unchanged && diff.is_none() && self.diffs.was_binary();
        let what = after.or(old).map_or(NodeKind::File, |image| image.kind);
        let change = match (old, after) {
            (None, _) => ChangeKind::Created,
            (Some(_), Some(_)) => ChangeKind::Changed,
            (Some(_), None) => ChangeKind::Deleted,
        };
        let other_names = if in_place && what == NodeKind::File { old.map_or(0, |old| old.links - 1) } else { 0 };
        let target = after.or(old).filter(|image| image.kind == NodeKind::Symlink).map(|image| image.target.clone());
        let (before, after) = (old.map(Image::side), after.map(Image::side));
        Ok(Effect { path: spot.path.to_vec(), change, what, before, after, other_names, diff, binary, target })
    }

    fn open_slot(&self, slot: Slot, path: &[u8]) -> Result<OwnedFd, StageError> {
        let name = slot_name(slot);
        let stat = rustix::fs::statat(self.staged, &name, AtFlags::SYMLINK_NOFOLLOW).at("look at", path)?;
        Ok(beneath::open_owned(self.staged, name.as_bytes(), &stat).at("open", path)?)
    }
}
