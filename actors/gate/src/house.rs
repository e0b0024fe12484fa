//! What the gate keeps in the house: the label of each principal's workspace, turns that were set aside, the newest
//! audit entry.
//!
//! A workspace has one label so far, the join of all turns that could write to it: whatever a tainted turn may have left
//! there taints who reads it later. Labels for each path come with the executor's transactions.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use chela_audit_log::{Hash, Head};
use schema::label::{Confidentiality, Integrity, Label};
use serde_json::json;

use crate::memories::Memories;
use crate::principals::HOUSE;

const LABELS: &str = "labels";
const QUARANTINE: &str = "quarantine";
const AUDIT: &str = "audit";
const HEAD: &str = "head";

/// What a workspace is to begin with: its owner's, private.
const FRESH: Label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Private };

/// The gate's own records, as far as they are in memory.
#[derive(Default)]
pub struct House {
    workspaces: RefCell<Option<BTreeMap<u32, Label>>>,
    quarantined: Cell<u32>,
}

impl House {
    /// Label of all that is in the workspace of a principal.
    pub async fn workspace(&self, memories: &Memories, principal: u32) -> Result<Label, String> {
        if self.workspaces.borrow().is_none() {
            let records = memories.list(HOUSE, LABELS).await?;
            let labels = records
                .iter()
                .filter_map(|(key, value)| Some((key.parse().ok()?, serde_json::from_slice(value).ok()?)));
            let read = labels.collect();
            self.workspaces.borrow_mut().get_or_insert(read);
        }
        let labels = self.workspaces.borrow();
        let label = labels.as_ref().and_then(|labels| labels.get(&principal));
        Ok(label.copied().unwrap_or(FRESH))
    }

    /// A turn of that label may write to the workspace from here on.
    pub async fn taint(&self, memories: &Memories, principal: u32, with: Label) -> Result<(), String> {
        let now = self.workspace(memories, principal).await?;
        let then = now.join(with);
        if then == now {
            return Ok(());
        }
        let value = serde_json::to_vec(&then).map_err(|error| error.to_string())?;
        memories.put(HOUSE, LABELS, &principal.to_string(), &value).await?;
        if let Some(labels) = self.workspaces.borrow_mut().as_mut() {
            labels.insert(principal, then);
        }
        Ok(())
    }

    /// Writes down that a turn was set aside.
    pub async fn quarantine(
        &self,
        memories: &Memories,
        (principal, turn): (u32, u64),
        at_ms: u64,
        why: &str,
    ) -> Result<(), String> {
        let value = json!({ "principal": principal, "turn": turn, "at_ms": at_ms, "why": why });
        let key = format!("{principal}-{turn}");
        memories.put(HOUSE, QUARANTINE, &key, value.to_string().as_bytes()).await?;
        self.quarantined.set(self.quarantined.get() + 1);
        Ok(())
    }

    /// Turns that were set aside, ever.
    pub fn quarantined(&self) -> u32 {
        self.quarantined.get()
    }

    /// Reads what the start needs: how many turns were set aside, and the audit entry that was recorded last.
    pub async fn load(&self, memories: &Memories) -> Result<Option<Head>, String> {
        let aside = memories.list(HOUSE, QUARANTINE).await?;
        self.quarantined.set(u32::try_from(aside.len()).unwrap_or(u32::MAX));
        let records = memories.list(HOUSE, AUDIT).await?;
        let head = records.iter().find(|(key, _)| key == HEAD);
        Ok(head.and_then(|(_, value)| read_head(value)))
    }

    /// Records the newest audit entry outside the log.
    pub async fn anchor(&self, memories: &Memories, head: Head) -> Result<(), String> {
        let value = format!("{} {}", head.seq, head.hash);
        memories.put(HOUSE, AUDIT, HEAD, value.as_bytes()).await
    }
}

fn read_head(value: &[u8]) -> Option<Head> {
    let (seq, hash) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some(Head { seq: seq.parse().ok()?, hash: Hash::parse(hash)? })
}
