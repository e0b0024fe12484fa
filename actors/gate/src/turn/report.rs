//! How a turn's end is told.

use schema::edge::local::{Reply, ToClient};
use schema::edge::memory::{Step, TurnEnd};
use schema::tool::ToolCall;
use tokio::time::Duration;

use super::past;

/// Channel of messages over the local socket.
pub const LOCAL: &str = "local";
/// Channel of single calls over the local socket.
pub const TOOL: &str = "tool";

/// The last message to those who watch a turn of `channel`.
pub fn last(channel: &str, (turn, steps): (u64, &[Step]), (end, text): (TurnEnd, &str), took: Duration) -> ToClient {
    if channel == TOOL {
        return tool_report(steps).unwrap_or_else(|| ToClient::Failed { reason: text.to_owned(), refused: false });
    }
    let usage = past::usage(steps);
    let model = Duration::from_millis(u64::from(usage.model_ms));
    let overhead = took.saturating_sub(model);
    ToClient::Replied(Reply {
        text: text.to_owned(),
        end,
        turn,
        actions: past::actions(steps),
        usage,
        overhead_us: u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX),
    })
}

fn tool_report(steps: &[Step]) -> Option<ToClient> {
    let (action, decision) = steps.iter().find_map(|step| match step {
        Step::ToolDecided { action, decision, .. } => Some((*action, decision.clone())),
        Step::Completed(_) | Step::ToolFinished { .. } | Step::Crashed { .. } => None,
    })?;
    let outcome = steps.iter().find_map(|step| match step {
        Step::ToolFinished { outcome, .. } => Some(outcome.clone()),
        Step::Completed(_) | Step::ToolDecided { .. } | Step::Crashed { .. } => None,
    });
    Some(ToClient::ToolReport { action, decision, outcome })
}

/// A call as the text of its turn.
pub fn call_text(call: &ToolCall) -> String {
    serde_json::json!({ "name": call.name, "arguments": call.arguments }).to_string()
}

/// The call in the text of its turn.
pub fn call_in(text: &str) -> Result<ToolCall, String> {
    serde_json::from_str(text).map_err(|error| format!("the journaled call can't be read: {error}"))
}
