//! Actions as the journal tells them: newest first, paged, with what became of each, also from an older journal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chela_memory::store::Store;
use common::{decided, finish, finished, journal, new_turn, one, step, stored};
use schema::actions::{ActionBrief, ActionRecord, Counts, Fate};
use schema::edge::memory::{Answer, Ask, Step};
use schema::effects::{Change, Effect, Effects, Kind, Standing};
use schema::limits::{ACTIONS_LISTED, ARGUMENTS_LISTED_BYTES, SAID_SHOWN_BYTES};
use schema::tool::{Ended, ToolOutcome};

fn list(store: &mut Store, before: Option<u64>, actions_max: u32) -> Vec<ActionBrief> {
    match one(store, Ask::ListActions { before, actions_max }) {
        Answer::Actions(briefs) => briefs,
        other => panic!("{other:?}"),
    }
}

fn show(store: &mut Store, action: u64) -> Option<Box<ActionRecord>> {
    match one(store, Ask::LoadAction { action }) {
        Answer::Action(record) => record,
        other => panic!("{other:?}"),
    }
}

fn outcome(standing: Standing) -> ToolOutcome {
    let effect = Effect {
        path: "a".into(),
        change: Change::Created,
        kind: Kind::File,
        before: None,
        after: None,
        diff: None,
        binary: false,
        target: None,
    };
    let effects = Effects { list: vec![effect], more: 2, bytes_written: 3, undoable: true, ..Effects::default() };
    ToolOutcome { effects, standing, ..ToolOutcome::of(Ended::Exited { code: 0 }) }
}

fn undo(action: u64, of: u64) -> Step {
    match decided(action) {
        Step::ToolDecided { mut call, decision, action } => {
            call.name = "undo".into();
            call.arguments = format!(r#"{{"action":{of}}}"#);
            Step::ToolDecided { call, decision, action }
        }
        other => other,
    }
}

/// A turn with one action.
fn act(store: &mut Store, decided: Step, end: Option<Standing>) -> u64 {
    let Step::ToolDecided { action, .. } = decided else { panic!("no decision") };
    let turn = new_turn(store, &format!("m{action}"), "please");
    stored(one(store, step(turn, 0, decided)));
    if let Some(standing) = end {
        stored(one(store, step(turn, 1, Step::ToolFinished { action, outcome: outcome(standing) })));
        stored(one(store, finish(turn, "done")));
    }
    turn
}

#[test]
fn an_action_is_told_with_its_turn_its_times_and_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = journal(dir.path());
    let turn = act(&mut store, decided(5), Some(Standing::Committed));
    let open = act(&mut store, decided(6), None);
    let shown = show(&mut store, 5).unwrap();
    assert_eq!((shown.turn, shown.said.as_str(), shown.channel.as_str()), (turn, "please", "local"));
    assert_eq!((shown.asked_at_ms, shown.settled_at_ms), (1_795_548_000_500, Some(1_795_548_000_500)));
    assert_eq!(shown.outcome, Some(outcome(Standing::Committed)));
    assert!(shown.turn_ended && shown.undone_by.is_none());
    let runs = show(&mut store, 6).unwrap();
    assert_eq!((runs.turn, runs.outcome, runs.settled_at_ms), (open, None, None));
    for unknown in [0, 4, 7, u64::MAX] {
        assert_eq!(show(&mut store, unknown), None);
    }
    let all = list(&mut store, None, 10);
    assert_eq!(
        all.iter().map(|one| (one.action, one.fate)).collect::<Vec<_>>(),
        [(6, Fate::Open), (5, Fate::Committed)]
    );
    assert_eq!(all[1].counts, Counts { created: 1, changed: 0, deleted: 0, more: 2 });
    // Its turn is over without a word on it: nobody knows.
    stored(one(&mut store, finish(open, "set aside")));
    assert_eq!(list(&mut store, None, 1)[0].fate, Fate::Unknown);
}

