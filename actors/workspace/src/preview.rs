//! What an undo would do, without an action of its own: staged, looked at, removed.

use std::collections::BTreeMap;

use crate::area::{Area, Standing, State};
use crate::error::{AreaError, UndoError};
use crate::limits::CHANGERS_SOUGHT_MAX;
use crate::undo::Undo;

/// No action ever has this number.
const PREVIEW: u64 = u64::MAX;

impl Area {
    /// What [`Area::stage_undo`] would stage, or which conflicts it has. Nothing is left of it, in the store either.
    pub fn preview_undo(&mut self, action: u64) -> Result<Undo, UndoError> {
        // Of one that a crash interrupted.
        self.unstage(PREVIEW)?;
        let undo = self.stage_undo(action, PREVIEW)?;
        self.unstage(PREVIEW)?;
        Ok(undo)
    }

    /// Which later action that still stands last changed each of these paths, as far as the newest records say.
    pub fn changers(&self, paths: &[Vec<u8>], after: u64) -> Result<BTreeMap<Vec<u8>, u64>, AreaError> {
        let mut found = BTreeMap::new();
        let committed = |standing: Standing| matches!(standing, Standing::Committed { .. });
        let later = self.known.iter().rev().take_while(|(id, _)| **id > after);
        let later: Vec<u64> = later.filter(|(_, known)| committed(known.standing)).map(|(id, _)| *id).collect();
        for action in later.into_iter().take(CHANGERS_SOUGHT_MAX) {
            if !matches!(self.state(action), State::Committed { .. }) {
                continue;
            }
            for effect in self.effects(action)?.unwrap_or_default().list {
                if paths.contains(&effect.path) {
                    found.entry(effect.path).or_insert(action);
                }
            }
            if found.len() == paths.len() {
                break;
            }
        }
        Ok(found)
    }
}
