//! Tool calls of a running tree, over one connection, without a model.

use std::path::PathBuf;
use std::time::Instant;

use harness::Client;
use schema::edge::local::{FromClient, ToClient};
use schema::tool::{Ended, ToolCall, ToolOutcome};

use crate::tree::Running;

/// A connection that calls `run_command`.
pub struct Calls {
    client: Client,
}

/// A JSON text of this string.
fn json(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_string(),
            '\\' => "\\\\".to_string(),
            '\n' => "\\n".to_string(),
            other => other.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

impl Calls {
    /// Connects as the owner.
    pub fn connect(running: &Running) -> Result<Calls, String> {
        Ok(Calls { client: Client::connect(&running.home)? })
    }

    /// Milliseconds from the request until the report, and what came of the command.
    pub fn run(&mut self, command: &str) -> Result<(f64, ToolOutcome), String> {
        let arguments = format!("{{\"command\":{},\"timeout_ms\":600000}}", json(command));
        let call = ToolCall { name: "run_command".to_string(), arguments };
        let from = Instant::now();
        let request = FromClient::Tool { principal: None, call, key: None, untrusted: false };
        let outcome = self.client.request(request, |answer| match answer {
            ToClient::ToolReport { outcome, .. } => Some(outcome),
            _ => None,
        })?;
        let took = from.elapsed().as_secs_f64() * 1e3;
        Ok((took, outcome.ok_or_else(|| format!("{command}: it was not admitted"))?))
    }

    /// The same of one that must succeed.
    pub fn must(&mut self, command: &str) -> Result<(f64, String), String> {
        let (took, outcome) = self.run(command)?;
        if outcome.ended != (Ended::Exited { code: 0 }) {
            return Err(format!("{command}: {:?}: {}", outcome.ended, String::from_utf8_lossy(&outcome.stderr)));
        }
        Ok((took, String::from_utf8_lossy(&outcome.stdout).into_owned()))
    }
}

/// Where the owner's files are.
pub fn workspace(running: &Running) -> PathBuf {
    running.home.root().join(format!("var/principals/{}/workspace", crate::tree::OWNER))
}
