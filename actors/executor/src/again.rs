//! A rehearsal that something was committed beside is run again: its command may have read what was before.

use std::cell::RefCell;

use schema::effects::Standing;
use schema::tool::{Admitted, ToolOutcome};
use tokio::sync::Notify;
use workspace::Area;

use crate::action::carry_out;
use crate::hands::{Hands, HandsError};
use crate::ledger::failed;
use crate::limits::REHEARSALS_MAX;

const AGAIN: &[u8] = b"chela: the workspace was changed meanwhile; this is run again\n";

/// Carries `call` out, again when it is outdated at its end.
///
/// # Errors
/// As [`carry_out`].
pub async fn rehearse(
    hands: &Hands,
    area: &RefCell<Area>,
    action: u64,
    call: Admitted,
    cancel: &Notify,
    stream: impl Fn(bool, &[u8]),
) -> Result<ToolOutcome, HandsError> {
    for _ in 0..REHEARSALS_MAX {
        let since = area.borrow_mut().begin_rehearsal(action);
        let outcome = carry_out(hands, area, action, call.clone(), cancel, &stream).await?;
        let mut area = area.borrow_mut();
        if outcome.standing != Standing::Staged || area.counter() == since {
            return Ok(outcome);
        }
        if let Err(error) = area.unstage(action) {
            return Ok(failed(&error.to_string()));
        }
        stream(true, AGAIN);
    }
    Ok(failed(&format!(
        "the workspace was changed during each of {REHEARSALS_MAX} rehearsals; nothing was changed by this: ask again when \
         less is going on"
    )))
}
