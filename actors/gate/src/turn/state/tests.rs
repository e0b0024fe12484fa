use proptest::prelude::*;
use schema::label::{Confidentiality, Integrity};
use schema::talk::{CompletionEnd, Speaker, Usage};
use schema::tool::{Risk, Verdict};

use super::*;

const OWNERS: Label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Private };

fn message(text: &str) -> Message {
    Message { speaker: Speaker::User, text: text.to_owned(), label: OWNERS }
}

fn conversation(steps: Vec<Step>) -> Turn {
    Turn::new(Kind::Conversation(vec![message("hi")]), steps, OWNERS)
}

fn call() -> ToolCall {
    ToolCall { name: "list_files".to_owned(), arguments: "{}".to_owned() }
}

fn completion(text: &str, call: Option<ToolCall>) -> Completion {
    Completion { text: text.to_owned(), call, ended: CompletionEnd::Done, usage: Usage::default() }
}

fn decision(verdict: Verdict) -> Decision {
    Decision { verdict, reason: "because".to_owned(), rule: "r".to_owned(), risk: Risk::Low, remedy: String::new() }
}

fn admitted(action: u64) -> Event {
    Event::Decided {
        decision: decision(Verdict::Allowed),
        run: Some((action, Admitted::ListFiles { path: ".".to_owned(), recursive: false })),
    }
}

fn outcome(ended: Ended) -> ToolOutcome {
    ToolOutcome::of(ended)
}

fn ask_completion(request: u32) -> Event {
    Event::Brain(FromBrain::RequestCompletion {
        request,
        messages: vec![message("hi")],
        call: CallMode::May,
        streamed: true,
    })
}

fn ask_tool(request: u32) -> Event {
    Event::Brain(FromBrain::RequestTool { request, call: call() })
}

fn reply(text: &str) -> Event {
    Event::Brain(FromBrain::Reply { text: text.to_owned() })
}

fn begin(turn: &mut Turn) -> Vec<Effect> {
    turn.step(Event::Begin { gate_died: false })
}

fn with_brain() -> Turn {
    let mut turn = conversation(Vec::new());
    begin(&mut turn);
    turn.step(Event::BrainReady);
    turn
}

fn crashes(effects: &[Effect], role: &str) -> usize {
    let of = |effect: &&Effect| matches!(effect, Effect::Record(Step::Crashed { role: it }, _) if it == role);
    effects.iter().filter(of).count()
}

fn end_of(effects: &[Effect]) -> Option<TurnEnd> {
    effects.iter().find_map(|effect| match effect {
        Effect::End(end, _) => Some(*end),
        _ => None,
    })
}

#[test]
fn a_message_is_answered() {
    let mut turn = conversation(Vec::new());
    assert!(matches!(begin(&mut turn)[..], [Effect::TakeBrain { steps_left: 16, .. }]));
    assert!(turn.step(Event::BrainReady).is_empty());
    assert!(matches!(turn.step(ask_completion(0))[..], [Effect::Complete { .. }]));
    let told = turn.step(Event::Completed(completion("hello", None)));
    assert!(matches!(
        told[..],
        [Effect::Record(Step::Completed(_), _), Effect::TellBrain(ToBrain::CompletionFinished { request: 0, .. })]
    ));
    let ended = turn.step(reply("hello"));
    assert_eq!(ended, [Effect::EndBrain(None), Effect::End(TurnEnd::Answered, "hello".to_owned())]);
    assert!(turn.step(reply("again")).is_empty());
}

#[test]
fn a_call_is_written_down_before_it_runs_and_its_result_before_the_brain_hears_it() {
    let mut turn = with_brain();
    assert!(matches!(turn.step(ask_tool(0))[..], [Effect::Decide(..)]));
    let run = turn.step(admitted(7));
    assert!(matches!(run[..], [Effect::Record(Step::ToolDecided { action: 7, .. }, _), Effect::Run(7, _)]));
    let told = turn.step(Event::ToolEnded(outcome(Ended::Exited { code: 0 })));
    assert!(matches!(
        told[..],
        [
            Effect::Record(Step::ToolFinished { action: 7, .. }, _),
            Effect::TellBrain(ToBrain::ToolFinished { request: 0, .. })
        ]
    ));
    assert_eq!(past::actions(turn.steps()), [7]);
}

#[test]
fn the_label_grows_with_what_a_call_could_read_before_the_brain_sees_it() {
    let mut turn = with_brain();
    turn.step(ask_tool(0));
    turn.step(admitted(1));
    assert_eq!(turn.label(), OWNERS);
    let reads = Label { integrity: Integrity::Untrusted, ..OWNERS };
    let effects = turn.step(Event::ToolEnded(ToolOutcome { reads, ..outcome(Ended::Exited { code: 0 }) }));
    assert!(matches!(&effects[0], Effect::Record(_, label) if label.integrity == Integrity::Untrusted));
    assert!(matches!(&effects[1], Effect::TellBrain(_)));
    assert_eq!(turn.label().integrity, Integrity::Untrusted);
}

