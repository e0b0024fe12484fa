//! Telling a tool call from words, in text that is still being written.

use schema::tool::{ToolCall, ToolSpec};
use serde_json::Value;

/// What a beginning of an answer can still become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// Words.
    Words,
    /// Nothing is decided: more must be seen, and nothing is shown yet.
    Open,
    /// A call: from here on it is held to the tools' grammar.
    Call,
}

/// How every call begins, without white space.
const CALL_BEGINS: &str = "{\"name\":\"";

/// Judges the beginning of an answer.
pub fn judge(text: &str) -> Beginning {
    let mut expected = CALL_BEGINS.chars();
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match expected.next() {
            None => return Beginning::Call,
            Some(e) if e == c => {}
            Some(_) => return Beginning::Words,
        }
    }
    if expected.next().is_none() { Beginning::Call } else { Beginning::Open }
}

/// The call that `text` is, if it is a whole one of one of `tools`.
pub fn parse(text: &str, tools: &[ToolSpec]) -> Option<ToolCall> {
    let text = text.trim();
    if !text.ends_with('}') {
        return None;
    }
    let Ok(Value::Object(mut call)) = serde_json::from_str::<Value>(text) else { return None };
    let name = call.remove("name")?.as_str()?.to_owned();
    let arguments = call.remove("arguments")?;
    let known = tools.iter().any(|tool| tool.name == name);
    (known && arguments.is_object() && call.is_empty()).then(|| ToolCall { name, arguments: arguments.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Vec<ToolSpec> {
        vec![ToolSpec { name: "read_file".into(), description: String::new(), parameters: vec![] }]
    }

    #[test]
    fn a_call_is_known_once_its_name_begins_and_not_before() {
        assert_eq!(judge(""), Beginning::Open);
        assert_eq!(judge(" \n{ \"na"), Beginning::Open);
        assert_eq!(judge("{\"name\": \""), Beginning::Call);
        assert_eq!(judge("{\"name\": \"read_file"), Beginning::Call);
    }

    #[test]
    fn other_json_and_words_are_words() {
        assert_eq!(judge("{\"title\": \"x\"}"), Beginning::Words);
        assert_eq!(judge("Sure: {\"name\": \""), Beginning::Words);
        assert_eq!(judge("{'name': 'x'}"), Beginning::Words);
    }

    #[test]
    fn a_whole_call_of_a_listed_tool_is_parsed() {
        let call = parse(" {\"name\": \"read_file\", \"arguments\": {\"path\": \"a}b\"}} ", &tools());
        let expected = ToolCall { name: "read_file".into(), arguments: "{\"path\":\"a}b\"}".into() };
        assert_eq!(call, Some(expected));
    }

    #[test]
    fn half_calls_unlisted_tools_and_extra_members_are_no_call() {
        for text in [
            "{\"name\": \"read_file\", \"arguments\": {\"path\": \"a\"}",
            "{\"name\": \"rm\", \"arguments\": {}}",
            "{\"name\": \"read_file\", \"arguments\": []}",
            "{\"name\": \"read_file\", \"arguments\": {}, \"x\": 1}",
            "{\"name\": \"read_file\"}",
        ] {
            assert_eq!(parse(text, &tools()), None, "{text}");
        }
    }
}
