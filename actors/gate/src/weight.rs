//! What each message weighs: the texts in it, which are all that can be large.

use schema::actions::ActionRecord;
use schema::edge::brain::ToBrain;
use schema::edge::connector::ToConnector;
use schema::edge::executor::ToExecutor;
use schema::edge::local::ToClient;
use schema::edge::memory::{Ask, Step, ToMemory};
use schema::edge::model::ToModel;
use schema::talk::{Completion, Message};
use schema::tool::{Decision, ToolCall, ToolOutcome};
use schema::undo::UndoPreview;

use crate::peer::Weigh;

/// What any message weighs beside its texts.
const BARE_BYTES: usize = 128;

fn messages(all: &[Message]) -> usize {
    all.iter().map(|message| message.text.len() + BARE_BYTES).sum()
}

fn call(call: &ToolCall) -> usize {
    call.name.len() + call.arguments.len()
}

fn outcome(outcome: &ToolOutcome) -> usize {
    outcome.weight_bytes()
}

fn preview(preview: &UndoPreview) -> usize {
    match preview {
        UndoPreview::Would(effects) => effects.weight_bytes(),
        UndoPreview::Conflicts { list, .. } => list.iter().map(|one| one.path.len() + BARE_BYTES).sum(),
        UndoPreview::Cannot(why) => why.len(),
    }
}

fn record(record: &ActionRecord) -> usize {
    record.said.len() + call(&record.call) + record.outcome.as_ref().map_or(0, outcome)
}

fn decision(decision: &Decision) -> usize {
    decision.reason.len() + decision.remedy.len()
}

fn completion(completion: &Completion) -> usize {
    completion.text.len() + completion.call.as_ref().map_or(0, call)
}

impl Weigh for ToBrain {
    fn weight_bytes(&self) -> usize {
        BARE_BYTES
            + match self {
                ToBrain::StartTurn { messages: all, .. } => messages(all),
                ToBrain::CompletionFinished { completion: it, .. } => completion(it),
                ToBrain::CompletionFailed { reason, .. } => reason.len(),
                ToBrain::ToolFinished { outcome: it, .. } => outcome(it),
                ToBrain::ToolRefused { decision: it, .. } => decision(it),
            }
    }
}

impl Weigh for ToModel {
    fn weight_bytes(&self) -> usize {
        BARE_BYTES
            + match self {
                ToModel::Complete { messages: all, .. } => messages(all),
                ToModel::Cancel { .. } => 0,
            }
    }
}

impl Weigh for ToExecutor {
    fn weight_bytes(&self) -> usize {
        BARE_BYTES
            + match self {
                ToExecutor::Run { call, .. } => call.texts_bytes(),
                ToExecutor::Upload { bytes, .. } => bytes.len(),
                ToExecutor::Settle { .. }
                | ToExecutor::PreviewUndo { .. }
                | ToExecutor::Cancel { .. }
                | ToExecutor::Forget { .. } => 0,
            }
    }
}

impl Weigh for ToConnector {
    fn weight_bytes(&self) -> usize {
        BARE_BYTES
    }
}

/// What a request to memory weighs.
pub fn ask(ask: &Ask) -> usize {
    BARE_BYTES
        + match ask {
            Ask::Receive { text, .. } => text.len(),
            Ask::RecordStep { record, .. } => match record {
                Step::Completed(it) => completion(it),
                Step::ToolDecided { call: it, .. } => call(it),
                Step::ToolFinished { outcome: it, .. } => outcome(it),
                Step::Crashed { role } => role.len(),
            },
            Ask::Finish { reply, .. } => reply.len(),
            Ask::EndBackground { outcome: it, .. } => outcome(it),
            Ask::Put { value, .. } => value.len(),
            Ask::LoadTurn { .. }
            | Ask::History { .. }
            | Ask::OpenTurns
            | Ask::ListActions { .. }
            | Ask::LoadAction { .. }
            | Ask::Get { .. }
            | Ask::Remove { .. }
            | Ask::List { .. } => 0,
        }
}

impl Weigh for ToMemory {
    fn weight_bytes(&self) -> usize {
        ask(&self.ask)
    }
}

impl Weigh for ToClient {
    fn weight_bytes(&self) -> usize {
        BARE_BYTES
            + match self {
                ToClient::Text(text) => text.len(),
                ToClient::ToolDecided { call: it, .. } => call(it),
                ToClient::ToolOutput { bytes, .. } => bytes.len(),
                ToClient::Replied(reply) => reply.text.len(),
                ToClient::ToolReport { outcome: it, .. } => it.as_ref().map_or(0, outcome),
                ToClient::Actions(briefs) => briefs.iter().map(|one| one.arguments.len() + BARE_BYTES).sum(),
                ToClient::UndoPreviewed { preview: it, .. } => preview(it),
                ToClient::Action { record: it, .. } => record(it),
                ToClient::Log(lines) => lines.iter().map(String::len).sum(),
                ToClient::Failed { reason, .. } => reason.len(),
                ToClient::Explained(decision) => decision.reason.len() + decision.remedy.len(),
                ToClient::Policy(state) => state.files.iter().map(|(name, text)| name.len() + text.len()).sum(),
                ToClient::Uploaded { .. } | ToClient::Status(_) | ToClient::Probed(_) => 0,
            }
    }
}
