//! What `open` does before anything else: finishes commits that a crash interrupted, removes what was never whole.

use rustix::fs::AtFlags;

use crate::area::{Area, Known, PLAN, Recovered, Standing, journal_name, record_name};
use crate::beneath;
use crate::error::{AreaError, At, Failed};
use crate::keep;
use crate::store::remove_file;

impl Area {
    pub(crate) fn recover(&mut self) -> Result<Recovered, AreaError> {
        let mut recovered = Recovered::default();
        self.find_actions()?;
        self.find_counter()?;
        for name in beneath::names(&self.store.journal).at("list", b"journal")? {
            match number(&name) {
                Some(action) => self.resume(action, &mut recovered)?,
                // A commit that had not begun.
                None => remove_file(&self.store.journal, &name)?,
            }
        }
        self.remove_new(&mut recovered)?;
        // Whoever worked over these is gone with the process that made them.
        for name in beneath::names(&self.store.frozen).at("list", b"frozen")? {
            beneath::remove_tree(&self.store.frozen, &name)?;
        }
        Ok(recovered)
    }

    /// Reads what there is from the names of the store's files.
    fn find_actions(&mut self) -> Result<(), AreaError> {
        for name in beneath::names(&self.store.actions).at("list", b"actions")? {
            let Some((action, standing)) = standing(&name) else { continue };
            let stat = beneath::look(&self.store.actions, &name).at("look at", &name)?;
            let at_s = stat.map_or(0, |stat| stat.st_mtime);
            self.known.insert(action, Known { standing, kept: false, at_s });
        }
        for name in beneath::names(&self.store.staging).at("list", b"staging")? {
            let Some(action) = number(&name) else { continue };
            let dir = beneath::open_dir(&self.store.staging, &name).at("open", &name)?;
            let has_plan = beneath::look(&dir, PLAN.as_bytes()).at("look at", &name)?.is_some();
            if has_plan && !self.known.contains_key(&action) {
                self.known.insert(action, Known { standing: Standing::Staged, kept: false, at_s: 0 });
            }
        }
        for name in beneath::names(&self.store.undo).at("list", b"undo")? {
            let Some(action) = number(&name) else { continue };
            let dir = beneath::open_dir(&self.store.undo, &name).at("open", &name)?;
            let has_record = beneath::look(&dir, keep::RECORD.as_bytes()).at("look at", &name)?.is_some();
            if let Some(known) = self.known.get_mut(&action) {
                known.kept = has_record && known.standing != Standing::Staged;
            }
        }
        Ok(())
    }

    /// A commit that had begun: it is done already, is finished now, or is taken back when it can't be.
    fn resume(&mut self, action: u64, recovered: &mut Recovered) -> Result<(), AreaError> {
        let name = action.to_string();
        let found = self.store.read_plan(&self.store.journal, &name, &journal_name(action))?;
        if let Some(Known { standing: Standing::Committed { .. }, .. }) = self.known.get(&action) {
            if let Some((plan, _)) = &found {
                self.count(plan.since + 1)?;
                rustix::fs::fsync(&self.store.actions).at("sync", b"the actions")?;
            }
            remove_file(&self.store.journal, name.as_bytes())?;
            recovered.finished.push(action);
            return Ok(());
        }
        let Some((plan, _)) = found else { return Ok(()) };
        let parts = self.parts(action, &plan)?;
        match self.redo(&parts) {
            Ok(()) => {
                self.finish(action, &plan)?;
                recovered.finished.push(action);
            }
            Err(why) => {
                let torn = |failed: Failed| AreaError::Torn { action, why: format!("{why}; {failed}") };
                self.take_back(action, &parts).map_err(torn)?;
                recovered.rolled_back.push(action);
            }
        }
        Ok(())
    }

    /// Removes what belongs to no action.
    fn remove_new(&mut self, recovered: &mut Recovered) -> Result<(), AreaError> {
        for name in beneath::names(&self.store.actions).at("list", b"actions")? {
            if name.ends_with(b".new") {
                remove_file(&self.store.actions, &name)?;
            }
        }
        for name in beneath::names(&self.store.staging).at("list", b"staging")? {
            let known = number(&name).and_then(|action| self.known.get(&action).map(|known| known.standing));
            if known != Some(Standing::Staged) {
                beneath::remove_tree(&self.store.staging, &name)?;
            }
            if let (None, Some(action)) = (known, number(&name)) {
                recovered.dropped.push(action);
            }
        }
        for root in &self.roots {
            for name in beneath::names(&root.staging).at("list", b"staging")? {
                let known = number(&name).and_then(|action| self.known.get(&action).map(|known| known.standing));
                if known != Some(Standing::Staged) {
                    beneath::remove_tree(&root.staging, &name)?;
                }
            }
        }
        for name in beneath::names(&self.store.undo).at("list", b"undo")? {
            let Some(action) = number(&name) else { continue };
            if !self.known.get(&action).is_some_and(|known| known.kept) {
                keep::forget(&self.store, action)?;
            }
        }
        for name in beneath::names(&self.store.contents).at("list", b"contents")? {
            if name.ends_with(b".new") {
                rustix::fs::unlinkat(&self.store.contents, &name[..], AtFlags::empty()).at("remove", &name)?;
            } else {
                keep::drop_unneeded(&self.store, &name)?;
            }
        }
        Ok(())
    }
}

/// A name that is an action's number.
fn number(name: &[u8]) -> Option<u64> {
    std::str::from_utf8(name).ok()?.parse().ok().filter(|number: &u64| number.to_string().as_bytes() == name)
}

/// What the name of a file in `actions` says.
fn standing(name: &[u8]) -> Option<(u64, Standing)> {
    if let Some(action) = name.strip_suffix(b".discarded") {
        return Some((number(action)?, Standing::Discarded));
    }
    let (action, undo_of) = match name.iter().position(|byte| *byte == b'-') {
        Some(at) => (number(&name[..at])?, Some(number(&name[at + 1..])?)),
        None => (number(name)?, None),
    };
    debug_assert_eq!(record_name(action, undo_of).as_bytes(), name);
    Some((action, Standing::Committed { undo_of }))
}
