//! What the gate keeps in the house: turns that were set aside, the newest audit entry.

use std::cell::Cell;

use chela_audit_log::{Hash, Head};
use serde_json::json;

use crate::memories::Memories;
use crate::principals::HOUSE;

const QUARANTINE: &str = "quarantine";
const AUDIT: &str = "audit";
const HEAD: &str = "head";

/// The gate's own records, as far as they are in memory.
#[derive(Default)]
pub struct House {
    quarantined: Cell<u32>,
}

impl House {
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
