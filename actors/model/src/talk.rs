//! From a conversation as the gate sends it to one that the model's template can render. Pure.

use schema::talk::{CallMode, Message, Speaker};
use schema::tool::{ParameterKind, ToolSpec};

/// Who speaks, as chat templates name them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Standing instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

impl Part {
    /// The name in templates.
    pub fn name(self) -> &'static str {
        match self {
            Part::System => "system",
            Part::User => "user",
            Part::Assistant => "assistant",
            Part::Tool => "tool",
        }
    }
}

/// One message as the template is given it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Who.
    pub part: Part,
    /// What.
    pub text: String,
}

/// What a template can render; found out when the model is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manners {
    /// Knows standing instructions.
    pub system: bool,
    /// Knows results of tools.
    pub tool: bool,
    /// Takes two messages of one speaker in a row.
    pub repeats: bool,
}

/// The conversation for a template with these manners: what it does not know is said by the person instead, and what it
/// does not take in a row is one message.
pub fn arrange(messages: &[Message], tools: &[ToolSpec], call: CallMode, manners: Manners) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::with_capacity(messages.len() + 1);
    for message in messages {
        let part = match message.speaker {
            Speaker::System => Part::System,
            Speaker::User => Part::User,
            Speaker::Assistant => Part::Assistant,
            Speaker::Tool if manners.tool => Part::Tool,
            Speaker::Tool => Part::User,
        };
        said.push(Said { part, text: message.text.clone() });
    }
    if let Some(words) = about_tools(tools, call) {
        match said.first_mut() {
            Some(first) if first.part == Part::System => first.text = format!("{}\n\n{words}", first.text),
            Some(_) | None => said.insert(0, Said { part: Part::System, text: words }),
        }
    }
    if !manners.system {
        for message in said.iter_mut().filter(|m| m.part == Part::System) {
            message.part = Part::User;
        }
    }
    if !(manners.repeats && manners.system) {
        said = joined(said);
    }
    said
}

/// Messages of one speaker in a row as one message.
fn joined(said: Vec<Said>) -> Vec<Said> {
    let mut out: Vec<Said> = Vec::with_capacity(said.len());
    for message in said {
        match out.last_mut() {
            Some(last) if last.part == message.part => last.text = format!("{}\n\n{}", last.text, message.text),
            Some(_) | None => out.push(message),
        }
    }
    out
}

/// What the model is told of its tools; nothing when it may not call.
fn about_tools(tools: &[ToolSpec], call: CallMode) -> Option<String> {
    match call {
        CallMode::Never => return None,
        CallMode::May | CallMode::Must if tools.is_empty() => return None,
        CallMode::May | CallMode::Must => {}
    }
    let mut words = String::from(
        "To use a tool, answer with nothing but {\"name\": TOOL, \"arguments\": {…}}. Else answer in words. Tools:",
    );
    for tool in tools {
        let parameters: Vec<String> = tool
            .parameters
            .iter()
            .map(|p| format!("{}{}: {}", p.name, if p.required { "" } else { "?" }, kind(p.kind)))
            .collect();
        words.push_str(&format!("\n{}({}) {}", tool.name, parameters.join(", "), tool.description));
    }
    Some(words)
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
    use schema::label::Label;
    use schema::tool::Parameter;

    use super::*;

    const ALL: Manners = Manners { system: true, tool: true, repeats: true };

    fn message(speaker: Speaker, text: &str) -> Message {
        Message { speaker, text: text.into(), label: Label::NOTHING }
    }

    fn said(part: Part, text: &str) -> Said {
        Said { part, text: text.into() }
    }

    fn tools() -> Vec<ToolSpec> {
        let parameter = |name: &str, kind, required| Parameter { name: name.into(), kind, required };
        let parameters =
            vec![parameter("path", ParameterKind::String, true), parameter("lines", ParameterKind::Integer, false)];
        vec![ToolSpec { name: "read_file".into(), description: "Reads a file.".into(), parameters }]
    }

    #[test]
    fn a_conversation_that_the_template_knows_is_left_as_it_is() {
        let messages = [message(Speaker::System, "s"), message(Speaker::User, "u"), message(Speaker::Tool, "t")];
        let expected = [said(Part::System, "s"), said(Part::User, "u"), said(Part::Tool, "t")];
        assert_eq!(arrange(&messages, &[], CallMode::May, ALL), expected);
    }

    #[test]
    fn tools_are_told_after_the_standing_instructions_or_as_such() {
        let told = "read_file(path: string, lines?: integer) Reads a file.";
        let messages = [message(Speaker::System, "s"), message(Speaker::User, "u")];
        let with = arrange(&messages, &tools(), CallMode::Must, ALL);
        assert!(with[0].text.starts_with("s\n\n") && with[0].text.ends_with(told), "{with:?}");
        let without = arrange(&messages[1..], &tools(), CallMode::May, ALL);
        assert_eq!(without[0].part, Part::System);
        assert!(without[0].text.ends_with(told));
    }

    #[test]
    fn a_model_that_may_not_call_is_told_of_no_tools() {
        let messages = [message(Speaker::User, "u")];
        assert_eq!(arrange(&messages, &tools(), CallMode::Never, ALL), [said(Part::User, "u")]);
    }

    #[test]
    fn what_a_template_does_not_know_the_person_says() {
        let plain = Manners { system: false, tool: false, repeats: false };
        let messages = [
            message(Speaker::System, "s"),
            message(Speaker::User, "u"),
            message(Speaker::Assistant, "a"),
            message(Speaker::Tool, "t"),
            message(Speaker::User, "v"),
        ];
        let expected = [said(Part::User, "s\n\nu"), said(Part::Assistant, "a"), said(Part::User, "t\n\nv")];
        assert_eq!(arrange(&messages, &[], CallMode::Never, plain), expected);
    }
}
