//! What the journal tells of actions: each is a decided call of some turn, and what came of it.

use rusqlite::{Row, params};
use schema::actions::{ActionBrief, ActionRecord, Counts, Fate};
use schema::edge::memory::{Answer, Step};
use schema::effects::Standing;
use schema::limits::{ACTIONS_LISTED, ARGUMENTS_LISTED_BYTES, SAID_SHOWN_BYTES};
use schema::tool::{Decision, Ended, ToolCall, ToolOutcome};

use super::journal::Journal;
use super::stored::{self, TOOL_FINISHED};
use crate::error::StoreError;
use crate::limits::UNDO_DEPTH_MAX;

const STEP: &str = "read the actions";

/// A decided call of the journal.
struct Decided {
    action: u64,
    turn: u64,
    channel: String,
    said: String,
    label: String,
    at_ms: u64,
    turn_ended: bool,
    undoes: Option<u64>,
    version: i64,
    body: String,
}

/// What came of one, and when.
type Finished = (ToolOutcome, Option<u64>);

const DECIDED: &str = "SELECT s.action, s.turn, t.channel, t.text, s.label, coalesce(s.at_ms, t.at_ms),
                              t.ended IS NOT NULL, s.undoes, s.version, s.body
                       FROM step s JOIN turn t ON t.id = s.turn WHERE s.kind = 'tool_decided' AND s.action";

fn decided(row: &Row<'_>) -> rusqlite::Result<Decided> {
    let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(Decided {
        action: number(0)?,
        turn: number(1)?,
        channel: row.get(2)?,
        said: row.get(3)?,
        label: row.get(4)?,
        at_ms: number(5)?,
        turn_ended: row.get(6)?,
        undoes: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
        version: row.get(8)?,
        body: row.get(9)?,
    })
}

