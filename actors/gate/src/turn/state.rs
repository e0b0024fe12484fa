//! A turn as a pure state machine: what happened goes in, what is to be done comes out. All that a brain may say is
//! permitted here or ends it.

use schema::edge::brain::{FromBrain, ToBrain};
use schema::edge::memory::{Step, TurnEnd};
use schema::label::Label;
use schema::limits::{ARGUMENTS_BYTES, MESSAGE_BYTES, NAME_BYTES};
use schema::talk::{CallMode, Completion, Message};
use schema::tool::{Admitted, Decision, Ended, ToolCall, ToolOutcome};

use super::past;
use super::words::{Effect, Event, Kind};
use crate::limits::{CONTEXT_BYTES_MAX, CRASHES_MAX};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    Fresh,
    NeedsBrain,
    BrainsMove,
    Completing {
        messages: Vec<Message>,
        call: CallMode,
        streamed: bool,
    },
    Deciding(ToolCall),
    Running(u64),
    /// The action is being killed; then the turn ends so.
    Closing(TurnEnd, String),
    Over,
}

/// A turn.
#[derive(Debug)]
pub struct Turn {
    kind: Kind,
    steps: Vec<Step>,
    label: Label,
    phase: Phase,
    /// Number of the request that the brain has open or may make next; `None` without a brain.
    request: Option<u32>,
    model_failed: bool,
}

impl Turn {
    /// A turn with what is journaled of it, and the label of all that it was given.
    pub fn new(kind: Kind, steps: Vec<Step>, label: Label) -> Turn {
        Turn { kind, steps, label, phase: Phase::Fresh, request: None, model_failed: false }
    }

    /// What is journaled of it.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Its label.
    pub fn label(&self) -> Label {
        self.label
    }

