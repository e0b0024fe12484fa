//! One database, one connection, one thread. What this module promises: an answer is given only for what is on the
//! disk; a group of requests waits for the disk once; a request that fails has changed nothing.

mod actions;
mod damage;
mod house;
mod journal;
mod open;
mod schema_sql;
mod stored;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use schema::edge::memory::{Answer, Ask};

use crate::error::StoreError;

/// Whose database it is; decides which requests it answers and which tables it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The gate's own records (slot 0).
    House,
    /// One principal's journal.
    Principal,
}

impl Owner {
    /// The owner of a slot's database.
    pub fn of_slot(slot: u32) -> Owner {
        if slot == 0 { Owner::House } else { Owner::Principal }
    }

    /// Whether a request belongs to this owner. One that does not comes from a gate that has lost its way.
    pub fn answers(self, ask: &Ask) -> bool {
        match ask {
            Ask::Receive { .. }
            | Ask::RecordStep { .. }
            | Ask::Finish { .. }
            | Ask::LoadTurn { .. }
            | Ask::History { .. }
            | Ask::OpenTurns
            | Ask::ListActions { .. }
            | Ask::LoadAction { .. }
            | Ask::EndBackground { .. } => self == Owner::Principal,
            Ask::Put { .. } | Ask::Get { .. } | Ask::Remove { .. } | Ask::List { .. } => self == Owner::House,
        }
    }
}

/// A store in its directory: opened when it is first needed, and opened again after whatever made that impossible has
/// been put right, without a restart.
pub struct Store {
    owner: Owner,
    directory: PathBuf,
    open: Option<Database>,
}

/// An open database.
struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// The store of `owner` in `directory`; touches nothing yet.
    pub fn new(owner: Owner, directory: &Path) -> Store {
        Store { owner, directory: directory.to_path_buf(), open: None }
    }

    /// Opens the database if it is not open: creates it in an empty directory, brings an older one up to date.
    pub fn ensure_open(&mut self) -> Result<(), StoreError> {
        self.database().map(|_| ())
    }

    /// Answers requests that came together, in order. All of them must be of [`Owner::answers`].
    pub fn answer(&mut self, asks: &[Ask]) -> Vec<Answer> {
        match self.carry_out(asks) {
            Ok(answers) => answers,
            Err(error) => asks.iter().map(|_| failed(&error)).collect(),
        }
    }

    fn carry_out(&mut self, asks: &[Ask]) -> Result<Vec<Answer>, StoreError> {
        let together = self.transaction(asks);
        match together {
            Err(StoreError::Damaged { what, .. }) => Err(self.set_aside(&what)),
            Err(error) if asks.len() == 1 => Err(error),
            // One of them can't be done: each for itself, so that it takes no other with it.
            Err(_) => Ok(asks
                .iter()
                .map(|ask| match self.carry_out(std::slice::from_ref(ask)) {
                    Ok(answers) => answers.into_iter().next().unwrap_or(Answer::Stored),
                    Err(error) => failed(&error),
                })
                .collect()),
            Ok(answers) => Ok(answers),
        }
    }

    fn transaction(&mut self, asks: &[Ask]) -> Result<Vec<Answer>, StoreError> {
        let database = self.database()?;
        let answers = database.transaction(asks);
        // A transaction that can't even be taken back leaves a connection that can't be used: open it anew.
        if !database.connection.is_autocommit() {
            self.open = None;
        }
        answers
    }

    fn database(&mut self) -> Result<&mut Database, StoreError> {
        match self.open {
            Some(ref mut database) => Ok(database),
            None => match open::open(self.owner, &self.directory) {
                Ok(database) => Ok(self.open.insert(database)),
                Err(StoreError::Damaged { what, .. }) => Err(self.set_aside(&what)),
                Err(error) => Err(error),
            },
        }
    }

    fn set_aside(&mut self, what: &str) -> StoreError {
        // Renamed while it is open, so that closing it can't tidy up what may be evidence.
        let missing = damage::set_aside(&self.directory, what);
        self.open = None;
        missing
    }
}

impl Database {
    fn transaction(&mut self, asks: &[Ask]) -> Result<Vec<Answer>, StoreError> {
        let path = &self.path;
        let behavior =
            if asks.iter().any(writes) { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
        let transaction =
            self.connection.transaction_with_behavior(behavior).map_err(|e| StoreError::sqlite("begin", path, e))?;
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(apply(&transaction, path, ask)?);
        }
        transaction.commit().map_err(|e| StoreError::sqlite("commit", path, e))?;
        Ok(answers)
    }
}

fn writes(ask: &Ask) -> bool {
    match ask {
        Ask::Receive { .. }
        | Ask::RecordStep { .. }
        | Ask::Finish { .. }
        | Ask::EndBackground { .. }
        | Ask::Put { .. }
        | Ask::Remove { .. } => true,
        Ask::LoadTurn { .. }
        | Ask::History { .. }
        | Ask::OpenTurns
        | Ask::ListActions { .. }
        | Ask::LoadAction { .. }
        | Ask::Get { .. }
        | Ask::List { .. } => false,
    }
}

fn apply(connection: &Connection, path: &Path, ask: &Ask) -> Result<Answer, StoreError> {
    let journal = journal::Journal { connection, path };
    let house = house::House { connection, path };
    match ask {
        Ask::Receive { channel, message_id, text, label, at_ms } => {
            journal.receive(channel, message_id, text, *label, *at_ms)
        }
        Ask::RecordStep { turn, step, record, label, at_ms } => {
            journal.record_step((*turn, *step), record, *label, *at_ms)
        }
        Ask::Finish { turn, end, reply, at_ms } => journal.finish(*turn, *end, reply, *at_ms),
        Ask::LoadTurn { turn } => journal.load_turn(*turn),
        Ask::History { before_turn, messages_max, bytes_max } => {
            journal.history(*before_turn, *messages_max, *bytes_max)
        }
        Ask::OpenTurns => journal.open_turns(),
        Ask::ListActions { before, actions_max } => journal.list_actions(*before, *actions_max),
        Ask::LoadAction { action } => journal.load_action(*action),
        Ask::EndBackground { action, outcome, at_ms } => journal.end_background(*action, outcome, *at_ms),
        Ask::Put { table, key, value } => house.put(table, key, value),
        Ask::Get { table, key } => house.get(table, key),
        Ask::Remove { table, key } => house.remove(table, key),
        Ask::List { table } => house.list(table),
    }
}

fn failed(error: &StoreError) -> Answer {
    Answer::Failed { reason: error.to_string() }
}
