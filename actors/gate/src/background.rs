//! Commands in the background: which executor has them, and what is decided when one ends.
//!
//! Such a command is not open at any turn. Its action stays unfinished in the audit log until it has ended, so a gate that
//! has been restarted knows it again when its executor says that it runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use schema::edge::executor::ToExecutor;
use schema::edge::memory::Ask;
use schema::effects::Standing;
use schema::tool::{Ended, Settled, ToolOutcome};
use serde_json::json;

use crate::audit::{TOOL_ENDED, now_ms};
use crate::effects;
use crate::hub::Gate;
use crate::memories;
use crate::peer::Peer;

/// Commands in the background of every executor.
#[derive(Default)]
pub struct Backgrounds(RefCell<BTreeMap<u64, One>>);

struct One {
    slot: u32,
    instance: u64,
    /// What it came to, while what it changes is being settled.
    ended: Option<ToolOutcome>,
}

impl Backgrounds {
    /// Whether the action is one of them.
    pub fn has(&self, action: u64) -> bool {
        self.0.borrow().contains_key(&action)
    }

    /// Whether one that is in its executor has ended; `None`: it is not there.
    pub fn has_ended(&self, action: u64) -> Option<bool> {
        self.0.borrow().get(&action).map(|one| one.ended.is_some())
    }

    /// Whether the executor of `slot` has any.
    pub fn is_busy(&self, slot: u32) -> bool {
        self.0.borrow().values().any(|one| one.slot == slot)
    }
}

/// An executor says that it runs one. One that nobody started is to be forgotten.
pub fn runs(gate: &Gate, peer: &Rc<Peer<ToExecutor>>, action: u64) {
    if gate.audit.borrow().instance_of(action) != Some(peer.who.number) {
        tracing::error!("executor {}: nobody started action {action}, which it runs", peer.who.slot);
        // One that takes nothing is ended.
        let _ = peer.outbox.push(ToExecutor::Forget { action });
        return;
    }
    let one = One { slot: peer.who.slot, instance: peer.who.number, ended: None };
    gate.backgrounds.0.borrow_mut().insert(action, one);
}

/// One has ended: what it changes is decided on, and the decision is on the disk before the executor hears of it.
pub fn ended(gate: &Gate, peer: &Rc<Peer<ToExecutor>>, action: u64, outcome: ToolOutcome) -> Result<(), String> {
    let mine = |one: &&mut One| one.instance == peer.who.number;
    let staged = outcome.standing == Standing::Staged;
    match gate.backgrounds.0.borrow_mut().get_mut(&action).filter(mine) {
        Some(one) if staged => one.ended = Some(outcome.clone()),
        Some(_) => {}
        None => return Err("the end of a command that does not run in the background".to_owned()),
    }
    if !staged {
        over(gate, action, &outcome);
        return Ok(());
    }
    let commit = decide(gate, action, &outcome)?;
    // The label of the turn that started it, and those of turns that wrote to it, are part of what it could read.
    let label = outcome.reads;
    // One that takes nothing is ended.
    let _ = peer.outbox.push(ToExecutor::Settle { action, commit, label });
    Ok(())
}

fn decide(gate: &Gate, action: u64, shown: &ToolOutcome) -> Result<bool, String> {
    let settlement = effects::decide(&gate.policies, gate.policies.asked(action), shown);
    gate.note_effects(action, &shown.effects, &settlement);
    gate.sync_audit()?;
    Ok(settlement.commit)
}

/// What one changes is settled. False: it is none of these.
pub fn settled(gate: &Gate, peer: &Rc<Peer<ToExecutor>>, action: u64, standing: &Standing) -> bool {
    let outcome = match gate.backgrounds.0.borrow_mut().get_mut(&action) {
        Some(one) if one.instance == peer.who.number => one.ended.take(),
        Some(_) | None => return false,
    };
    if let Some(outcome) = outcome {
        let wrote = (*standing == Standing::Committed).then_some(outcome.reads);
        over(gate, action, &ToolOutcome { standing: standing.clone(), wrote, ..outcome });
    }
    true
}

fn over(gate: &Gate, action: u64, outcome: &ToolOutcome) {
    if let Some(one) = gate.backgrounds.0.borrow_mut().remove(&action) {
        journal(gate, one.slot, action, outcome);
    }
    let committed = outcome.standing == Standing::Committed;
    let mut body = json!({ "action": action, "ended": outcome.ended, "ms": outcome.ms, "committed": committed });
    if !outcome.effects.hosts.list.is_empty() {
        body["hosts"] = json!(outcome.effects.hosts.list);
    }
    gate.note(TOOL_ENDED, &body);
}

/// Journals how one ended, so that whoever looks at its action later is told.
fn journal(gate: &Gate, slot: u32, action: u64, outcome: &ToolOutcome) {
    let at_ms = now_ms();
    let settled = Settled { ended_at_ms: at_ms, ..outcome.settled.clone() };
    let outcome = ToolOutcome { settled, ..outcome.clone() };
    let journaled = gate.memories.start(slot, Ask::EndBackground { action, outcome, at_ms });
    tokio::task::spawn_local(async move {
        if let Err(reason) = memories::settled(journaled.await) {
            // The audit log has it, and the executor's store what is real.
            tracing::error!("the end of action {action} is not journaled: {reason}");
        }
    });
}

/// An executor is gone, and with it what it ran: nothing of it was kept, but for what was being settled, of which only the
/// store knows whether it is real.
pub fn lost(gate: &Gate, peer: &Rc<Peer<ToExecutor>>) {
    let lost = |_: &u64, one: &mut One| one.instance == peer.who.number;
    let lost: Vec<(u64, One)> = gate.backgrounds.0.borrow_mut().extract_if(.., lost).collect();
    for (action, one) in lost {
        let body = match one.ended {
            // What is real of it only its store says.
            Some(_) => json!({ "action": action, "ended": "unknown" }),
            None => {
                let reason = "its executor ended while it ran".to_owned();
                let standing = Standing::Discarded { reason };
                journal(gate, one.slot, action, &ToolOutcome { standing, ..ToolOutcome::of(Ended::Cancelled) });
                json!({ "action": action, "ended": "stopped", "committed": false })
            }
        };
        gate.note(TOOL_ENDED, &body);
    }
}