#[test]
fn an_undo_counts_while_it_stands_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = journal(dir.path());
    act(&mut store, decided(1), Some(Standing::Committed));
    act(&mut store, undo(2, 1), Some(Standing::Discarded { reason: "a conflict".into() }));
    assert_eq!(show(&mut store, 1).unwrap().undone_by, None);
    act(&mut store, undo(3, 1), Some(Standing::Committed));
    assert_eq!(show(&mut store, 1).unwrap().undone_by, Some(3));
    assert_eq!(show(&mut store, 3).unwrap().undoes, Some(1));
    act(&mut store, undo(4, 3), Some(Standing::Committed));
    assert_eq!(show(&mut store, 1).unwrap().undone_by, None);
    assert_eq!(show(&mut store, 3).unwrap().undone_by, Some(4));
    let fates: Vec<Fate> = list(&mut store, None, 10).into_iter().map(|one| one.fate).collect();
    assert_eq!(fates, [Fate::Committed, Fate::Undone, Fate::Discarded, Fate::Committed]);
}

#[test]
fn a_list_is_paged_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = journal(dir.path());
    let turn = new_turn(&mut store, "m", &"é".repeat(SAID_SHOWN_BYTES));
    for action in 1..=120 {
        let number = u32::try_from(action).unwrap();
        let mut decided = decided(action);
        if let Step::ToolDecided { call, .. } = &mut decided {
            call.arguments = "é".repeat(ARGUMENTS_LISTED_BYTES);
        }
        stored(one(&mut store, step(turn, 2 * number - 2, decided)));
        stored(one(&mut store, step(turn, 2 * number - 1, finished(action, b"out"))));
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = list(&mut store, before, u32::MAX);
        assert!(page.len() <= ACTIONS_LISTED as usize);
        assert!(page.iter().all(|one| one.arguments.len() <= ARGUMENTS_LISTED_BYTES && one.arguments.ends_with('…')));
        seen.extend(page.iter().map(|one| one.action));
        match page.last() {
            Some(last) => before = Some(last.action),
            None => break,
        }
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<u64>>());
    assert!(show(&mut store, 7).unwrap().said.len() <= SAID_SHOWN_BYTES);
    assert!(list(&mut store, Some(0), 5).is_empty() && list(&mut store, None, 0).is_empty());
}

#[test]
fn a_journal_from_before_actions_were_listed_is_read_too() {
    let dir = tempfile::tempdir().unwrap();
    act(&mut journal(dir.path()), decided(5), Some(Standing::Committed));
    // As the release before left it: without what the second step added.
    let database = rusqlite::Connection::open(dir.path().join("memory.db")).unwrap();
    database
        .execute_batch(
            "DROP TABLE background_end; DROP INDEX step_of_action; DROP INDEX step_of_undo; ALTER TABLE step DROP COLUMN at_ms;
             ALTER TABLE step DROP COLUMN undoes; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(database);
    let mut store = journal(dir.path());
    let shown = show(&mut store, 5).unwrap();
    assert_eq!((shown.asked_at_ms, shown.settled_at_ms), (1_795_548_000_000, None), "the turn's time is known");
    assert_eq!(list(&mut store, None, 10)[0].fate, Fate::Committed);
}

#[test]
fn the_end_of_a_command_in_the_background_is_told_in_place_of_its_beginning_and_the_first_stands() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = journal(dir.path());
    let turn = new_turn(&mut store, "m5", "please");
    stored(one(&mut store, step(turn, 0, decided(5))));
    let begun = ToolOutcome { stdout: b"runs".to_vec(), ..ToolOutcome::of(Ended::Running) };
    stored(one(&mut store, step(turn, 1, Step::ToolFinished { action: 5, outcome: begun })));
    stored(one(&mut store, finish(turn, "done")));
    assert_eq!(list(&mut store, None, 1)[0].fate, Fate::Background);
    let end = |outcome| Ask::EndBackground { action: 5, outcome, at_ms: 1_795_548_999_000 };
    stored(one(&mut store, end(outcome(Standing::Committed))));
    stored(one(&mut store, end(outcome(Standing::Discarded { reason: "late".into() }))));
    for mut store in [store, journal(dir.path())] {
        let shown = show(&mut store, 5).unwrap();
        assert_eq!((shown.fate(), shown.settled_at_ms), (Fate::Committed, Some(1_795_548_999_000)));
        assert_eq!(shown.outcome, Some(outcome(Standing::Committed)));
        let listed = &list(&mut store, None, 1)[0];
        assert_eq!((listed.fate, listed.counts.created), (Fate::Committed, 1));
    }
    let mut store = journal(dir.path());
    for action in [4, 0, u64::MAX] {
        let ask = Ask::EndBackground { action, outcome: outcome(Standing::Committed), at_ms: 1 };
        assert!(matches!(one(&mut store, ask), Answer::Failed { .. }), "{action} is no action of this journal");
    }
}
