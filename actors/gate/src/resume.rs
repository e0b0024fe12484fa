//! The start: what the house knows, and the turns that the gate before this one left open.

use std::rc::Rc;

use schema::edge::memory::Step;
use tokio::time::{Duration, sleep};

use crate::hub::Gate;
use crate::limits::WANT_AGAIN_MS;
use crate::principals::{self, Principal};
use crate::turn::all;
use crate::turn::past;
use crate::turn::report::{LOCAL, TOOL};

/// Takes up what was left, of the house and of every principal.
pub async fn all(gate: Rc<Gate>) {
    let everybody = principals::all(&gate.config.borrow());
    tokio::task::spawn_local(house(gate.clone()));
    for principal in everybody {
        tokio::task::spawn_local(turns(gate.clone(), principal));
    }
}

async fn house(gate: Rc<Gate>) {
    loop {
        match gate.house.load(&gate.memories).await {
            Ok(None) => return,
            Ok(Some(head)) => {
                let held = gate.audit.borrow_mut().hold_against(head);
                match held {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::error!("the audit log lacks entry {}, which it had: `chela log verify`", head.seq)
                    }
                    Err(error) => tracing::error!("{error}"),
                }
                return;
            }
            Err(reason) => tracing::error!("the gate's own records: {reason}"),
        }
        sleep(Duration::from_millis(WANT_AGAIN_MS)).await;
    }
}

async fn turns(gate: Rc<Gate>, principal: Principal) {
    let open = loop {
        match gate.memories.open_turns(principal.number).await {
            Ok(open) => break open,
            Err(reason) => tracing::error!("open turns of {}: {reason}", principal.name),
        }
        sleep(Duration::from_millis(WANT_AGAIN_MS)).await;
    };
    for turn in open {
        let record = match gate.memories.load(principal.number, turn).await {
            Ok(record) => record,
            Err(reason) => {
                tracing::error!("turn {turn} of {}: {reason}", principal.name);
                continue;
            }
        };
        if record.ended.is_some() {
            continue;
        }
        skip_actions(&gate, &record.steps);
        let channel = match record.channel.as_str() {
            LOCAL => LOCAL,
            TOOL => TOOL,
            other => {
                tracing::error!("turn {turn} came over {other:?}, which this gate does not know");
                continue;
            }
        };
        all::resume(&gate, &principal, channel, record, None);
    }
}

/// A power failure can keep the journal's word of an action and lose the audit log's.
fn skip_actions(gate: &Gate, steps: &[Step]) {
    if let Some(highest) = past::actions(steps).into_iter().max() {
        gate.audit.borrow_mut().skip_actions(highest);
    }
}
