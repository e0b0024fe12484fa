//! How often the workspace was committed to. A rehearsal reads the workspace through an overlay, which keeps no record of
//! what was read: so any commit since it began may have changed what it would do, and it is rehearsed again.
//!
//! The number is the name of an empty file among the records of actions, so that it is on the disk together with the record of
//! the commit it counts.

use rustix::fs::{Mode, OFlags};

use crate::area::{Area, Standing};
use crate::beneath;
use crate::error::{AreaError, At, Failed};
use crate::limits::REHEARSING_MAX;

const PREFIX: &str = "commits.";

fn name(number: u64) -> String {
    // As long for every number: a directory without room for a longer name must not fail a commit that has begun.
    format!("{PREFIX}{number:020}")
}

impl Area {
    /// How often the workspace was committed to.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Notes that an action's rehearsal begins: to be called before its sandbox sees the workspace. What is staged of it is out
    /// of date once anything else has been committed since. Without this call it counts from when it is staged.
    /// How often the workspace was committed to until now.
    pub fn begin_rehearsal(&mut self, action: u64) -> u64 {
        // What fails is tried again, and told, by who stages.
        let _ = self.tidy_all();
        self.rehearsing.insert(action, self.counter);
        // What was never staged is not waited for.
        while self.rehearsing.len() > REHEARSING_MAX {
            self.rehearsing.pop_first();
        }
        self.counter
    }

    /// Forgets what is staged of an action, so that it can be rehearsed and staged again.
    pub fn unstage(&mut self, action: u64) -> Result<(), AreaError> {
        self.heal()?;
        self.whole()?;
        if self.known.get(&action).map(|known| known.standing) != Some(Standing::Staged) {
            return Ok(());
        }
        self.remove_staged(action)?;
        self.known.remove(&action);
        self.no_more_staged(action);
        Ok(())
    }

    /// What the store says, at `open`.
    pub(crate) fn find_counter(&mut self) -> Result<(), Failed> {
        let names = beneath::names(&self.store.actions).at("list", b"actions")?;
        let count = |found: &Vec<u8>| std::str::from_utf8(found).ok()?.strip_prefix(PREFIX)?.parse().ok();
        self.counter = names.iter().filter_map(count).max().unwrap_or(0);
        Ok(())
    }

    /// Before a commit's journal: there is a name to be changed, which takes no room.
    pub(crate) fn prepare_counter(&self) -> Result<(), Failed> {
        let (name, flags) = (name(self.counter), OFlags::RDWR | OFlags::CREATE);
        let mode = Mode::RUSR | Mode::WUSR;
        beneath::open(&self.store.actions, name.as_bytes(), flags, mode).at("create", name.as_bytes()).map(drop)
    }

    /// Counts a commit, unless a recovery has done so. On the disk with what is synced next.
    pub(crate) fn count(&mut self, number: u64) -> Result<(), Failed> {
        if number > self.counter {
            let (old, new, actions) = (name(self.counter), name(number), &self.store.actions);
            match rustix::fs::renameat(actions, &old, actions, &new) {
                // Of a store whose first commit was before there was a counter.
                Err(rustix::io::Errno::NOENT) => {
                    self.prepare_counter()?;
                    rustix::fs::renameat(actions, &old, actions, &new).at("count", new.as_bytes())?;
                }
                other => other.at("count", new.as_bytes())?,
            }
            self.counter = number;
        }
        Ok(())
    }
}
