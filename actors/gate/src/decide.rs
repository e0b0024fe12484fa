//! The decision on a tool call: who asks, for what, in a turn of which label, under which policies. Nothing else is looked
//! up here.
//!
//! What can be admitted so far stays in the principal's own workspace, inside a sandbox without network; so a turn that
//! has seen untrusted text may ask for it too. The label is written down with every decision, and rules that depend on
//! it come with tools that can do more. A command line is understood first (`commands`): what nobody may do is refused, what
//! can't be told is asked about.

use policy::Outcome;
use schema::label::{Integrity, Label};
use schema::tool::{Admitted, Decision, Risk, ToolCall, Verdict};

use self::commands::{Objection, UNDERSTOOD};
use self::refusal::Refusal;
use crate::policies::{Asked, Current};
use crate::principals::Principal;
use crate::tools::{self, Tool};

mod arguments;
mod background;
mod commands;
mod paths;
mod refusal;

/// A decision, and what is to be carried out when it allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// What was decided, and why.
    pub decision: Decision,
    /// The checked call; `None` when it is refused.
    pub admitted: Option<Admitted>,
}

/// Decides.
pub fn decide(policies: &Current, principal: &Principal, call: &ToolCall, label: Label) -> Decided {
    let tool = Tool::of(&call.name);
    // What is not on the list may be anything.
    let risk = tool.map_or(Risk::High, Tool::risk);
    let not_admitted = |verdict, risk, rule: &str, reason, remedy| Decided {
        decision: Decision { verdict, reason, rule: rule.to_owned(), risk, remedy },
        admitted: None,
    };
    let admitted = match admit(tool, call) {
        Ok(admitted) => admitted,
        Err(refusal) => return not_admitted(Verdict::Refused, risk, refusal.rule, refusal.reason, refusal.remedy),
    };
    match commands::objection(&admitted) {
        None => {}
        Some(Objection::Refused { rule, reason, remedy }) => {
            return not_admitted(Verdict::Refused, Risk::High, rule, reason, remedy);
        }
        Some(Objection::Asked { reason }) => {
            let remedy = "Write out what it is to do, without what is only known when it runs.";
            return not_admitted(Verdict::Asked, Risk::High, UNDERSTOOD, reason, remedy.to_owned());
        }
    }
    let answer = policies.ask(&Asked { principal: principal.clone(), tool: call.name.clone(), label }, None);
    let verdict = match answer.outcome {
        Outcome::Refused => Verdict::Refused,
        Outcome::Asked => Verdict::Asked,
        Outcome::Allowed => {
            let reason = format!("{}; it {}", answer.reason, reason(principal, label));
            let decision =
                Decision { verdict: Verdict::Allowed, reason, rule: answer.rule, risk, remedy: String::new() };
            return Decided { decision, admitted: Some(admitted) };
        }
    };
    not_admitted(verdict, risk, &answer.rule, answer.reason, answer.remedy)
}

/// The decision on an undo of what can't be taken back.
pub fn no_undo(decision: Decision, reason: String) -> Decided {
    let rule = "undo.possible".to_owned();
    let decision = Decision { verdict: Verdict::Refused, reason, rule, ..decision };
    Decided { decision, admitted: None }
}

fn reason(principal: &Principal, label: Label) -> String {
    let who = &principal.name;
    match label.integrity {
        Integrity::Owner | Integrity::Member => {
            format!("stays in the workspace of {who}, in a sandbox without network")
        }
        Integrity::Untrusted => format!(
            "is asked for by a turn that has seen untrusted text, but stays in the workspace of {who}, in a sandbox without \
             network"
        ),
    }
}

fn admit(tool: Option<Tool>, call: &ToolCall) -> Result<Admitted, Refusal> {
    let tool = tool.ok_or_else(|| Refusal {
        rule: "tools.listed",
        reason: format!("there is no tool {:?}", shortened(&call.name)),
        remedy: format!("The tools are {}.", tools::names()),
    })?;
    arguments::admit(tool, call)
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
