use proptest::prelude::*;
use schema::talk::{CompletionEnd, Usage};
use schema::tool::{Decision, Ended, Risk, ToolOutcome, Verdict};

use super::*;

fn message(speaker: Speaker, text: &str) -> Message {
    Message { speaker, text: text.to_owned(), label: Label::NOTHING }
}

fn tools() -> Vec<ToolSpec> {
    vec![ToolSpec { name: "list_files".to_owned(), description: String::new(), parameters: Vec::new() }]
}

fn start(messages: Vec<Message>, steps_left: u32) -> Event {
    Event(ToBrain::StartTurn { messages, tools: tools(), steps_left })
}

fn completion(text: &str, call: Option<ToolCall>) -> Completion {
    Completion { text: text.to_owned(), call, ended: CompletionEnd::Done, usage: Usage::default() }
}

fn finished(request: u32, text: &str, call: Option<ToolCall>) -> Event {
    Event(ToBrain::CompletionFinished { request, completion: completion(text, call) })
}

fn outcome() -> ToolOutcome {
    ToolOutcome {
        ended: Ended::Exited { code: 0 },
        stdout: b"a.txt\n".to_vec(),
        stdout_dropped_bytes: 0,
        stderr: Vec::new(),
        stderr_dropped_bytes: 0,
        ms: 1,
        ..ToolOutcome::of(Ended::Unknown)
    }
}

fn list() -> ToolCall {
    ToolCall { name: "list_files".to_owned(), arguments: "{\"path\": \".\"}".to_owned() }
}

fn reply(text: &str) -> Effect {
    close(text.to_owned())
}

#[test]
fn text_is_the_reply() {
    let mut turn = Conversation::default();
    let first = turn.step(start(vec![message(Speaker::User, "hi")], 16));
    assert!(matches!(
        first,
        Effect::Ask(FromBrain::RequestCompletion { request: 0, call: CallMode::May, streamed: true, .. })
    ));
    assert_eq!(turn.step(finished(0, "hello", None)), reply("hello"));
    assert!(matches!(turn.step(finished(1, "again", None)), Effect::Broken(_)));
}

#[test]
fn a_call_is_asked_for_and_its_result_stands_in_the_context() {
    let mut turn = Conversation::default();
    turn.step(start(vec![message(Speaker::User, "which files?")], 16));
    let asked = turn.step(finished(0, "", Some(list())));
    assert_eq!(asked, Effect::Ask(FromBrain::RequestTool { request: 1, call: list() }));
    let next = turn.step(Event(ToBrain::ToolFinished { request: 1, outcome: outcome() }));
    let Effect::Ask(FromBrain::RequestCompletion { request: 2, messages, .. }) = next else {
        panic!("{next:?}");
    };
    let texts: Vec<_> = messages.iter().map(|m| (m.speaker, m.text.as_str())).collect();
    assert_eq!(texts[1], (Speaker::Assistant, "{\"name\": \"list_files\", \"arguments\": {\"path\": \".\"}}"));
    assert_eq!(texts[2], (Speaker::Tool, "list_files: ok\na.txt"));
}

#[test]
fn a_refusal_is_told_to_the_model() {
    let mut turn = Conversation::default();
    turn.step(start(vec![message(Speaker::User, "x")], 16));
    turn.step(finished(0, "", Some(list())));
    let decision = Decision {
        verdict: Verdict::Refused,
        reason: "no such tool.".to_owned(),
        rule: "tools.listed".to_owned(),
        risk: Risk::Low,
        remedy: "Use another.".to_owned(),
    };
    let next = turn.step(Event(ToBrain::ToolRefused { request: 1, decision }));
    let Effect::Ask(FromBrain::RequestCompletion { messages, .. }) = next else {
        panic!("{next:?}");
    };
    assert_eq!(messages[2].text, "list_files: refused: no such tool. Use another.");
}

