//! What a commit replaced is removed behind its answer: the commit is durable and recorded before that. What is left of it
//! is removed before the store does anything else.

use std::os::fd::OwnedFd;

use crate::area::Area;
use crate::beneath::Removal;
use crate::error::{At, Failed};
use crate::plan::{Delta, Plan};
use crate::point::Point;

/// What is still to be removed.
#[derive(Default)]
pub(crate) struct Remains {
    /// Staging directories of actions that were committed, each with what it is in.
    left: Vec<(OwnedFd, String)>,
    /// The one that is being removed.
    begun: Option<Removal>,
}

impl Plan {
    /// The staging directory may have names of files that have names in the workspace.
    pub(crate) fn has_shared_files(&self) -> bool {
        let several = |delta: &Delta| delta.before.as_ref().is_some_and(|before| before.links > 1);
        !self.relied_on.is_empty() || !self.relied_links.is_empty() || self.deltas.iter().any(several)
    }
}

impl Area {
    /// Removes at most so many nodes of what commits replaced. True: there is nothing more. To be called while nobody waits;
    /// what is left when the workspace is looked at again is removed then.
    ///
    /// # Errors
    /// What could not be removed is tried again by the next call.
    pub fn tidy(&mut self, nodes: usize) -> Result<bool, Failed> {
        if self.remains.left.is_empty() {
            return Ok(true);
        }
        while let Some((staging, name)) = self.remains.left.last() {
            let begun = match &mut self.remains.begun {
                Some(begun) => Some(begun),
                None => {
                    self.remains.begun = Removal::begin(staging, name.as_bytes())?;
                    self.remains.begun.as_mut()
                }
            };
            match begun.map_or(Ok(true), |begun| begun.step(nodes)) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(failed) => {
                    self.remains.begun = None;
                    return Err(failed);
                }
            }
            self.remains.begun = None;
            self.remains.left.pop();
        }
        self.kept_links.drop_last(&self.store)?;
        self.point(Point::Cleaned);
        Ok(true)
    }

    /// Removes all of it, now.
    pub(crate) fn tidy_all(&mut self) -> Result<(), Failed> {
        self.tidy(usize::MAX).map(drop)
    }

    /// What is staged of an action, everywhere, is to be removed.
    pub(crate) fn leave(&mut self, action: u64) -> Result<(), Failed> {
        let name = action.to_string();
        for staging in std::iter::once(&self.store.staging).chain(self.roots.iter().map(|root| &root.staging)) {
            let staging = rustix::io::fcntl_dupfd_cloexec(staging, 0).at("open what is staged of", name.as_bytes())?;
            self.remains.left.push((staging, name.clone()));
        }
        Ok(())
    }
}
