//! Requests as the gate makes them, and their answers taken apart.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use chela_memory::store::{Owner, Store};
use schema::edge::memory::{Answer, Ask, Step, TurnEnd, TurnRecord};
use schema::label::{Confidentiality, Integrity, Label};
use schema::talk::{Completion, CompletionEnd, Message, Usage};
use schema::tool::{Decision, Ended, Risk, ToolCall, ToolOutcome, Verdict};

pub const PRIVATE: Label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Private };
pub const UNTRUSTED: Label = Label { integrity: Integrity::Untrusted, confidentiality: Confidentiality::Private };

pub fn journal(directory: &Path) -> Store {
    Store::new(Owner::Principal, directory)
}

pub fn house(directory: &Path) -> Store {
    Store::new(Owner::House, directory)
}

pub fn one(store: &mut Store, ask: Ask) -> Answer {
    let mut answers = store.answer(&[ask]);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

pub fn receive(message_id: &str, text: &str) -> Ask {
    Ask::Receive {
        channel: "local".into(),
        message_id: message_id.into(),
        text: text.into(),
        label: PRIVATE,
        at_ms: 1_795_548_000_000,
    }
}

pub fn step(turn: u64, step: u32, record: Step) -> Ask {
    Ask::RecordStep { turn, step, record, label: PRIVATE, at_ms: 1_795_548_000_500 }
}

pub fn finish(turn: u64, reply: &str) -> Ask {
    Ask::Finish { turn, end: TurnEnd::Answered, reply: reply.into(), at_ms: 1_795_548_001_000 }
}

pub fn said(text: &str) -> Step {
    Step::Completed(Completion {
        text: text.into(),
        call: None,
        ended: CompletionEnd::Done,
        usage: Usage { tokens_in: 10, tokens_cached: 4, tokens_out: 3, model_ms: 25 },
    })
}

pub fn decided(action: u64) -> Step {
    Step::ToolDecided {
        call: ToolCall { name: "run_command".into(), arguments: r#"{"command":"ls"}"#.into() },
        decision: Decision {
            verdict: if action == 0 { Verdict::Refused } else { Verdict::Allowed },
            reason: "inside the workspace".into(),
            rule: "allow-list".into(),
            risk: Risk::Low,
            remedy: String::new(),
        },
        action,
    }
}

pub fn finished(action: u64, stdout: &[u8]) -> Step {
    Step::ToolFinished {
        action,
        outcome: ToolOutcome {
            ended: Ended::Exited { code: 0 },
            stdout: stdout.into(),
            stdout_dropped_bytes: 7,
            stderr: vec![0, 255],
            ms: 3,
            ..ToolOutcome::of(Ended::Unknown)
        },
    }
}

/// The turn that a received message has, and whether it was known.
pub fn turn(answer: Answer) -> (u64, bool) {
    match answer {
        Answer::Received { turn, known, .. } => (turn, known),
        other => panic!("{other:?}"),
    }
}

pub fn new_turn(store: &mut Store, message_id: &str, text: &str) -> u64 {
    turn(one(store, receive(message_id, text))).0
}

pub fn stored(answer: Answer) {
    assert_eq!(answer, Answer::Stored);
}

/// The reason of a failure.
pub fn failed(answer: Answer) -> String {
    match answer {
        Answer::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

pub fn load(store: &mut Store, turn: u64) -> Option<TurnRecord> {
    match one(store, Ask::LoadTurn { turn }) {
        Answer::Turn(turn) => turn,
        other => panic!("{other:?}"),
    }
}

pub fn open_turns(store: &mut Store) -> Vec<u64> {
    match one(store, Ask::OpenTurns) {
        Answer::Open(turns) => turns,
        other => panic!("{other:?}"),
    }
}

pub fn history(store: &mut Store, before_turn: u64, messages_max: u32, bytes_max: u32) -> Vec<Message> {
    match one(store, Ask::History { before_turn, messages_max, bytes_max }) {
        Answer::Messages(messages) => messages,
        other => panic!("{other:?}"),
    }
}