#[test]
fn the_last_step_is_a_closing_text() {
    let mut turn = Conversation::default();
    turn.step(start(vec![message(Speaker::User, "x")], 3));
    turn.step(finished(0, "", Some(list())));
    let last = turn.step(Event(ToBrain::ToolFinished { request: 1, outcome: outcome() }));
    assert!(matches!(last, Effect::Ask(FromBrain::RequestCompletion { call: CallMode::Never, .. })));
    let closed = turn.step(finished(2, "", Some(list())));
    assert!(matches!(closed, Effect::Close(FromBrain::Reply { text }) if text.contains("used up")));
}

#[test]
fn a_call_written_as_text_counts_only_if_it_is_nothing_else_and_listed() {
    for (text, is_call) in [
        ("{\"name\": \"list_files\", \"arguments\": {}}", true),
        (" {\"arguments\": {}, \"name\": \"list_files\"}\n", true),
        ("{\"name\": \"rm\", \"arguments\": {}}", false),
        ("{\"name\": \"list_files\", \"arguments\": {}, \"x\": 1}", false),
        ("{\"name\": \"list_files\", \"arguments\": \"{}\"}", false),
        ("Use {\"name\": \"list_files\", \"arguments\": {}}", false),
        ("{\"name\": \"list_files\"", false),
    ] {
        let mut turn = Conversation::default();
        turn.step(start(vec![message(Speaker::User, "x")], 16));
        let next = turn.step(finished(0, text, None));
        let asked = matches!(next, Effect::Ask(FromBrain::RequestTool { .. }));
        assert_eq!(asked, is_call, "{text}");
    }
}

#[test]
fn a_resumed_turn_goes_on_from_its_last_message() {
    let mut turn = Conversation::default();
    let said = vec![message(Speaker::User, "x"), message(Speaker::Assistant, "the answer")];
    assert_eq!(turn.step(start(said, 15)), reply("the answer"));

    let mut turn = Conversation::default();
    let called = vec![message(Speaker::User, "x"), message(Speaker::Assistant, &render::call(&list()))];
    assert!(matches!(turn.step(start(called, 15)), Effect::Ask(FromBrain::RequestTool { request: 0, .. })));
}

fn any_event() -> impl Strategy<Value = ToBrain> {
    let call = prop_oneof![Just(None), Just(Some(list()))];
    prop_oneof![
        (0..4u32, ".{0,20}", call).prop_map(|(request, text, call)| ToBrain::CompletionFinished {
            request,
            completion: completion(&text, call)
        }),
        (0..4u32).prop_map(|request| ToBrain::CompletionFailed { request, reason: "x".to_owned() }),
        (0..4u32).prop_map(|request| ToBrain::ToolFinished { request, outcome: outcome() }),
        (0..3u32).prop_map(|steps_left| ToBrain::StartTurn {
            messages: vec![message(Speaker::User, "x")],
            tools: tools(),
            steps_left
        }),
    ]
}

proptest! {
    /// Whatever the gate says: at most `steps_left` requests, numbered upwards from 0, and nothing after the end.
    #[test]
    fn never_asks_too_much_and_never_after_the_end(
        steps_left in 0..5u32,
        events in proptest::collection::vec(any_event(), 0..20),
    ) {
        let mut turn = Conversation::default();
        let mut asked = 0;
        let mut over = false;
        let first = start(vec![message(Speaker::User, "x")], steps_left).0;
        for event in std::iter::once(first).chain(events) {
            match turn.step(Event(event)) {
                Effect::Ask(
                    FromBrain::RequestCompletion { request, .. } | FromBrain::RequestTool { request, .. },
                ) => {
                    prop_assert!(!over);
                    prop_assert_eq!(request, asked);
                    asked += 1;
                }
                Effect::Ask(FromBrain::Reply { .. }) => prop_assert!(false, "a reply closes"),
                Effect::Close(_) => {
                    prop_assert!(!over);
                    over = true;
                }
                Effect::Broken(_) => over = true,
            }
        }
        prop_assert!(asked <= steps_left);
    }
}
