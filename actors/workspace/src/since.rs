//! A layer over a frozen copy becomes a staged action, and what was changed in the workspace since the copy was made is
//! told: the plan is made against the workspace as it is, so it alone would not show that.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::area::{Area, PLAN, plan_name};
use crate::beneath;
use crate::effects::{Effects, NodeKind};
use crate::error::{At, Conflict, ConflictKind, Failed, StageError};
use crate::node::{self, Image, Look};
use crate::parents::Parents;
use crate::plan::Plan;

/// A layer over a frozen copy, staged.
pub struct Since {
    /// What it changes in the workspace as it is now.
    pub effects: Effects,
    /// Paths it changes that are not what they were when the copy was made. With any, the action must not be committed.
    pub conflicts: Vec<Conflict>,
}

impl Area {
    /// Stages as [`Area::stage`] does what was written over the copy that [`Area::freeze`] made for this action.
    ///
    /// # Errors
    /// As [`Area::stage`]; nothing is staged then.
    pub fn stage_since(&mut self, action: u64, layer: &mut impl Read) -> Result<Since, StageError> {
        let name = action.to_string();
        let frozen =
            beneath::open_dir(&self.store.frozen, name.as_bytes()).at("open the copy of action", name.as_bytes())?;
        let effects = self.stage(action, layer)?;
        let staged = self.store.staged(action)?;
        let found = self.store.read_plan(staged, PLAN, &plan_name(action)).map_err(StageError::from);
        let conflicts = found.and_then(|plan| match plan {
            Some((plan, _)) => changed_since(&plan, &frozen),
            None => Ok(Vec::new()),
        });
        match conflicts {
            Ok(conflicts) => Ok(Since { effects, conflicts }),
            Err(error) => {
                self.discard(action)?;
                Err(error)
            }
        }
    }
}

fn changed_since(plan: &Plan, frozen: &OwnedFd) -> Result<Vec<Conflict>, StageError> {
    let mut parents = Parents::new(frozen);
    let mut conflicts = Vec::new();
    let before = plan.deltas.iter().map(|delta| (&delta.path, delta.before.as_ref()));
    for (path, now) in before.chain(plan.relied_on.iter().map(|(path, image)| (path, Some(image)))) {
        let then = read(&mut parents, path)?;
        let kind = match (&then, now) {
            (None, None) => continue,
            (Some(then), Some(now)) if is_same(then, now) => continue,
            (Some(_), Some(_)) => ConflictKind::Changed,
            (None, Some(_)) => ConflictKind::Appeared,
            (Some(_), None) => ConflictKind::Vanished,
        };
        conflicts.push(Conflict { path: path.clone(), kind });
    }
    Ok(conflicts)
}

fn is_same(then: &Image, now: &Image) -> bool {
    then.is_like(now) && then.meta.xattrs == now.meta.xattrs
}

fn read(parents: &mut Parents<'_>, path: &[u8]) -> Result<Option<Image>, StageError> {
    let (above, name) = beneath::split(path);
    let dir = match parents.get(above) {
        Ok(dir) => dir,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(Failed::new("open", above, errno).into()),
    };
    let found = node::read(dir, name, path, Look::Whole)?;
    Ok(found.map(|found| match found.image.kind {
        NodeKind::File | NodeKind::Directory | NodeKind::Symlink => found.image,
    }))
}
