//! Actions of the past: each person sees those of the principal that they act as, out of that principal's journal.

use schema::actions::InBackground;
use schema::edge::local::ToClient;
use schema::limits::ACTIONS_LISTED;

use crate::client::Client;
use crate::hub::Gate;
use crate::principals::Principal;

/// Answers with the newest actions.
pub async fn list(gate: &Gate, client: &Client, principal: &Principal, before: Option<u64>, actions_max: u32) {
    let actions_max = actions_max.min(ACTIONS_LISTED);
    match gate.memories.list_actions(principal.number, before, actions_max).await {
        Ok(mut briefs) => {
            for one in &mut briefs {
                let there = gate.backgrounds.has_ended(one.action);
                one.background = InBackground::of(&one.tool, one.ended, one.fate, there);
            }
            client.answer(ToClient::Actions(briefs));
        }
        Err(reason) => client.fail(reason, false),
    }
}

/// Answers with all that is known of an action.
pub async fn show(gate: &Gate, client: &Client, principal: &Principal, action: u64) {
    match gate.memories.load_action(principal.number, action).await {
        Ok(Some(mut record)) => {
            let ended = record.outcome.as_ref().map(|outcome| outcome.ended);
            let there = gate.backgrounds.has_ended(action);
            record.background = InBackground::of(&record.call.name, ended, record.fate(), there);
            client.answer(ToClient::Action { principal: principal.name.clone(), record });
        }
        // Another's action is none here: their journal is not asked.
        Ok(None) => client.fail(unknown(principal, action), false),
        Err(reason) => client.fail(reason, false),
    }
}

/// What a person is told of a number that is none of theirs.
pub fn unknown(principal: &Principal, action: u64) -> String {
    let name = &principal.name;
    format!("{name} has no action {action}: `chela actions list` shows those there are, newest first")
}
