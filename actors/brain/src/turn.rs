//! The turn loop, pure: what the gate tells goes in, what the brain asks comes out.
//!
//! Context → completion → (call → result → completion)… → reply. A turn that resumes has what was done in its messages;
//! one whose last message is the assistant's goes on from there instead of asking the model again.

use schema::edge::brain::{FromBrain, ToBrain};
use schema::label::Label;
use schema::render;
use schema::talk::{CallMode, Completion, Message, Speaker};
use schema::tool::{ToolCall, ToolSpec};

use crate::limits::{CONTEXT_BYTES_MAX, TEXT_CALL_BYTES_MAX};

/// What the gate told.
#[derive(Debug)]
pub struct Event(pub ToBrain);

/// What to do next: one thing each time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send this and wait for what the gate tells.
    Ask(FromBrain),
    /// Send this, the last message, and exit.
    Close(FromBrain),
    /// The gate said what this state does not permit: exit.
    Broken(&'static str),
}

/// One turn as far as it has come.
#[derive(Default, Debug)]
pub struct Conversation {
    messages: Vec<Message>,
    tools: Vec<ToolSpec>,
    steps_left: u32,
    next_request: u32,
    open: Open,
}

#[derive(Default, Debug)]
enum Open {
    #[default]
    Nothing,
    Completion,
    Tool(ToolCall),
    Over,
}

impl Conversation {
    /// The next step of the turn.
    pub fn step(&mut self, event: Event) -> Effect {
        let open = std::mem::replace(&mut self.open, Open::Over);
        match (open, event.0) {
            (Open::Nothing, ToBrain::StartTurn { messages, tools, steps_left }) => {
                self.start(messages, tools, steps_left)
            }
            (Open::Completion, ToBrain::CompletionFinished { request, completion }) if self.is_open(request) => {
                self.completed(completion)
            }
            (Open::Completion, ToBrain::CompletionFailed { request, reason }) if self.is_open(request) => {
                close(format!("The model could not answer: {reason}"))
            }
            (Open::Tool(call), ToBrain::ToolFinished { request, outcome }) if self.is_open(request) => {
                self.tool_ended(&call, render::outcome(&outcome))
            }
            (Open::Tool(call), ToBrain::ToolRefused { request, decision }) if self.is_open(request) => {
                self.tool_ended(&call, render::refusal(&decision))
            }
            (Open::Nothing, _) => Effect::Broken("a message before the turn"),
            (Open::Completion, _) => Effect::Broken("no answer to the completion that is open"),
            (Open::Tool(_), _) => Effect::Broken("no answer to the tool call that is open"),
            (Open::Over, _) => Effect::Broken("a message after the reply"),
        }
    }

    fn is_open(&self, request: u32) -> bool {
        request.checked_add(1) == Some(self.next_request)
    }

    fn start(&mut self, messages: Vec<Message>, tools: Vec<ToolSpec>, steps_left: u32) -> Effect {
        self.messages = messages;
        self.tools = tools;
        self.steps_left = steps_left;
        let Some(last) = self.messages.last() else {
            return Effect::Broken("a turn without a message");
        };
        match last.speaker {
            Speaker::Assistant => {
                let text = last.text.clone();
                match self.call_in(&text) {
                    Some(call) => self.ask_tool(call),
                    None => close(text),
                }
            }
            Speaker::System | Speaker::User | Speaker::Tool => self.ask_completion(),
        }
    }

    fn completed(&mut self, completion: Completion) -> Effect {
        let call = match completion.call {
            Some(call) => Some(call),
            None => self.call_in(&completion.text),
        };
        match call {
            Some(call) => {
                self.say(Speaker::Assistant, render::call(&call));
                self.ask_tool(call)
            }
            None => close(completion.text),
        }
    }

    fn tool_ended(&mut self, call: &ToolCall, result: String) -> Effect {
        self.say(Speaker::Tool, render::result(call, &result));
        self.ask_completion()
    }

    /// Asks for a call only while there is a step for the call and one for the text after it.
    fn ask_completion(&mut self) -> Effect {
        if self.steps_left == 0 || self.context_bytes() > CONTEXT_BYTES_MAX {
            return close("I stopped here: this turn has used up all of its steps. Ask me to go on.".to_owned());
        }
        self.steps_left -= 1;
        self.open = Open::Completion;
        let call = if self.tools.is_empty() || self.steps_left < 2 { CallMode::Never } else { CallMode::May };
        Effect::Ask(FromBrain::RequestCompletion {
            request: self.number(),
            messages: self.messages.clone(),
            call,
            streamed: true,
        })
    }

    fn ask_tool(&mut self, call: ToolCall) -> Effect {
        if self.steps_left == 0 {
            return close(format!(
                "I wanted to use {}, but this turn has used up all of its steps. Ask me to go on.",
                call.name
            ));
        }
        self.steps_left -= 1;
        self.open = Open::Tool(call.clone());
        Effect::Ask(FromBrain::RequestTool { request: self.number(), call })
    }

    /// A call that a model without the grammar wrote as its whole text: an object of a listed tool's `name` and its
    /// `arguments`, and nothing else. Anything looser would turn talk about tools into calls.
    fn call_in(&self, text: &str) -> Option<ToolCall> {
        let text = text.trim();
        if text.len() > TEXT_CALL_BYTES_MAX || !text.starts_with('{') {
            return None;
        }
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let object = value.as_object().filter(|object| object.len() == 2)?;
        let name = object.get("name")?.as_str()?;
        let arguments = object.get("arguments").filter(|a| a.is_object())?;
        let listed = self.tools.iter().any(|tool| tool.name == name);
        listed.then(|| ToolCall { name: name.to_owned(), arguments: arguments.to_string() })
    }

    /// What the brain adds carries the join of all that it was given: it can't know better, and the gate asks nobody
    /// but itself for a turn's label.
    fn say(&mut self, speaker: Speaker, text: String) {
        let label = self.messages.iter().fold(Label::NOTHING, |label, message| label.join(message.label));
        self.messages.push(Message { speaker, text, label });
    }

    fn number(&mut self) -> u32 {
        let number = self.next_request;
        self.next_request = self.next_request.saturating_add(1);
        number
    }

    fn context_bytes(&self) -> usize {
        self.messages.iter().map(|m| m.text.len()).sum()
    }
}

fn close(text: String) -> Effect {
    Effect::Close(FromBrain::Reply { text })
}

#[cfg(test)]
mod tests;
