//! The tables, as a list of steps from nothing to now. Forward only: a step that a release has shipped never changes.

use super::Owner;

/// Steps of a principal's database; the database's version is the number of steps taken.
const PRINCIPAL: &[&str] = &[
    "
    CREATE TABLE turn (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        message_id TEXT NOT NULL,
        text TEXT NOT NULL,
        label TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        ended TEXT,
        reply TEXT,
        ended_at_ms INTEGER,
        CHECK ((ended IS NULL) = (reply IS NULL)),
        CHECK ((ended IS NULL) = (ended_at_ms IS NULL))
    ) STRICT;
    CREATE UNIQUE INDEX turn_by_message ON turn (channel, message_id);
    CREATE INDEX turn_open ON turn (id) WHERE ended IS NULL;
    CREATE INDEX turn_answered ON turn (channel, id) WHERE ended = 'answered';
    CREATE TABLE step (
        id INTEGER PRIMARY KEY,
        turn INTEGER NOT NULL REFERENCES turn (id),
        step INTEGER NOT NULL,
        version INTEGER NOT NULL,
        kind TEXT NOT NULL,
        action INTEGER,
        body TEXT NOT NULL,
        stdout BLOB,
        stderr BLOB,
        label TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX step_by_number ON step (turn, step);
    CREATE UNIQUE INDEX step_by_action ON step (turn, action, kind) WHERE action IS NOT NULL;
",
    "
    ALTER TABLE step ADD COLUMN at_ms INTEGER;
    ALTER TABLE step ADD COLUMN undoes INTEGER;
    CREATE INDEX step_of_action ON step (kind, action) WHERE action IS NOT NULL;
    CREATE INDEX step_of_undo ON step (undoes) WHERE undoes IS NOT NULL;
",
    "
    CREATE TABLE background_end (
        action INTEGER PRIMARY KEY,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        stdout BLOB,
        stderr BLOB,
        at_ms INTEGER NOT NULL
    ) STRICT;
",
];

/// Steps of the house's database.
const HOUSE: &[&str] = &["
    CREATE TABLE record (
        category TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (category, key)
    ) STRICT, WITHOUT ROWID;
"];

/// The steps of an owner's database.
pub fn migrations(owner: Owner) -> &'static [&'static str] {
    match owner {
        Owner::Principal => PRINCIPAL,
        Owner::House => HOUSE,
    }
}

/// SQLite's application id: says whose database a file is, so that one put in the other's place is refused.
pub fn application_id(owner: Owner) -> i64 {
    match owner {
        Owner::Principal => 0x4348_5031,
        Owner::House => 0x4348_4831,
    }
}
