//! Undo as the executor's own: why one can't be, and which paths are in its way.

use schema::undo::{ConflictWhy, UndoConflict, UndoPreview};
use workspace::{Area, Conflict, ConflictKind, State, UndoError, shown};

use crate::area::effects;
use crate::limits::CONFLICTS_LISTED;

/// What an undo would do; it changes nothing.
pub fn preview(area: &mut Area, of: u64) -> UndoPreview {
    match area.preview_undo(of) {
        Ok(undo) if undo.conflicts.is_empty() => UndoPreview::Would(effects(&undo.effects)),
        Ok(undo) => {
            let more = undo.conflicts.len().saturating_sub(CONFLICTS_LISTED) as u64;
            UndoPreview::Conflicts { list: conflicts(area, of, &undo.conflicts), more }
        }
        Err(error) => UndoPreview::Cannot(why_not(of, &error)),
    }
}

/// The first conflicts, each with who is behind it.
pub fn conflicts(area: &Area, of: u64, all: &[Conflict]) -> Vec<UndoConflict> {
    let listed = &all[..all.len().min(CONFLICTS_LISTED)];
    let paths: Vec<Vec<u8>> = listed.iter().map(|conflict| conflict.path.clone()).collect();
    let by = area.changers(&paths, of).unwrap_or_else(|error| {
        // The conflicts themselves are known.
        tracing::warn!("who changed what action {of} had: {error}");
        Default::default()
    });
    let one = |conflict: &Conflict| UndoConflict {
        path: shown(&conflict.path),
        why: match conflict.kind {
            ConflictKind::Changed => ConflictWhy::Changed,
            ConflictKind::Appeared => ConflictWhy::Appeared,
            ConflictKind::Vanished => ConflictWhy::Vanished,
        },
        by: by.get(&conflict.path).copied(),
    };
    listed.iter().map(one).collect()
}

/// What a person is told of an undo with conflicts.
pub fn conflicts_text(of: u64, all: usize, listed: &[UndoConflict]) -> String {
    let mut text = format!("action {of} is not taken back, since what it changed was changed again:\n");
    for conflict in listed {
        text.push_str(&format!("  {conflict}\n"));
    }
    if all > listed.len() {
        text.push_str(&format!("  and {} more\n", all - listed.len()));
    }
    text.push_str("put these as the action left them, or undo the later actions first");
    text
}

/// Why an action can't be taken back, with the way out.
pub fn why_not(of: u64, error: &UndoError) -> String {
    match error {
        UndoError::NotUndoable { state, .. } => match state {
            State::Unknown => format!(
                "nothing is known of action {of} here: it changed nothing, or is so old that its record is gone; \
                 `chela actions list` shows what there is"
            ),
            State::Staged => format!("action {of} is not committed yet: wait for its end, or cancel it"),
            State::Discarded => format!("nothing of action {of} was ever real: there is nothing to take back"),
            State::Undone { by } => {
                format!("action {of} was taken back already, by action {by}; `chela undo {by}` brings it back")
            }
            State::Committed { .. } => format!(
                "action {of} can't be taken back any more: what that takes is no longer in the undo store, which holds \
                 it for a limited time and within a limited size; `chela actions show {of}` shows what it changed"
            ),
        },
        UndoError::Stage(error) => format!("action {of} can't be taken back: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_names_the_action_and_a_way_out_or_that_there_is_nothing_to_do() {
        let states = [
            State::Unknown,
            State::Staged,
            State::Discarded,
            State::Undone { by: 9 },
            State::Committed { undoable: false },
        ];
        let texts: Vec<String> =
            states.iter().map(|state| why_not(7, &UndoError::NotUndoable { action: 7, state: *state })).collect();
        for (number, text) in texts.iter().enumerate() {
            assert!(text.contains("action 7"), "{text}");
            assert!(!texts[..number].contains(text), "{text}");
        }
        assert!(texts[3].contains("chela undo 9"));
    }
}