#[test]
fn a_brain_that_breaks_the_rules_is_ended_and_its_turn_goes_on() {
    let wrong =
        [ask_completion(1), ask_tool(5), Event::Brain(FromBrain::Reply { text: "x".repeat(MESSAGE_BYTES + 1) })];
    for event in wrong {
        let mut turn = with_brain();
        let effects = turn.step(event);
        assert!(matches!(effects[0], Effect::EndBrain(Some(_))), "{effects:?}");
        assert_eq!(crashes(&effects, "brain"), 1);
        assert!(matches!(effects[2], Effect::TakeBrain { .. }));
    }
    let mut turn = with_brain();
    turn.step(ask_completion(0));
    let effects = turn.step(ask_completion(1));
    assert!(matches!(effects[0], Effect::EndBrain(Some(_))));
    assert!(effects.contains(&Effect::StopModel));
}

#[test]
fn no_brain_gets_more_steps_than_its_turn_has() {
    let steps = (0..16).map(|_| Step::Completed(completion("x", None))).collect();
    let mut turn = conversation(steps);
    assert!(matches!(begin(&mut turn)[..], [Effect::TakeBrain { steps_left: 0, .. }]));
    turn.step(Event::BrainReady);
    assert!(matches!(turn.step(ask_completion(0))[0], Effect::EndBrain(Some(_))));
}

#[test]
fn two_crashes_of_a_role_set_the_turn_aside_and_two_roles_once_each_do_not() {
    let mut turn = with_brain();
    assert_eq!(end_of(&turn.step(Event::BrainGone)), None);
    turn.step(Event::BrainReady);
    turn.step(ask_completion(0));
    let effects = turn.step(Event::ModelGone);
    assert_eq!(end_of(&effects), None);
    assert!(matches!(effects.last(), Some(Effect::Complete { .. })));
    let effects = turn.step(Event::ModelGone);
    assert_eq!(crashes(&effects, "model"), 1);
    assert_eq!(end_of(&effects), Some(TurnEnd::Quarantined));

    let crashed = vec![Step::Crashed { role: "gate".to_owned() }];
    let mut turn = conversation(crashed);
    let effects = turn.step(Event::Begin { gate_died: true });
    assert_eq!(end_of(&effects), Some(TurnEnd::Quarantined));
}

#[test]
fn a_call_whose_executor_dies_goes_on_in_its_successor_and_twice_sets_the_turn_aside() {
    let mut turn = with_brain();
    turn.step(ask_tool(0));
    turn.step(admitted(3));
    let effects = turn.step(Event::ToolLost { executor_died: true });
    assert_eq!(crashes(&effects, "executor"), 1);
    assert!(matches!(effects.last(), Some(Effect::Rejoin(3, ..))), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Run(..) | Effect::TellBrain(_))));
    let effects = turn.step(Event::ToolLost { executor_died: true });
    assert_eq!(end_of(&effects), Some(TurnEnd::Quarantined));
    let unknown = |effect: &Effect| matches!(effect, Effect::Record(Step::ToolFinished { outcome, .. }, _) if outcome.ended == Ended::Unknown);
    assert!(effects.iter().any(unknown));
}

#[test]
fn a_call_that_may_not_be_repeated_leaves_an_unknown_outcome() {
    let mut turn = with_brain();
    turn.step(ask_tool(0));
    turn.step(admitted(3));
    turn.step(Event::ToolLost { executor_died: true });
    let effects = turn.step(Event::ToolLost { executor_died: false });
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::TellBrain(ToBrain::ToolFinished { outcome, .. }) if outcome.ended == Ended::Unknown
    )));
}

#[test]
fn a_brain_that_dies_during_a_call_gets_a_successor_that_sees_the_result() {
    let mut turn = with_brain();
    turn.step(ask_completion(0));
    turn.step(Event::Completed(completion("", Some(call()))));
    turn.step(ask_tool(1));
    turn.step(admitted(3));
    let effects = turn.step(Event::BrainGone);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::TakeBrain { .. })));
    let effects = turn.step(Event::ToolEnded(outcome(Ended::Exited { code: 0 })));
    let Some(Effect::TakeBrain { messages, .. }) = effects.last() else {
        panic!("{effects:?}");
    };
    let speakers: Vec<_> = messages.iter().map(|message| message.speaker).collect();
    assert_eq!(speakers, [Speaker::User, Speaker::Assistant, Speaker::Tool]);
}

