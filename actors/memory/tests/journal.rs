//! The journal's rules: once, in order, idempotent, whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use schema::edge::memory::{Answer, Ask, Step, TurnEnd};
use schema::label::Label;
use schema::talk::Speaker;

#[test]
fn a_message_is_a_turn_once() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    let (first, known) = turn(one(&mut store, receive("m1", "hi")));
    assert!(!known);
    assert_eq!(turn(one(&mut store, receive("m1", "hi"))), (first, true));
    let (second, known) = turn(one(&mut store, receive("m2", "hi")));
    assert!(!known && second > first);
    // The same id in another channel is another message.
    let elsewhere =
        Ask::Receive { channel: "mail".into(), message_id: "m1".into(), text: "hi".into(), label: UNTRUSTED, at_ms: 1 };
    assert!(!turn(one(&mut store, elsewhere)).1);
    stored(one(&mut store, finish(first, "hello")));
    let again = one(&mut store, receive("m1", "hi"));
    let ended = Some((TurnEnd::Answered, "hello".to_owned()));
    assert_eq!(again, Answer::Received { turn: first, known: true, ended });
}

#[test]
fn a_turn_comes_back_as_it_was_journaled() {
    let home = tempfile::tempdir().unwrap();
    let steps = [
        said("let me look"),
        decided(0),
        decided(7),
        finished(7, &[0, 1, 2, 254, b'\n']),
        Step::Crashed { role: "brain".into() },
        said(""),
    ];
    let turn = {
        let mut store = journal(home.path());
        let turn = new_turn(&mut store, "m1", "what is there?\0\u{1f980}");
        for (number, record) in (0..).zip(&steps) {
            stored(one(&mut store, step(turn, number, record.clone())));
        }
        turn
    };
    let mut store = journal(home.path());
    let record = load(&mut store, turn).expect("it is there after a restart");
    assert_eq!(record.steps, steps);
    assert_eq!(record.text, "what is there?\0\u{1f980}");
    assert_eq!((record.channel.as_str(), record.message_id.as_str()), ("local", "m1"));
    assert_eq!((record.label, record.ended), (PRIVATE, None));
    assert_eq!(open_turns(&mut store), [turn]);
    stored(one(&mut store, finish(turn, "a crab")));
    assert_eq!(open_turns(&mut store), [0; 0]);
    assert_eq!(load(&mut store, turn + 1), None);
    assert_eq!(load(&mut store, u64::MAX), None);
}

#[test]
fn a_step_again_changes_nothing_and_one_that_does_not_follow_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    let turn = new_turn(&mut store, "m1", "hi");
    stored(one(&mut store, step(turn, 0, said("one"))));
    stored(one(&mut store, step(turn, 0, said("another"))));
    assert_eq!(load(&mut store, turn).unwrap().steps, [said("one")]);
    assert!(failed(one(&mut store, step(turn, 2, said("three")))).contains("the next is 1"));
    assert!(failed(one(&mut store, step(turn, 1, finished(9, b"")))).contains("never decided"));
    assert!(failed(one(&mut store, step(turn, 1, finished(0, b"")))).contains("never decided"));
    stored(one(&mut store, step(turn, 1, decided(9))));
    assert!(failed(one(&mut store, step(turn, 2, decided(9)))).contains("has one already"));
    stored(one(&mut store, step(turn, 2, finished(9, b""))));
    assert!(failed(one(&mut store, step(turn, 3, finished(9, b"")))).contains("has one already"));
    assert!(failed(one(&mut store, step(turn + 1, 0, said("x")))).contains("not known"));
    stored(one(&mut store, finish(turn, "done")));
    assert!(failed(one(&mut store, step(turn, 3, said("late")))).contains("has ended"));
    // A repeated step of an ended turn is still only a repetition.
    stored(one(&mut store, step(turn, 2, finished(9, b""))));
}

#[test]
fn the_first_end_stands() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    let turn = new_turn(&mut store, "m1", "hi");
    stored(one(&mut store, finish(turn, "first")));
    stored(one(&mut store, finish(turn, "first")));
    assert!(failed(one(&mut store, finish(turn, "second"))).contains("ended already"));
    assert_eq!(load(&mut store, turn).unwrap().ended, Some((TurnEnd::Answered, "first".into())));
    assert!(failed(one(&mut store, finish(turn + 1, "x"))).contains("not known"));
}

#[test]
fn a_label_only_grows() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    let turn = new_turn(&mut store, "m1", "hi");
    let labels = [PRIVATE, UNTRUSTED, Label::NOTHING];
    for (number, label) in (0..).zip(labels) {
        stored(one(&mut store, Ask::RecordStep { turn, step: number, record: said("x"), label, at_ms: 1 }));
    }
    assert_eq!(load(&mut store, turn).unwrap().label, UNTRUSTED);
    stored(one(&mut store, finish(turn, "hello")));
    let later = new_turn(&mut store, "m2", "again");
    let labels: Vec<Label> = history(&mut store, later, 10, 1000).iter().map(|m| m.label).collect();
    assert_eq!(labels, [PRIVATE, UNTRUSTED], "what was said keeps its own, the reply has the turn's");
}

