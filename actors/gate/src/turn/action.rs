//! An action of a turn: decided, numbered, written down, then handed to the executor of the turn's principal, once.

use chela_audit_log::Hash;
use schema::label::Label;
use schema::tool::{Admitted, Ended, Repeat, ToolCall, ToolOutcome};
use serde_json::json;

use super::all::OpenTurn;
use super::words::Event;
use crate::audit::{TOOL_DECIDED, TOOL_MOVED};
use crate::decide::{self, Decided};
use crate::executors::Writing;
use crate::hub::Gate;
use crate::limits::AUDIT_ARGUMENTS_BYTES;
use crate::policies::Asked;
use crate::undo;

/// Decides a call. When this returns an action, its audit entry is written, and not yet on the disk.
pub async fn decide(gate: &Gate, open: &OpenTurn, call: ToolCall, label: Label) -> Event {
    let slot = open.principal.number;
    let decided = decide::decide(&gate.policies, &open.principal, &call, label);
    let Decided { decision, admitted } = match possible(gate, open, decided).await {
        Ok(decided) => decided,
        Err(reason) => return Event::CannotGoOn(reason),
    };
    let body = |action: u64, instance: u64| {
        json!({
            "action": action,
            "instance": instance,
            "principal": slot,
            "turn": open.turn,
            "tool": clipped(&call.name, AUDIT_ARGUMENTS_BYTES),
            "arguments": clipped(&call.arguments, AUDIT_ARGUMENTS_BYTES),
            "arguments_sha256": Hash::of(call.arguments.as_bytes()).to_string(),
            "verdict": decision.verdict,
            "rule": decision.rule,
            "reason": clipped(&decision.reason, AUDIT_ARGUMENTS_BYTES),
            "risk": decision.risk,
            "label": label,
        })
    };
    let Some(admitted) = admitted else {
        gate.note(TOOL_DECIDED, &body(0, 0));
        return Event::Decided { decision, run: None };
    };
    let instance = match gate.executors.places.peer(slot).await {
        Ok(peer) => peer.who.number,
        Err(reason) => return Event::CannotGoOn(reason),
    };
    let action = gate.audit.borrow_mut().next_action();
    let written = gate.audit.borrow_mut().append(TOOL_DECIDED, &body(action, instance));
    match written {
        Ok(()) => {
            gate.audit.borrow_mut().started(action, instance);
            gate.policies.began(action, asked(open, &call, label));
            Event::Decided { decision, run: Some((action, admitted)) }
        }
        Err(error) => Event::CannotGoOn(error.to_string()),
    }
}

fn asked(open: &OpenTurn, call: &ToolCall, label: Label) -> Asked {
    Asked { principal: open.principal.clone(), tool: call.name.clone(), label }
}

/// An undo that the journal knows to be impossible is refused.
async fn possible(gate: &Gate, open: &OpenTurn, decided: Decided) -> Result<Decided, String> {
    let Some(Admitted::Undo { action }) = decided.admitted else { return Ok(decided) };
    Ok(match undo::refused(gate, &open.principal, action).await? {
        Some(why) => decide::no_undo(decided.decision, why),
        None => decided,
    })
}

/// Hands an action, whose decision is written, to the executor. What it does becomes real when the decision is on the disk,
/// which is said to what is returned. If that is another instance than was written down (which never got it, or died on
/// it), this is written down first.
pub async fn start(
    gate: &Gate,
    open: &OpenTurn,
    action: u64,
    (call, label): (Admitted, Label),
) -> Result<Writing, String> {
    let peer = gate.executors.places.peer(open.principal.number).await?;
    let instance = peer.who.number;
    if gate.audit.borrow().instance_of(action) != Some(instance) {
        let body = json!({ "action": action, "instance": instance });
        let written = gate.audit.borrow_mut().append(TOOL_MOVED, &body);
        written.map_err(|error| error.to_string())?;
        gate.audit.borrow_mut().started(action, instance);
        gate.sync_audit()?;
    }
    Ok(gate.executors.run(&peer, action, (call, label), open.inbox.clone()))
}

/// Goes on with an action that was decided, and that a gate or an executor which died may have had. The executor that has
/// it goes on; its successor answers from the store what was settled, and rehearses the rest again. False when nobody can
/// know what became of it: it may have sent something, or there is no executor.
pub async fn rejoin(gate: &Gate, open: &OpenTurn, action: u64, call: &ToolCall, label: Label) -> bool {
    let Some(admitted) = decide::decide(&gate.policies, &open.principal, call, label).admitted else {
        return false;
    };
    let may = match admitted.repeat() {
        Repeat::Freely => true,
        Repeat::Never => match gate.executors.places.peer(open.principal.number).await {
            Ok(peer) => gate.audit.borrow().instance_of(action) == Some(peer.who.number),
            Err(_) => false,
        },
    };
    gate.policies.began(action, asked(open, call, label));
    // What is gone on with is in the journal.
    may && start(gate, open, action, (admitted, label)).await.map(Writing::done).is_ok()
}

/// The outcome of an action that no executor ever got.
pub fn never_started(reason: &str) -> ToolOutcome {
    ToolOutcome { stderr: reason.as_bytes().to_vec(), ..ToolOutcome::of(Ended::Failed) }
}

/// The text, cut at a character's end.
pub fn clipped(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