    /// What is to be done about what happened, in order.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.phase != Phase::Over {
            self.react(event, &mut effects);
        }
        effects
    }

    fn react(&mut self, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Begin { gate_died } => self.begin(gate_died, out),
            Event::BrainReady => {
                if self.phase == Phase::NeedsBrain {
                    self.phase = Phase::BrainsMove;
                    self.request = Some(0);
                }
            }
            Event::Brain(said) => self.brain_said(said, out),
            Event::BrainGone => self.lose_brain(None, out),
            Event::Completed(completion) => self.completed(completion, out),
            Event::CompletionFailed(reason) => {
                if matches!(self.phase, Phase::Completing { .. }) {
                    self.model_failed = true;
                    self.answer_brain(out, |request| ToBrain::CompletionFailed { request, reason });
                }
            }
            Event::ModelGone => self.lose_model(out),
            Event::Decided { decision, run } => self.decided(decision, run, out),
            Event::CannotGoOn(reason) => self.close(TurnEnd::Failed, reason, out),
            Event::ToolEnded(outcome) => self.tool_ended(outcome, out),
            Event::ToolLost { executor_died } => self.tool_lost(executor_died, out),
            Event::Cancel => self.close(TurnEnd::Cancelled, "Cancelled.".to_owned(), out),
        }
    }

    fn begin(&mut self, gate_died: bool, out: &mut Vec<Effect>) {
        if gate_died && self.crashed("gate", out) {
            return;
        }
        match past::unfinished(&self.steps) {
            Some((action, call)) => {
                self.phase = Phase::Running(action);
                out.push(Effect::Rejoin(action, call, self.label));
            }
            None => self.go_on(out),
        }
    }

    /// Nothing is open: what comes next.
    fn go_on(&mut self, out: &mut Vec<Effect>) {
        match &self.kind {
            Kind::Conversation(_) => {
                self.phase = Phase::NeedsBrain;
                out.push(Effect::TakeBrain {
                    messages: past::messages(&self.kind, &self.steps, self.label),
                    steps_left: past::steps_left(&self.steps),
                });
            }
            Kind::Tool(call) => match past::tool_result(&self.steps) {
                Some((end, reply)) => self.end(end, reply, out),
                None => {
                    let call = call.clone();
                    self.phase = Phase::Deciding(call.clone());
                    out.push(Effect::Decide(call, self.label));
                }
            },
        }
    }

    fn brain_said(&mut self, said: FromBrain, out: &mut Vec<Effect>) {
        let (Phase::BrainsMove, Some(due)) = (&self.phase, self.request) else {
            return self.lose_brain(Some("a word while it was not its move"), out);
        };
        match said {
            FromBrain::RequestCompletion { request, .. } | FromBrain::RequestTool { request, .. } if request != due => {
                self.lose_brain(Some("a request out of order"), out);
            }
            FromBrain::RequestCompletion { .. } | FromBrain::RequestTool { .. }
                if past::steps_left(&self.steps) == 0 =>
            {
                self.lose_brain(Some("more requests than its turn has steps"), out);
            }
            FromBrain::RequestCompletion { messages, call, streamed, .. } => {
                self.complete(messages, call, streamed, out)
            }
            FromBrain::RequestTool { call, .. } => {
                if call.name.len() > NAME_BYTES || call.arguments.len() > ARGUMENTS_BYTES {
                    return self.lose_brain(Some("a call beyond its limit"), out);
                }
                self.phase = Phase::Deciding(call.clone());
                out.push(Effect::Decide(call, self.label));
            }
            FromBrain::Reply { text } if text.len() > MESSAGE_BYTES => {
                self.lose_brain(Some("a reply beyond its limit"), out);
            }
            FromBrain::Reply { text } => {
                let end = if self.model_failed { TurnEnd::Failed } else { TurnEnd::Answered };
                out.push(Effect::EndBrain(None));
                self.end(end, text, out);
            }
        }
    }

    fn complete(&mut self, messages: Vec<Message>, call: CallMode, streamed: bool, out: &mut Vec<Effect>) {
        let bytes: usize = messages.iter().map(|message| message.text.len()).sum();
        if bytes > CONTEXT_BYTES_MAX {
            return self.lose_brain(Some("a context beyond its limit"), out);
        }
        self.phase = Phase::Completing { messages: messages.clone(), call, streamed };
        out.push(Effect::Complete { messages, call, streamed });
    }

    fn completed(&mut self, completion: Completion, out: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Completing { .. }) {
            return;
        }
        self.model_failed = false;
        self.record(Step::Completed(completion.clone()), out);
        self.answer_brain(out, |request| ToBrain::CompletionFinished { request, completion });
    }

    /// What the brain asked for is there; without a brain, a new one gets it with the whole turn.
    fn answer_brain(&mut self, out: &mut Vec<Effect>, answer: impl FnOnce(u32) -> ToBrain) {
        match self.request {
            Some(request) => {
                self.phase = Phase::BrainsMove;
                self.request = Some(request.saturating_add(1));
                out.push(Effect::TellBrain(answer(request)));
            }
            None => self.go_on(out),
        }
    }

    fn decided(&mut self, decision: Decision, run: Option<(u64, Admitted)>, out: &mut Vec<Effect>) {
        let Phase::Deciding(call) = self.phase.clone() else {
            return;
        };
        let action = run.as_ref().map_or(0, |(action, _)| *action);
        let step = Step::ToolDecided { call, decision: decision.clone(), action };
        self.record(step, out);
        match run {
            Some((action, admitted)) => {
                self.phase = Phase::Running(action);
                out.push(Effect::Run(action, admitted));
            }
            None => {
                self.answer_brain(out, |request| ToBrain::ToolRefused { request, decision });
            }
        }
    }

    fn tool_ended(&mut self, outcome: ToolOutcome, out: &mut Vec<Effect>) {
        // What it could read is in the turn's label, and journaled there, before a brain sees any of it.
        self.label = self.label.join(outcome.reads);
        match self.phase.clone() {
            Phase::Running(action) => {
                let result = outcome.clone().for_brain();
                self.record(Step::ToolFinished { action, outcome }, out);
                self.answer_brain(out, |request| ToBrain::ToolFinished { request, outcome: result });
            }
            Phase::Closing(end, reply) => {
                if let Some(action) = past::actions(&self.steps).last().copied() {
                    self.record(Step::ToolFinished { action, outcome }, out);
                }
                self.end(end, reply, out);
            }
            Phase::Fresh
            | Phase::NeedsBrain
            | Phase::BrainsMove
            | Phase::Completing { .. }
            | Phase::Deciding(_)
            | Phase::Over => {}
        }
    }

    fn tool_lost(&mut self, executor_died: bool, out: &mut Vec<Effect>) {
        let unknown = ToolOutcome::of(Ended::Unknown);
        let Phase::Running(action) = self.phase else {
            return self.tool_ended(unknown, out);
        };
        if !executor_died {
            return self.tool_ended(unknown, out);
        }
        if self.count_crash("executor", out) >= CRASHES_MAX {
            let outcome = unknown;
            self.record(Step::ToolFinished { action, outcome }, out);
            return self.quarantine("executor", out);
        }
        // What was rehearsed is rehearsed again; what was settled its successor knows.
        match past::unfinished(&self.steps) {
            Some((action, call)) => out.push(Effect::Rejoin(action, call, self.label)),
            None => self.tool_ended(unknown, out),
        }
    }

    fn lose_brain(&mut self, violation: Option<&'static str>, out: &mut Vec<Effect>) {
        if self.request.take().is_none() {
            return;
        }
        out.push(Effect::EndBrain(violation));
        if self.crashed("brain", out) {
            return;
        }
        match &self.phase {
            Phase::Completing { .. } => {
                out.push(Effect::StopModel);
                self.go_on(out);
            }
            Phase::Fresh | Phase::NeedsBrain | Phase::BrainsMove => self.go_on(out),
            // Goes on without it; the next brain gets the result with the whole turn.
            Phase::Deciding(_) | Phase::Running(_) | Phase::Closing(..) | Phase::Over => {}
        }
    }

    fn lose_model(&mut self, out: &mut Vec<Effect>) {
        let Phase::Completing { messages, call, streamed } = self.phase.clone() else {
            return;
        };
        if !self.crashed("model", out) {
            self.complete(messages, call, streamed, out);
        }
    }

    /// Journals a crash. True when it was one too many and the turn was set aside.
    fn crashed(&mut self, role: &str, out: &mut Vec<Effect>) -> bool {
        if self.count_crash(role, out) < CRASHES_MAX {
            return false;
        }
        self.quarantine(role, out);
        true
    }

    fn count_crash(&mut self, role: &str, out: &mut Vec<Effect>) -> usize {
        let step = Step::Crashed { role: role.to_owned() };
        self.record(step.clone(), out);
        self.steps.iter().filter(|one| **one == step).count()
    }

    fn quarantine(&mut self, role: &str, out: &mut Vec<Effect>) {
        let reply = format!(
            "This message was set aside: working on it made the {role} crash {CRASHES_MAX} times. It is not tried \
             again; `chela status` counts it. Ask differently."
        );
        self.close(TurnEnd::Quarantined, reply, out);
    }

    /// Ends the turn whatever it is at; an action that runs is killed first.
    fn close(&mut self, end: TurnEnd, reply: String, out: &mut Vec<Effect>) {
        if self.request.take().is_some() || self.phase == Phase::NeedsBrain {
            out.push(Effect::EndBrain(None));
        }
        match &self.phase {
            Phase::Running(action) if past::unfinished(&self.steps).is_some() => {
                out.push(Effect::StopTool(*action));
                self.phase = Phase::Closing(end, reply);
            }
            Phase::Closing(..) => {}
            Phase::Completing { .. } => {
                out.push(Effect::StopModel);
                self.end(end, reply, out);
            }
            Phase::Fresh
            | Phase::NeedsBrain
            | Phase::BrainsMove
            | Phase::Deciding(_)
            | Phase::Running(_)
            | Phase::Over => self.end(end, reply, out),
        }
    }

    fn end(&mut self, end: TurnEnd, reply: String, out: &mut Vec<Effect>) {
        self.phase = Phase::Over;
        out.push(Effect::End(end, reply));
    }

    fn record(&mut self, step: Step, out: &mut Vec<Effect>) {
        self.steps.push(step.clone());
        out.push(Effect::Record(step, self.label));
    }
}

#[cfg(test)]
mod tests;
