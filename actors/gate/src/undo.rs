//! Taking back: what the journal knows to be impossible is refused before anybody works on it, and what an undo would do
//! is asked of the executor without an action.

use schema::actions::{ActionRecord, Fate};
use schema::edge::executor::ToExecutor;
use schema::edge::local::ToClient;
use schema::undo::UndoPreview;

use crate::actions::unknown;
use crate::client::Client;
use crate::hub::Gate;
use crate::principals::Principal;

/// Why an action can't be taken back, as far as its journal says, pure. What it does not know the executor's store does.
pub fn impossible(action: u64, record: &ActionRecord) -> Option<String> {
    match record.fate() {
        Fate::Open => {
            Some(format!("action {action} still runs: wait for its end, or stop it with Ctrl-C where it was asked"))
        }
        Fate::NoChange => Some(format!("action {action} changed nothing: there is nothing to take back")),
        Fate::Discarded => Some(format!("nothing of action {action} was ever real: there is nothing to take back")),
        Fate::Undone => {
            let by = record.undone_by.unwrap_or_default();
            Some(format!("action {action} was taken back already, by action {by}; `chela undo {by}` brings it back"))
        }
        Fate::Committed | Fate::Unknown | Fate::Background => None,
    }
}

/// Why this principal can't take that action back, if the journal says so. The outer error: it can't be read.
pub async fn refused(gate: &Gate, principal: &Principal, action: u64) -> Result<Option<String>, String> {
    match gate.memories.load_action(principal.number, action).await? {
        Some(record) => Ok(impossible(action, &record)),
        None => Ok(Some(unknown(principal, action))),
    }
}

/// Answers with what taking the action back would do. Nothing is changed, so it is no action.
pub async fn preview(gate: &Gate, client: &Client, principal: &Principal, action: u64) {
    match previewed(gate, principal, action).await {
        Ok(preview) => client.answer(ToClient::UndoPreviewed { action, preview }),
        Err(reason) => client.fail(reason, false),
    }
}

async fn previewed(gate: &Gate, principal: &Principal, action: u64) -> Result<UndoPreview, String> {
    if let Some(why) = refused(gate, principal, action).await? {
        return Ok(UndoPreview::Cannot(why));
    }
    let peer = gate.executors.places.peer(principal.number).await?;
    let (request, told) = gate.previews.start(principal.number)?;
    // One that takes nothing is ended, and its end is told.
    let _ = peer.outbox.push(ToExecutor::PreviewUndo { request, action });
    told.await.map_err(|_| "the executor ended before it answered; nothing was changed: ask again".to_owned())
}

#[cfg(test)]
mod tests {
    use schema::effects::Standing;
    use schema::label::Label;
    use schema::tool::{Decision, Ended, Risk, ToolCall, ToolOutcome, Verdict};

    use super::*;

    fn record(outcome: Option<ToolOutcome>) -> ActionRecord {
        ActionRecord {
            action: 7,
            turn: 1,
            channel: "tool".to_owned(),
            said: String::new(),
            label: Label::NOTHING,
            call: ToolCall { name: "run_command".to_owned(), arguments: "{}".to_owned() },
            decision: Decision {
                verdict: Verdict::Allowed,
                reason: String::new(),
                rule: String::new(),
                risk: Risk::Low,
                remedy: String::new(),
            },
            asked_at_ms: 1,
            settled_at_ms: None,
            outcome,
            turn_ended: false,
            undoes: None,
            undone_by: None,
            background: None,
        }
    }

    #[test]
    fn only_what_stands_or_may_stand_is_taken_back() {
        let with = |standing, ended| record(Some(ToolOutcome { standing, ..ToolOutcome::of(ended) }));
        let well = Ended::Exited { code: 0 };
        assert!(impossible(7, &with(Standing::Committed, well)).is_none());
        assert!(impossible(7, &with(Standing::Nothing, Ended::Unknown)).is_none(), "the store knows");
        assert!(impossible(7, &with(Standing::Nothing, Ended::Running)).is_none(), "the store knows");
        assert!(impossible(7, &with(Standing::Nothing, well)).is_some_and(|why| why.contains("changed nothing")));
        let discarded = with(Standing::Discarded { reason: String::new() }, well);
        assert!(impossible(7, &discarded).is_some_and(|why| why.contains("ever real")));
        assert!(impossible(7, &record(None)).is_some_and(|why| why.contains("still runs")));
        let undone = ActionRecord { undone_by: Some(9), ..with(Standing::Committed, well) };
        assert!(impossible(7, &undone).is_some_and(|why| why.contains("chela undo 9")));
    }
}
