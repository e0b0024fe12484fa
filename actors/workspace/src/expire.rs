//! What the store forgets: what an undo needs, when it is too old or too much; records, when there are too many. Oldest
//! first.

use crate::area::{Area, Standing, record_name};
use crate::error::AreaError;
use crate::store::remove_file;
use crate::{keep, node};

impl Area {
    /// Forgets. The actions that can't be undone any more; `but` is not among them.
    pub(crate) fn expire(&mut self, but: Option<u64>) -> Result<Vec<u64>, AreaError> {
        let mut forgotten = Vec::new();
        let oldest_s = node::now().s.saturating_sub(i64::try_from(self.limits.undo_age_max_s).unwrap_or(i64::MAX));
        for (at_s, action) in self.by_age(but, |area, action| area.known.get(&action).is_some_and(|known| known.kept)) {
            if at_s >= oldest_s && self.undo_bytes <= self.limits.undo_bytes_max {
                break;
            }
            self.forget_undo(action)?;
            forgotten.push(action);
        }
        let ended = self.by_age(but, |area, action| {
            area.known.get(&action).is_some_and(|known| known.standing != Standing::Staged)
        });
        let too_many = ended.len().saturating_sub(self.limits.actions_max);
        for (_, action) in ended.into_iter().take(too_many) {
            if self.known.get(&action).is_some_and(|known| known.kept) {
                self.forget_undo(action)?;
                forgotten.push(action);
            }
            self.forget_record(action)?;
        }
        Ok(forgotten)
    }

    fn by_age(&self, but: Option<u64>, is_meant: impl Fn(&Area, u64) -> bool) -> Vec<(i64, u64)> {
        let meant = self.known.iter().filter(|(id, _)| Some(**id) != but && is_meant(self, **id));
        let mut aged: Vec<(i64, u64)> = meant.map(|(id, known)| (known.at_s, *id)).collect();
        aged.sort_unstable();
        aged
    }

    fn forget_undo(&mut self, action: u64) -> Result<(), AreaError> {
        let freed = keep::forget(&self.store, action)?;
        self.undo_bytes = self.undo_bytes.saturating_sub(freed);
        self.kept_links.forget(action);
        if let Some(known) = self.known.get_mut(&action) {
            known.kept = false;
        }
        Ok(())
    }

    fn forget_record(&mut self, action: u64) -> Result<(), AreaError> {
        let Some(known) = self.known.remove(&action) else { return Ok(()) };
        let name = match known.standing {
            Standing::Staged => return Ok(()),
            Standing::Discarded => format!("{action}.discarded"),
            Standing::Committed { undo_of } => record_name(action, undo_of),
        };
        Ok(remove_file(&self.store.actions, name.as_bytes())?)
    }
}
