//! Actions that an executor before this one had. A rehearsal has changed nothing, so what was not settled is rehearsed
//! again; what was is answered from the store, which says what is real.

use schema::codec;
use schema::effects::{Effects, Standing};
use schema::label::Label;
use schema::tool::{Ended, ToolOutcome};
use workspace::{Area, State};

use crate::area::effects;
use crate::ledger::failed;
use crate::limits::NOTE_BYTES;

/// What is noted beside a commit: the outcome, whose effects the store has anyway, and the label that it is given.
pub fn note(outcome: &ToolOutcome, label: Label) -> Vec<u8> {
    let effects = Effects::default();
    let bare = ToolOutcome { effects, standing: Standing::Committed, wrote: Some(label), ..outcome.clone() };
    // What has no room is not noted: that the action is real is known without.
    codec::encode(&bare, NOTE_BYTES).unwrap_or_default()
}

/// What came of an action that is real; `None`: nothing is.
pub fn real(area: &Area, action: u64) -> Option<ToolOutcome> {
    match area.state(action) {
        State::Committed { .. } | State::Undone { .. } => Some(committed(area, action)),
        State::Discarded | State::Staged | State::Unknown => None,
    }
}

/// What came of an action that is settled; `None`: it is to be rehearsed, for the first time or again.
pub fn settled(area: &Area, action: u64) -> Option<ToolOutcome> {
    match area.state(action) {
        State::Committed { .. } | State::Undone { .. } => real(area, action),
        State::Discarded => {
            let reason = "it was decided against, and the executor died before it could say more".to_owned();
            Some(ToolOutcome { standing: Standing::Discarded { reason: reason.clone() }, ..failed(&reason) })
        }
        State::Staged | State::Unknown => None,
    }
}

fn committed(area: &Area, action: u64) -> ToolOutcome {
    let noted = area.note(action).ok().flatten().and_then(|note| codec::decode(&note, NOTE_BYTES).ok());
    let outcome = noted.unwrap_or_else(|| {
        let lost = "its changes are real; its output and its end were lost with the executor\n";
        ToolOutcome { stderr: lost.as_bytes().to_vec(), ..ToolOutcome::of(Ended::Unknown) }
    });
    let found = match area.effects(action) {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            tracing::error!("effects of action {action}: {error}");
            workspace::Effects::default()
        }
    };
    ToolOutcome { effects: effects(&found), standing: Standing::Committed, ..outcome }
}
