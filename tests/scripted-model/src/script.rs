//! The script that a user's message is: one directive a line, pure.
//!
//! `call: NAME JSON` asks for a tool, `say: TEXT` answers, `sleep_ms: N` waits before the next directive's effect,
//! `die` kills the model's process, `context` answers with the size of what was sent ([`crate::provider_body`]). Text without any directive is
//! answered with itself.

use schema::talk::{Message, Speaker};
use schema::tool::{ToolCall, ToolSpec};

use crate::provider_body::bytes_above_the_message;

/// What to do now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Action {
    /// Wait so long first, milliseconds.
    pub sleep_ms: u64,
    /// Then do this.
    pub act: Act,
}

/// What a directive does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Ask for a tool.
    Call(ToolCall),
    /// Answer.
    Say(String),
    /// End the process.
    Die,
}

/// What the script in `messages` says to do, given how many of its calls have been answered already.
pub fn next(messages: &[Message], tools: &[ToolSpec]) -> Action {
    let asked = messages.iter().rposition(|m| m.speaker == Speaker::User);
    let Some(at) = asked else { return say("there is no message from a person") };
    let answered = messages[at..].iter().filter(|m| m.speaker == Speaker::Tool).count();
    let actions = parse(messages, tools, &messages[at].text);
    let calls_before = |i: usize| actions[..i].iter().filter(|a| matches!(a.act, Act::Call(_))).count();
    (0..actions.len()).find(|i| calls_before(*i) == answered).map(|i| actions[i].clone()).unwrap_or_else(|| say("done"))
}

fn say(text: &str) -> Action {
    Action { sleep_ms: 0, act: Act::Say(text.to_string()) }
}

fn parse(messages: &[Message], tools: &[ToolSpec], text: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut sleep_ms = 0;
    for line in text.lines() {
        let act = match line.trim().split_once(": ") {
            Some(("call", rest)) => {
                let (name, arguments) = rest.split_once(' ').unwrap_or((rest, "{}"));
                Act::Call(ToolCall { name: name.to_string(), arguments: arguments.to_string() })
            }
            Some(("say", rest)) => Act::Say(rest.to_string()),
            Some(("sleep_ms", rest)) => {
                sleep_ms = rest.trim().parse().unwrap_or(0);
                continue;
            }
            _ if line.trim() == "die" => Act::Die,
            _ if line.trim() == "context" => Act::Say(describe(messages, tools)),
            _ => continue,
        };
        actions.push(Action { sleep_ms: std::mem::take(&mut sleep_ms), act });
    }
    if actions.is_empty() {
        actions.push(Action { sleep_ms, act: Act::Say(format!("you said: {text}")) });
    }
    actions
}

fn describe(messages: &[Message], tools: &[ToolSpec]) -> String {
    let above = bytes_above_the_message(messages, tools);
    format!("{} messages, {} tools, {above} bytes above the message", messages.len(), tools.len())
}

#[cfg(test)]
mod tests {
    use super::{Act, next};
    use schema::label::Label;
    use schema::talk::{Message, Speaker};

    fn message(speaker: Speaker, text: &str) -> Message {
        Message { speaker, text: text.to_string(), label: Label::NOTHING }
    }

    #[test]
    fn calls_come_in_order_and_then_the_answer() {
        let script = "call: list_files {\"path\":\".\"}\nsleep_ms: 5\ncall: read_file {}\nsay: both done";
        let mut talk = vec![message(Speaker::System, "s"), message(Speaker::User, script)];
        assert!(matches!(next(&talk, &[]).act, Act::Call(call) if call.name == "list_files"));
        talk.push(message(Speaker::Assistant, "{}"));
        talk.push(message(Speaker::Tool, "a"));
        let second = next(&talk, &[]);
        assert_eq!(second.sleep_ms, 5);
        assert!(matches!(second.act, Act::Call(call) if call.name == "read_file"));
        talk.push(message(Speaker::Tool, "b"));
        assert_eq!(next(&talk, &[]).act, Act::Say("both done".to_string()));
    }

    #[test]
    fn plain_text_is_answered_with_itself() {
        assert_eq!(next(&[message(Speaker::User, "hi")], &[]).act, Act::Say("you said: hi".to_string()));
    }
}