impl Journal<'_> {
    /// The newest actions, at most a list of them.
    pub fn list_actions(&self, before: Option<u64>, actions_max: u32) -> Result<Answer, StoreError> {
        let sqlite = |e| StoreError::sqlite(STEP, self.path, e);
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        let sql = format!("{DECIDED} < ?1 ORDER BY s.action DESC LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql).map_err(sqlite)?;
        let mut rows = statement.query(params![before, actions_max.min(ACTIONS_LISTED)]).map_err(sqlite)?;
        let mut briefs = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            briefs.push(self.brief(decided(row).map_err(sqlite)?)?);
        }
        Ok(Answer::Actions(briefs))
    }

    fn brief(&self, found: Decided) -> Result<ActionBrief, StoreError> {
        let (call, decision) = self.call(&found)?;
        let finished = self.finished(&found)?;
        let outcome = finished.as_ref().map(|(outcome, _)| outcome);
        let undone_by = self.undone_by(found.action)?;
        Ok(ActionBrief {
            action: found.action,
            turn: found.turn,
            channel: found.channel,
            tool: call.name,
            arguments: beginning(call.arguments, ARGUMENTS_LISTED_BYTES),
            verdict: decision.verdict,
            risk: decision.risk,
            asked_at_ms: found.at_ms,
            fate: Fate::of(outcome, undone_by.is_some()).known_by(found.turn_ended),
            ended: outcome.map(|outcome| outcome.ended),
            counts: outcome.map(Counts::of).unwrap_or_default(),
            undoes: found.undoes,
            undone_by,
            background: None,
        })
    }

    /// All that is journaled of an action.
    pub fn load_action(&self, action: u64) -> Result<Answer, StoreError> {
        let sql = format!("{DECIDED} = ?1 ORDER BY s.id DESC LIMIT 1");
        // No greater number was ever given.
        let Ok(number) = i64::try_from(action) else { return Ok(Answer::Action(None)) };
        let Some(found) = self.row(STEP, &sql, params![number], decided)? else {
            return Ok(Answer::Action(None));
        };
        let (call, decision) = self.call(&found)?;
        let (outcome, settled_at_ms) = self.finished(&found)?.map_or((None, None), |(it, at)| (Some(it), at));
        Ok(Answer::Action(Some(Box::new(ActionRecord {
            action,
            turn: found.turn,
            said: beginning(found.said, SAID_SHOWN_BYTES),
            channel: found.channel,
            label: self.label(&found.label)?,
            call,
            decision,
            asked_at_ms: found.at_ms,
            settled_at_ms,
            outcome,
            turn_ended: found.turn_ended,
            undoes: found.undoes,
            undone_by: self.undone_by(action)?,
            background: None,
        }))))
    }

    fn call(&self, found: &Decided) -> Result<(ToolCall, Decision), StoreError> {
        let step = stored::from_columns(found.version, &found.body, None, None);
        match step.map_err(|why| self.unreadable(format!("action {}: {why}", found.action)))? {
            Step::ToolDecided { call, decision, .. } => Ok((call, decision)),
            Step::Completed(_) | Step::ToolFinished { .. } | Step::Crashed { .. } => {
                Err(self.unreadable(format!("action {}: its decision is none", found.action)))
            }
        }
    }

    /// The end of a command that went on in the background, unless it is known.
    pub fn end_background(&self, action: u64, outcome: &ToolOutcome, at_ms: u64) -> Result<Answer, StoreError> {
        let known = i64::try_from(action)
            .ok()
            .map(|number| self.row(STEP, &format!("{DECIDED} = ?1"), params![number], decided));
        if known.transpose()?.flatten().is_none() {
            return Ok(Answer::Failed { reason: format!("action {action} is none of this journal") });
        }
        let step = Step::ToolFinished { action, outcome: outcome.clone() };
        let columns = match stored::to_columns(&step) {
            Ok(columns) => columns,
            Err(why) => return Ok(Answer::Failed { reason: format!("action {action}: {why}") }),
        };
        self.write(
            "journal the end of a command in the background",
            "INSERT OR IGNORE INTO background_end (action, version, body, stdout, stderr, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![columns.action, stored::VERSION, columns.body, columns.stdout, columns.stderr, at_ms.cast_signed()],
        )?;
        Ok(Answer::Stored)
    }

    /// What came of an action; of a command that went on in the background, what came of it there, once that is known.
    fn finished(&self, found: &Decided) -> Result<Option<Finished>, StoreError> {
        let first = self.finished_by(
            found,
            "SELECT version, body, stdout, stderr, at_ms FROM step WHERE turn = ?1 AND action = ?2 AND kind = ?3",
            params![found.turn.cast_signed(), found.action.cast_signed(), TOOL_FINISHED],
        )?;
        if !first.as_ref().is_some_and(|(outcome, _)| outcome.ended == Ended::Running) {
            return Ok(first);
        }
        let end = self.finished_by(
            found,
            "SELECT version, body, stdout, stderr, at_ms FROM background_end WHERE action = ?1",
            params![found.action.cast_signed()],
        )?;
        Ok(end.or(first))
    }

    fn finished_by(
        &self,
        found: &Decided,
        sql: &str,
        which: impl rusqlite::Params,
    ) -> Result<Option<Finished>, StoreError> {
        let row = self.row(STEP, sql, which, |row| {
            let at_ms = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?, at_ms))
        })?;
        let Some((version, body, stdout, stderr, at_ms)) = row else { return Ok(None) };
        let step = stored::from_columns(version, &body, stdout, stderr);
        match step.map_err(|why| self.unreadable(format!("action {}: {why}", found.action)))? {
            Step::ToolFinished { outcome, .. } => Ok(Some((outcome, at_ms))),
            Step::Completed(_) | Step::ToolDecided { .. } | Step::Crashed { .. } => {
                Err(self.unreadable(format!("action {}: its result is none", found.action)))
            }
        }
    }

    /// The action that took this one back and was not taken back itself.
    fn undone_by(&self, action: u64) -> Result<Option<u64>, StoreError> {
        self.undone_within(action, UNDO_DEPTH_MAX)
    }

    fn undone_within(&self, action: u64, depth: usize) -> Result<Option<u64>, StoreError> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(None) };
        let sqlite = |e| StoreError::sqlite(STEP, self.path, e);
        let sql = format!("{DECIDED} IN (SELECT action FROM step WHERE undoes = ?1) ORDER BY s.action DESC");
        let mut statement = self.connection.prepare_cached(&sql).map_err(sqlite)?;
        let mut rows = statement.query(params![action.cast_signed()]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let by = decided(row).map_err(sqlite)?;
            let committed = |(outcome, _): Finished| outcome.standing == Standing::Committed;
            if by.undoes == Some(action)
                && self.finished(&by)?.is_some_and(committed)
                && self.undone_within(by.action, depth)?.is_none()
            {
                return Ok(Some(by.action));
            }
        }
        Ok(None)
    }
}

/// The action that a call is to take back, if it is such a call.
pub fn undoes(call: &ToolCall) -> Option<i64> {
    if call.name != "undo" {
        return None;
    }
    let arguments: serde_json::Value = serde_json::from_str(&call.arguments).ok()?;
    arguments.get("action")?.as_i64()
}

/// The beginning of a text, cut at a character's end and marked.
fn beginning(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mark = '…';
        let mut end = bytes_max - mark.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push(mark);
    }
    text
}
