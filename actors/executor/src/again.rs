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

/// Carries `call` out, again when it is outdated at its end, which `again` is told.
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
    again: impl AsyncFn(),
) -> Result<ToolOutcome, HandsError> {
    for _ in 0..REHEARSALS_MAX {
        let since = area.borrow_mut().begin_rehearsal(action);
        let outcome = carry_out(hands, area, action, call.clone(), cancel, &stream).await?;
        match unstage_outdated(&mut area.borrow_mut(), action, since, &outcome) {
            Ok(true) => {}
            Ok(false) => return Ok(outcome),
            Err(why) => return Ok(failed(&why)),
        }
        again().await;
        stream(true, AGAIN);
    }
    Ok(failed(&format!(
        "the workspace was changed during each of {REHEARSALS_MAX} rehearsals; nothing was changed by this: ask again when \
         less is going on"
    )))
}

/// Unstages it, if something was committed since.
fn unstage_outdated(area: &mut Area, action: u64, since: u64, outcome: &ToolOutcome) -> Result<bool, String> {
    if outcome.standing != Standing::Staged || area.counter() == since {
        return Ok(false);
    }
    area.unstage(action).map_err(|error| error.to_string())?;
    Ok(true)
}
