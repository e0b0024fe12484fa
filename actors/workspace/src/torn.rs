//! A commit that could be neither finished nor taken back: nothing else is done before it is. A disk that writes changed
//! blocks elsewhere (btrfs) may have no room to give a file its old content back; with room again it is taken back then.

use crate::area::{Area, journal_name};
use crate::error::{AreaError, Failed};

/// Which action's, and why.
#[derive(Debug, Clone)]
pub(crate) struct Torn {
    pub action: u64,
    pub why: String,
    /// It was to be taken back, which can be tried again; else the next `open` sees to it.
    back: bool,
}

impl Torn {
    pub fn error(&self) -> AreaError {
        AreaError::Torn { action: self.action, why: self.why.clone() }
    }
}

impl Area {
    /// Notes that a commit was left so. `back`: while it was taken back.
    pub(crate) fn tear(&mut self, action: u64, why: &Failed, back: bool) -> AreaError {
        let torn = Torn { action, why: why.to_string(), back };
        let error = torn.error();
        self.torn = Some(torn);
        error
    }

    /// Tries once more to take back what could not be.
    pub(crate) fn heal(&mut self) -> Result<(), AreaError> {
        let Some(Torn { action, back: true, .. }) = self.torn else { return Ok(()) };
        let Some((plan, _)) = self.store.read_plan(&self.store.journal, &action.to_string(), &journal_name(action))?
        else {
            return Ok(());
        };
        let parts = self.parts(action, &plan)?;
        match self.take_back(action, &parts) {
            Ok(()) => self.torn = None,
            Err(failed) => return Err(self.tear(action, &failed, true)),
        }
        Ok(())
    }
}