#[test]
fn history_is_whole_exchanges_newest_last_within_both_limits() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    for n in 0..5 {
        let turn = new_turn(&mut store, &format!("m{n}"), &format!("question {n}"));
        stored(one(&mut store, finish(turn, &format!("answer {n}"))));
    }
    let failed_turn = new_turn(&mut store, "bad", "poison");
    let end = Ask::Finish { turn: failed_turn, end: TurnEnd::Quarantined, reply: "no".into(), at_ms: 2 };
    stored(one(&mut store, end));
    let mail = Ask::Receive {
        channel: "mail".into(),
        message_id: "x".into(),
        text: "other readers".into(),
        label: PRIVATE,
        at_ms: 1,
    };
    let mail = turn(one(&mut store, mail)).0;
    stored(one(&mut store, finish(mail, "in the other channel")));
    let now = new_turn(&mut store, "now", "and?");

    let texts =
        |messages: Vec<schema::talk::Message>| -> Vec<String> { messages.into_iter().map(|m| m.text).collect() };
    let all = history(&mut store, now, 40, 16 << 10);
    assert_eq!(all.len(), 10);
    assert_eq!((all[0].speaker, all[1].speaker), (Speaker::User, Speaker::Assistant));
    assert_eq!(texts(all)[8..], ["question 4", "answer 4"]);
    assert_eq!(texts(history(&mut store, now, 4, 16 << 10)), ["question 3", "answer 3", "question 4", "answer 4"]);
    assert_eq!(texts(history(&mut store, now, 3, 16 << 10)), ["question 4", "answer 4"]);
    // 18 bytes an exchange: exactly at the limit it fits, one byte less and it doesn't.
    assert_eq!(history(&mut store, now, 40, 36).len(), 4);
    assert_eq!(history(&mut store, now, 40, 35).len(), 2);
    assert_eq!(history(&mut store, now, 40, 17).len(), 0);
    assert_eq!(history(&mut store, now, 0, 1000).len(), 0);
    assert_eq!(history(&mut store, mail, 40, 1000).len(), 0, "nothing of another channel");
    assert_eq!(history(&mut store, 1, 40, 1000).len(), 0, "nothing before the first");
    assert!(failed(one(&mut store, Ask::History { before_turn: 99, messages_max: 4, bytes_max: 9 })).contains("known"));
}

#[test]
fn a_group_is_answered_in_order_and_one_that_fails_takes_no_other_with_it() {
    let home = tempfile::tempdir().unwrap();
    let mut store = journal(home.path());
    let answers = store.answer(&[
        receive("m1", "one"),
        receive("m2", "two"),
        receive("m1", "one"),
        step(1, 0, said("x")),
        step(1, 5, said("gap")),
        finish(2, "done"),
        Ask::OpenTurns,
    ]);
    assert_eq!(turn(answers[0].clone()), (1, false));
    assert_eq!(turn(answers[1].clone()), (2, false));
    assert_eq!(turn(answers[2].clone()), (1, true));
    stored(answers[3].clone());
    failed(answers[4].clone());
    stored(answers[5].clone());
    assert_eq!(answers[6], Answer::Open(vec![1]));
}

#[test]
fn the_houses_records_are_written_read_listed_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let put =
        |table: &str, key: &str, value: &[u8]| Ask::Put { table: table.into(), key: key.into(), value: value.into() };
    let get = |table: &str, key: &str| Ask::Get { table: table.into(), key: key.into() };
    let mut store = house(home.path());
    for (table, key, value) in [("t", "b", b"2"), ("t", "a", b"1"), ("u", "a", b"9"), ("t", "b", b"3")] {
        stored(one(&mut store, put(table, key, value)));
    }
    drop(store);
    let mut store = house(home.path());
    assert_eq!(one(&mut store, get("t", "b")), Answer::Value(Some(b"3".to_vec())));
    assert_eq!(one(&mut store, get("t", "c")), Answer::Value(None));
    let list = Ask::List { table: "t".into() };
    let both = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"3".to_vec())];
    assert_eq!(one(&mut store, list.clone()), Answer::Records(both));
    let remove = Ask::Remove { table: "t".into(), key: "a".into() };
    stored(one(&mut store, remove.clone()));
    stored(one(&mut store, remove));
    assert_eq!(one(&mut store, list), Answer::Records(vec![("b".to_owned(), b"3".to_vec())]));
}
