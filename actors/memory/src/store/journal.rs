//! A principal's journal: turns, their steps, how they ended. Every write is idempotent, and one that does not follow
//! from what is there is refused: a step beyond the next, a result of a call that was never decided, a second end.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use schema::edge::memory::{Answer, Step, TurnEnd, TurnRecord};
use schema::label::Label;
use schema::talk::{Message, Speaker};

use super::stored::{self, Columns, TOOL_DECIDED, end_of, end_text, label_of, label_text};
use crate::error::StoreError;
use crate::limits::STEPS_MAX;

/// The journal, within one transaction.
pub struct Journal<'a> {
    /// The transaction's connection.
    pub connection: &'a Connection,
    /// The database, for errors.
    pub path: &'a Path,
}

/// What `Finish` and `RecordStep` need to know of a turn.
struct Head {
    label: Label,
    ended: Option<(TurnEnd, String)>,
}

impl Journal<'_> {
    /// A new turn, unless the message is known.
    pub fn receive(
        &self,
        channel: &str,
        message_id: &str,
        text: &str,
        label: Label,
        at_ms: u64,
    ) -> Result<Answer, StoreError> {
        let known = self.row(
            "look for the message",
            "SELECT id, ended, reply FROM turn WHERE channel = ?1 AND message_id = ?2",
            params![channel, message_id],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?)),
        )?;
        if let Some((id, ended, reply)) = known {
            return Ok(Answer::Received { turn: id.cast_unsigned(), known: true, ended: self.end(ended, reply)? });
        }
        self.write(
            "journal the message",
            "INSERT INTO turn (channel, message_id, text, label, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![channel, message_id, text, label_text(label), at_ms.cast_signed()],
        )?;
        Ok(Answer::Received { turn: self.connection.last_insert_rowid().cast_unsigned(), known: false, ended: None })
    }

    /// The next step of a turn, or one that is there already.
    pub fn record_step(
        &self,
        (turn, step): (u64, u32),
        record: &Step,
        label: Label,
        at_ms: u64,
    ) -> Result<Answer, StoreError> {
        let Some(head) = self.head(turn)? else {
            return Ok(refused(format!("turn {turn} is not known")));
        };
        let (next, before) = self.steps_so_far(turn, head.label)?;
        if step < next {
            return Ok(Answer::Stored);
        }
        if head.ended.is_some() {
            return Ok(refused(format!("turn {turn} has ended: no step {step}")));
        }
        if step > next || step >= STEPS_MAX {
            return Ok(refused(format!("turn {turn}: step {step} does not follow, the next is {next} of {STEPS_MAX}")));
        }
        let columns = match stored::to_columns(record) {
            Ok(columns) => columns,
            Err(why) => return Ok(refused(format!("turn {turn}, step {step}: {why}"))),
        };
        if let Some(why) = self.out_of_turn(turn, record, &columns)? {
            return Ok(refused(format!("turn {turn}, step {step}: {why}")));
        }
        self.write(
            "journal the step",
            "INSERT INTO step (turn, step, version, kind, action, body, stdout, stderr, label, at_ms, undoes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                turn.cast_signed(),
                step,
                stored::VERSION,
                columns.kind,
                columns.action,
                columns.body,
                columns.stdout,
                columns.stderr,
                // Labels only grow: what a turn has seen it can't unsee.
                label_text(before.join(label)),
                at_ms.cast_signed(),
                columns.undoes,
            ],
        )?;
        Ok(Answer::Stored)
    }

    /// The end of a turn; the first one stands.
    pub fn finish(&self, turn: u64, end: TurnEnd, reply: &str, at_ms: u64) -> Result<Answer, StoreError> {
        let Some(head) = self.head(turn)? else {
            return Ok(refused(format!("turn {turn} is not known")));
        };
        if let Some((ended, said)) = head.ended {
            if ended == end && said == reply {
                return Ok(Answer::Stored);
            }
            return Ok(refused(format!("turn {turn} has ended already, {}, with another reply", end_text(ended))));
        }
        self.write(
            "journal the reply",
            "UPDATE turn SET ended = ?2, reply = ?3, ended_at_ms = ?4 WHERE id = ?1",
            params![turn.cast_signed(), end_text(end), reply, at_ms.cast_signed()],
        )?;
        Ok(Answer::Stored)
    }

    /// All that is journaled of a turn.
    pub fn load_turn(&self, turn: u64) -> Result<Answer, StoreError> {
        let found = self.row(
            "read the turn",
            "SELECT channel, message_id, text, label, at_ms, ended, reply FROM turn WHERE id = ?1",
            params![turn.cast_signed()],
            |row| {
                let head = TurnRecord {
                    turn,
                    channel: row.get(0)?,
                    message_id: row.get(1)?,
                    text: row.get(2)?,
                    label: Label::NOTHING,
                    at_ms: row.get::<_, i64>(4)?.cast_unsigned(),
                    steps: Vec::new(),
                    ended: None,
                };
                Ok((head, row.get::<_, String>(3)?, row.get::<_, Option<String>>(5)?, row.get::<_, Option<String>>(6)?))
            },
        )?;
        let Some((mut record, label, ended, reply)) = found else {
            return Ok(Answer::Turn(None));
        };
        (record.steps, record.label) = self.steps(turn, self.label(&label)?)?;
        record.ended = self.end(ended, reply)?;
        Ok(Answer::Turn(Some(record)))
    }

    /// What was said before a turn in its channel: whole exchanges, newest last, none that was not answered.
    pub fn history(&self, before: u64, messages_max: u32, bytes_max: u32) -> Result<Answer, StoreError> {
        let sqlite = |e| StoreError::sqlite("read the history", self.path, e);
        let known =
            self.row("read the turn", "SELECT 1 FROM turn WHERE id = ?1", params![before.cast_signed()], |_| Ok(()))?;
        if known.is_none() {
            return Ok(refused(format!("turn {before} is not known")));
        }
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT t.text, t.reply, t.label, coalesce(
                     (SELECT s.label FROM step s WHERE s.turn = t.id ORDER BY s.step DESC LIMIT 1), t.label)
                 FROM turn t WHERE t.ended = 'answered' AND t.id < ?1
                     AND t.channel = (SELECT channel FROM turn WHERE id = ?1)
                 ORDER BY t.id DESC LIMIT ?2",
            )
            .map_err(sqlite)?;
        let mut rows = statement.query(params![before.cast_signed(), messages_max / 2]).map_err(sqlite)?;
        let mut newest_first = Vec::new();
        let mut room = bytes_max as usize;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (said, replied): (String, String) = (row.get(0).map_err(sqlite)?, row.get(1).map_err(sqlite)?);
            let Some(left) = room.checked_sub(said.len() + replied.len()) else {
                break;
            };
            room = left;
            newest_first.push(Message {
                speaker: Speaker::Assistant,
                text: replied,
                label: self.label(&row.get::<_, String>(3).map_err(sqlite)?)?,
            });
            newest_first.push(Message {
                speaker: Speaker::User,
                text: said,
                label: self.label(&row.get::<_, String>(2).map_err(sqlite)?)?,
            });
        }
        newest_first.reverse();
        Ok(Answer::Messages(newest_first))
    }

    /// Turns without an end, oldest first.
    pub fn open_turns(&self) -> Result<Answer, StoreError> {
        self.connection
            .prepare_cached("SELECT id FROM turn WHERE ended IS NULL ORDER BY id")
            .and_then(|mut s| s.query_map([], |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))?.collect())
            .map(Answer::Open)
            .map_err(|e| StoreError::sqlite("list open turns", self.path, e))
    }

    fn head(&self, turn: u64) -> Result<Option<Head>, StoreError> {
        let found = self.row(
            "read the turn",
            "SELECT label, ended, reply FROM turn WHERE id = ?1",
            params![turn.cast_signed()],
            |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)),
        )?;
        found
            .map(|(label, ended, reply)| Ok(Head { label: self.label(&label)?, ended: self.end(ended, reply)? }))
            .transpose()
    }

    /// Number of the next step, and the label that the turn has reached.
    fn steps_so_far(&self, turn: u64, received: Label) -> Result<(u32, Label), StoreError> {
        let last = self.row(
            "read the turn's steps",
            "SELECT step, label FROM step WHERE turn = ?1 ORDER BY step DESC LIMIT 1",
            params![turn.cast_signed()],
            |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)),
        )?;
        match last {
            Some((step, label)) => Ok((step.saturating_add(1), self.label(&label)?)),
            None => Ok((0, received)),
        }
    }

    /// Why this step can't stand here, if it can't.
    fn out_of_turn(&self, turn: u64, record: &Step, columns: &Columns) -> Result<Option<String>, StoreError> {
        let Some(action) = columns.action else {
            return Ok(match record {
                Step::ToolFinished { .. } => Some("a result without an action".to_owned()),
                Step::Completed(_) | Step::ToolDecided { .. } | Step::Crashed { .. } => None,
            });
        };
        let is_there = |kind: &str| {
            self.row(
                "read the turn's actions",
                "SELECT 1 FROM step WHERE turn = ?1 AND action = ?2 AND kind = ?3",
                params![turn.cast_signed(), action, kind],
                |_| Ok(()),
            )
        };
        if is_there(columns.kind)?.is_some() {
            return Ok(Some(format!("action {action} has one already")));
        }
        if matches!(record, Step::ToolFinished { .. }) && is_there(TOOL_DECIDED)?.is_none() {
            return Ok(Some(format!("action {action} was never decided")));
        }
        Ok(None)
    }

    fn steps(&self, turn: u64, received: Label) -> Result<(Vec<Step>, Label), StoreError> {
        let sqlite = |e| StoreError::sqlite("read the turn's steps", self.path, e);
        let mut statement = self
            .connection
            .prepare_cached("SELECT version, body, stdout, stderr, label FROM step WHERE turn = ?1 ORDER BY step")
            .map_err(sqlite)?;
        let mut rows = statement.query(params![turn.cast_signed()]).map_err(sqlite)?;
        let (mut steps, mut label) = (Vec::new(), received);
        while let Some(row) = rows.next().map_err(sqlite)? {
            let body: String = row.get(1).map_err(sqlite)?;
            let step = stored::from_columns(
                row.get(0).map_err(sqlite)?,
                &body,
                row.get(2).map_err(sqlite)?,
                row.get(3).map_err(sqlite)?,
            )
            .map_err(|why| self.unreadable(format!("turn {turn}: {why}")))?;
            steps.push(step);
            label = self.label(&row.get::<_, String>(4).map_err(sqlite)?)?;
        }
        Ok((steps, label))
    }

    pub(super) fn row<T>(
        &self,
        step: &'static str,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row(values, read).optional())
            .map_err(|e| StoreError::sqlite(step, self.path, e))
    }

    pub(super) fn write(&self, step: &'static str, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut s| s.execute(values))
            .map(|_| ())
            .map_err(|e| StoreError::sqlite(step, self.path, e))
    }

    pub(super) fn label(&self, text: &str) -> Result<Label, StoreError> {
        label_of(text).ok_or_else(|| self.unreadable(format!("no label is called {text:?}")))
    }

    fn end(&self, ended: Option<String>, reply: Option<String>) -> Result<Option<(TurnEnd, String)>, StoreError> {
        let (Some(ended), Some(reply)) = (ended, reply) else {
            return Ok(None);
        };
        let end = end_of(&ended).ok_or_else(|| self.unreadable(format!("no turn ends with {ended:?}")))?;
        Ok(Some((end, reply)))
    }

    pub(super) fn unreadable(&self, what: String) -> StoreError {
        StoreError::Unreadable { path: self.path.to_path_buf(), what }
    }
}

fn refused(reason: String) -> Answer {
    Answer::Failed { reason }
}