#[test]
fn a_turn_resumes_from_its_journal() {
    let steps = vec![
        Step::Completed(completion("", Some(call()))),
        Step::ToolDecided { call: call(), decision: decision(Verdict::Allowed), action: 9 },
    ];
    let mut turn = conversation(steps);
    let effects = turn.step(Event::Begin { gate_died: true });
    assert_eq!(crashes(&effects, "gate"), 1);
    assert!(matches!(effects[1], Effect::Rejoin(9, ..)));
    let effects = turn.step(Event::ToolLost { executor_died: false });
    assert_eq!(crashes(&effects, "executor"), 0);
    assert!(matches!(effects.last(), Some(Effect::TakeBrain { .. })));
}

#[test]
fn taken_back_everything_is_let_go_of_and_a_call_is_killed_first() {
    let mut turn = with_brain();
    turn.step(ask_completion(0));
    let effects = turn.step(Event::Cancel);
    assert!(effects.contains(&Effect::StopModel));
    assert_eq!(end_of(&effects), Some(TurnEnd::Cancelled));

    let mut turn = with_brain();
    turn.step(ask_tool(0));
    turn.step(admitted(3));
    let effects = turn.step(Event::Cancel);
    assert!(effects.contains(&Effect::StopTool(3)));
    assert_eq!(end_of(&effects), None);
    let effects = turn.step(Event::ToolEnded(outcome(Ended::Cancelled)));
    assert!(matches!(effects[0], Effect::Record(Step::ToolFinished { action: 3, .. }, _)));
    assert_eq!(end_of(&effects), Some(TurnEnd::Cancelled));
}

#[test]
fn a_call_without_a_brain_is_decided_run_and_over() {
    let mut turn = Turn::new(Kind::Tool(call()), Vec::new(), OWNERS);
    assert!(matches!(begin(&mut turn)[..], [Effect::Decide(..)]));
    assert!(matches!(turn.step(admitted(4))[1], Effect::Run(4, _)));
    let effects = turn.step(Event::ToolEnded(outcome(Ended::Exited { code: 1 })));
    assert_eq!(end_of(&effects), Some(TurnEnd::Answered));

    let mut turn = Turn::new(Kind::Tool(call()), Vec::new(), OWNERS);
    begin(&mut turn);
    let effects = turn.step(Event::Decided { decision: decision(Verdict::Refused), run: None });
    assert_eq!(end_of(&effects), Some(TurnEnd::Failed));
}

fn any_event() -> impl Strategy<Value = u8> {
    0..14u8
}

fn event(number: u8, request: u32, action: u64) -> Event {
    match number {
        0 => Event::BrainReady,
        1 => ask_completion(request),
        2 => ask_tool(request),
        3 => reply("x"),
        4 => Event::BrainGone,
        5 => Event::Completed(completion("x", Some(call()))),
        6 => Event::CompletionFailed("x".to_owned()),
        7 => Event::ModelGone,
        8 => admitted(action),
        9 => Event::ToolEnded(outcome(Ended::Exited { code: 0 })),
        10 => Event::ToolLost { executor_died: true },
        11 => Event::Cancel,
        12 => Event::CannotGoOn("x".to_owned()),
        _ => Event::ToolLost { executor_died: false },
    }
}

proptest! {
    /// Whatever happens in whatever order: an action runs only right behind its own record, no action twice; a result
    /// only of an action; the turn ends once, and nothing happens after that.
    #[test]
    fn nothing_runs_unrecorded_or_twice(
        events in proptest::collection::vec((any_event(), 0..3u32), 0..60),
    ) {
        let mut turn = conversation(Vec::new());
        let mut all = begin(&mut turn);
        for (at, (number, request)) in events.into_iter().enumerate() {
            all.extend(turn.step(event(number, request, at as u64 + 1)));
        }
        let mut decided = std::collections::BTreeSet::new();
        let mut run = std::collections::BTreeSet::new();
        let mut finished = std::collections::BTreeSet::new();
        let mut ended = 0;
        for effect in &all {
            prop_assert_eq!(ended, 0, "an effect behind the end: {:?}", effect);
            match effect {
                Effect::Record(Step::ToolDecided { action, .. }, _) if *action > 0 => {
                    decided.insert(*action);
                }
                Effect::Run(action, _) => {
                    prop_assert!(decided.contains(action));
                    prop_assert!(run.insert(*action), "action {} runs twice", action);
                }
                Effect::Record(Step::ToolFinished { action, .. }, _) => {
                    prop_assert!(run.contains(action));
                    prop_assert!(finished.insert(*action), "action {} ends twice", action);
                }
                Effect::End(..) => ended += 1,
                _ => {}
            }
        }
    }
}
