//! Any sequence of requests, in groups of any size, with restarts between them, against a model of a few lines: what
//! the model accepts is there, what it refuses left no trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use common::*;
use proptest::prelude::*;
use schema::edge::memory::{Answer, Ask, Step, TurnEnd};
use schema::label::Label;

#[derive(Default, Debug)]
struct Turn {
    id: u64,
    label: Option<Label>,
    steps: Vec<Step>,
    ended: Option<(TurnEnd, String)>,
}

#[derive(Default, Debug)]
struct Model {
    turns: Vec<(String, Turn)>,
}

impl Model {
    /// What the store must answer.
    fn answer(&mut self, ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Receive { message_id, label, .. } => {
                if let Some((_, turn)) = self.turns.iter().find(|(id, _)| id == message_id) {
                    return Some(Answer::Received { turn: turn.id, known: true, ended: turn.ended.clone() });
                }
                let id = self.turns.len() as u64 + 1;
                self.turns.push((message_id.clone(), Turn { id, label: Some(*label), ..Turn::default() }));
                Some(Answer::Received { turn: id, known: false, ended: None })
            }
            Ask::RecordStep { turn, step, record, label, .. } => {
                let turn = self.turn(*turn)?;
                if (*step as usize) < turn.steps.len() {
                    return Some(Answer::Stored);
                }
                if turn.ended.is_some() || *step as usize != turn.steps.len() || !follows(&turn.steps, record) {
                    return None;
                }
                turn.steps.push(record.clone());
                turn.label = turn.label.map(|before| before.join(*label));
                Some(Answer::Stored)
            }
            Ask::Finish { turn, end, reply, .. } => {
                let turn = self.turn(*turn)?;
                let end = (*end, reply.clone());
                match &turn.ended {
                    None => turn.ended = Some(end),
                    Some(before) if *before == end => {}
                    Some(_) => return None,
                }
                Some(Answer::Stored)
            }
            Ask::OpenTurns => {
                let open = self.turns.iter().filter(|(_, turn)| turn.ended.is_none());
                Some(Answer::Open(open.map(|(_, turn)| turn.id).collect()))
            }
            other => panic!("{other:?} is not generated"),
        }
    }

    fn turn(&mut self, id: u64) -> Option<&mut Turn> {
        self.turns.iter_mut().map(|(_, turn)| turn).find(|turn| turn.id == id)
    }
}

fn follows(before: &[Step], record: &Step) -> bool {
    let mut seen = BTreeMap::new();
    for step in before {
        match step {
            Step::ToolDecided { action, .. } if *action != 0 => {
                seen.insert(*action, false);
            }
            Step::ToolFinished { action, .. } => {
                seen.insert(*action, true);
            }
            Step::Completed(_) | Step::Crashed { .. } | Step::ToolDecided { .. } => {}
        }
    }
    match record {
        Step::Completed(_) | Step::Crashed { .. } | Step::ToolDecided { action: 0, .. } => true,
        Step::ToolDecided { action, .. } => !seen.contains_key(action),
        Step::ToolFinished { action, .. } => seen.get(action) == Some(&false),
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        "[a-z]{0,8}".prop_map(|text| said(&text)),
        (0..4u64).prop_map(decided),
        (0..4u64, prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(action, out)| finished(action, &out)),
        "[a-z]{1,8}".prop_map(|role| Step::Crashed { role }),
    ]
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let label = prop_oneof![Just(PRIVATE), Just(UNTRUSTED), Just(Label::NOTHING)];
    let end = prop_oneof![Just(TurnEnd::Answered), Just(TurnEnd::Failed), Just(TurnEnd::Cancelled)];
    prop_oneof![
        2 => (0..6u8).prop_map(|n| receive(&format!("m{n}"), "text")),
        8 => (0..5u64, 0..7u32, any_step(), label)
            .prop_map(|(turn, step, record, label)| Ask::RecordStep { turn, step, record, label, at_ms: 1 }),
        1 => (0..5u64, end, "[ab]").prop_map(|(turn, end, reply)| Ask::Finish { turn, end, reply, at_ms: 5 }),
        1 => Just(Ask::OpenTurns),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_is_what_the_model_says(
        groups in prop::collection::vec((prop::collection::vec(any_ask(), 1..12), any::<bool>()), 1..12)
    ) {
        let home = tempfile::tempdir().unwrap();
        let mut store = journal(home.path());
        let mut model = Model::default();
        for (group, restarted) in groups {
            let answers = store.answer(&group);
            prop_assert_eq!(answers.len(), group.len());
            for (ask, answer) in group.iter().zip(answers) {
                match model.answer(ask) {
                    Some(due) => prop_assert_eq!(answer, due),
                    None => prop_assert!(matches!(answer, Answer::Failed { .. }), "{:?} for {:?}", answer, ask),
                }
            }
            if restarted {
                drop(store);
                store = journal(home.path());
            }
        }
        for (_, turn) in &model.turns {
            let record = load(&mut store, turn.id).unwrap();
            prop_assert_eq!(&record.steps, &turn.steps);
            prop_assert_eq!(record.ended, turn.ended.clone());
            prop_assert_eq!(Some(record.label), turn.label);
        }
    }
}
