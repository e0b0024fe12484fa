//! What the journaled steps of a turn say.

use schema::edge::memory::{Step, TurnEnd};
use schema::label::Label;
use schema::limits::STEPS_PER_TURN;
use schema::render;
use schema::talk::{Completion, Message, Speaker, Usage};
use schema::tool::{ToolCall, ToolOutcome, Verdict};

use super::words::Kind;
use crate::tools::Tool;

/// What its completions cost.
pub fn usage(steps: &[Step]) -> Usage {
    let completions = steps.iter().filter_map(|step| match step {
        Step::Completed(completion) => Some(completion.usage),
        Step::ToolDecided { .. } | Step::ToolFinished { .. } | Step::Crashed { .. } => None,
    });
    completions.fold(Usage::default(), Usage::plus)
}

/// Numbers of its actions.
pub fn actions(steps: &[Step]) -> Vec<u64> {
    let admitted = steps.iter().filter_map(|step| match step {
        Step::ToolDecided { action, .. } => Some(*action).filter(|action| *action > 0),
        Step::Completed(_) | Step::ToolFinished { .. } | Step::Crashed { .. } => None,
    });
    admitted.collect()
}

/// A step as it is journaled: what a person copies out of the workspace is there, and not in the journal once more.
pub fn without_copies(steps: &[Step], step: Step) -> Step {
    let Step::ToolFinished { action, outcome } = step else { return step };
    let is_copy = steps.iter().any(|one| match one {
        Step::ToolDecided { call, action: of, .. } => *of == action && Tool::of(&call.name) == Some(Tool::GetFile),
        Step::Completed(_) | Step::ToolFinished { .. } | Step::Crashed { .. } => false,
    });
    if !is_copy {
        return Step::ToolFinished { action, outcome };
    }
    let stdout_dropped_bytes = outcome.stdout_dropped_bytes + outcome.stdout.len() as u64;
    Step::ToolFinished { action, outcome: ToolOutcome { stdout: Vec::new(), stdout_dropped_bytes, ..outcome } }
}

/// The admitted call of which no result is journaled.
pub fn unfinished(steps: &[Step]) -> Option<(u64, ToolCall)> {
    let step = steps.iter().rev().find(|step| !matches!(step, Step::Crashed { .. }))?;
    match step {
        Step::ToolDecided { call, action, .. } if *action > 0 => Some((*action, call.clone())),
        Step::ToolDecided { .. } | Step::Completed(_) | Step::ToolFinished { .. } | Step::Crashed { .. } => None,
    }
}

/// How a turn without a brain ended, if its call is through.
pub fn tool_result(steps: &[Step]) -> Option<(TurnEnd, String)> {
    steps.iter().rev().find_map(|step| match step {
        Step::ToolFinished { .. } => Some((TurnEnd::Answered, String::new())),
        Step::ToolDecided { decision, .. } if decision.verdict != Verdict::Allowed => {
            Some((TurnEnd::Failed, decision.reason.clone()))
        }
        Step::ToolDecided { .. } | Step::Completed(_) | Step::Crashed { .. } => None,
    })
}

/// Completions and calls that it has left.
pub fn steps_left(steps: &[Step]) -> u32 {
    let used = steps.iter().filter(|step| match step {
        Step::Completed(_) | Step::ToolDecided { .. } => true,
        Step::ToolFinished { .. } | Step::Crashed { .. } => false,
    });
    STEPS_PER_TURN.saturating_sub(u32::try_from(used.count()).unwrap_or(u32::MAX))
}

/// The context with all that was done so far.
pub fn messages(kind: &Kind, steps: &[Step], label: Label) -> Vec<Message> {
    let Kind::Conversation(before) = kind else {
        return Vec::new();
    };
    let mut messages = before.clone();
    let mut say = |speaker, text| {
        messages.push(Message { speaker, text, label });
    };
    let mut asked: Option<&ToolCall> = None;
    for step in steps {
        match step {
            Step::Completed(Completion { call: Some(call), .. }) => say(Speaker::Assistant, render::call(call)),
            Step::Completed(completion) => say(Speaker::Assistant, completion.text.clone()),
            Step::ToolDecided { call, decision, action } if *action == 0 => {
                say(Speaker::Tool, render::result(call, &render::refusal(decision)))
            }
            Step::ToolDecided { call, .. } => asked = Some(call),
            Step::ToolFinished { outcome, .. } => {
                if let Some(call) = asked.take() {
                    say(Speaker::Tool, render::result(call, &render::outcome(outcome)));
                }
            }
            Step::Crashed { .. } => {}
        }
    }
    messages
}
