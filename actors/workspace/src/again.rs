//! Staged actions that nobody will settle: forgotten without a trace, so that the same action can be staged again.

use crate::area::{Area, Standing};
use crate::error::AreaError;

impl Area {
    /// Forgets all that is staged: of a process before this one.
    pub fn unstage_all(&mut self) -> Result<Vec<u64>, AreaError> {
        let staged = |(id, known): (&u64, &crate::area::Known)| (known.standing == Standing::Staged).then_some(*id);
        let all: Vec<u64> = self.known.iter().filter_map(staged).collect();
        all.iter().try_for_each(|action| self.unstage(*action))?;
        Ok(all)
    }
}
