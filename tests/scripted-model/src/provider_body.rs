//! How large what a model is sent would be as the body of a request to an OpenAI-compatible provider: the wordiest form
//! that it has anywhere, and the one in which other assistants' requests are counted.

use schema::talk::{Message, Speaker};
use schema::tool::{ParameterKind, ToolSpec};
use serde_json::{Map, Value, json};

/// Bytes of the body, the last message's own text not counted.
pub fn bytes_above_the_message(messages: &[Message], tools: &[ToolSpec]) -> usize {
    let messages: Vec<Value> = (0..messages.len())
        .map(|i| {
            let text = if i + 1 == messages.len() { "" } else { &messages[i].text };
            json!({ "role": role(messages[i].speaker), "content": text })
        })
        .collect();
    let tools: Vec<Value> = tools.iter().map(function).collect();
    json!({ "model": "m", "messages": messages, "tools": tools }).to_string().len()
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    }
}

fn function(tool: &ToolSpec) -> Value {
    let properties: Map<String, Value> =
        tool.parameters.iter().map(|p| (p.name.clone(), json!({ "type": kind(p.kind) }))).collect();
    let required: Vec<&str> = tool.parameters.iter().filter(|p| p.required).map(|p| p.name.as_str()).collect();
    json!({ "type": "function", "function": {
        "name": tool.name,
        "description": tool.description,
        "parameters": { "type": "object", "properties": properties, "required": required },
    } })
}

fn kind(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::String => "string",
        ParameterKind::Integer => "integer",
        ParameterKind::Boolean => "boolean",
    }
}

#[cfg(test)]
mod tests {
    use super::bytes_above_the_message;
    use schema::label::Label;
    use schema::talk::{Message, Speaker};
    use schema::tool::{Parameter, ParameterKind, ToolSpec};

    fn message(speaker: Speaker, text: &str) -> Message {
        Message { speaker, text: text.to_string(), label: Label::NOTHING }
    }

    #[test]
    fn everything_counts_but_the_last_message() {
        let said = [message(Speaker::System, "be brief"), message(Speaker::User, "hi")];
        let body = r#"{"messages":[{"content":"be brief","role":"system"},{"content":"","role":"user"}],"model":"m","tools":[]}"#;
        assert_eq!(bytes_above_the_message(&said, &[]), body.len());
        let parameters = vec![Parameter { name: "path".to_string(), kind: ParameterKind::String, required: true }];
        let tool = ToolSpec { name: "read_file".to_string(), description: "Read a file.".to_string(), parameters };
        let function = r#"{"function":{"description":"Read a file.","name":"read_file","parameters":{"properties":{"path":{"type":"string"}},"required":["path"],"type":"object"}},"type":"function"}"#;
        assert_eq!(bytes_above_the_message(&said, &[tool]), body.len() + function.len());
    }
}
