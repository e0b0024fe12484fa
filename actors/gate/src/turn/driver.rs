//! Makes a turn happen: carries out what [`super::state`] says and brings it what came of it.
//!
//! What must be on the disk before what follows it: the message before any brain sees it, a decision (journal and audit
//! log) before what its action did becomes real, and before it starts where it is more than a rehearsal, a result before a brain sees it, the end before anybody is answered. A completion goes
//! to the journal and to the brain at once: a brain can do nothing with it but ask, and what it asks for waits for the
//! journal; if the completion is lost, so is the brain that saw it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;

use schema::edge::brain::ToBrain;
use schema::edge::local::ToClient;
use schema::edge::memory::{Ask, Step, TurnEnd};
use schema::label::Label;
use schema::talk::Message;
use schema::tool::{Admitted, Ended, Repeat, ToolCall};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use super::all::{self, OpenTurn};
use super::state::Turn;
use super::words::{Effect, Event};
use super::{action, past, report};
use crate::audit::now_ms;
use crate::brains::Brain;
use crate::events::{ModelSaid, ToolSaid, TurnEvent};
use crate::hub::Gate;
use crate::limits::BRAIN_WAIT_MS;
use crate::memories::{self, Pending, record_step};
use crate::tools;

/// The turn is over for this driver: ended, or in words why it can't go on now.
type Over = Option<String>;

struct BrainWait {
    wait: oneshot::Receiver<Rc<Brain>>,
    since: Instant,
    until: Instant,
    messages: Vec<Message>,
    steps_left: u32,
}

/// One turn at work.
pub struct Driver {
    gate: Rc<Gate>,
    open: Rc<OpenTurn>,
    inbox: mpsc::Receiver<TurnEvent>,
    state: Turn,
    next_step: u32,
    brain: Option<Rc<Brain>>,
    brain_wait: Option<BrainWait>,
    /// Since when the brain that has not said a word yet was wanted.
    brain_wanted: Option<Instant>,
    completion: Option<(u64, bool)>,
    action: Option<u64>,
    deciding: Option<Pin<Box<dyn Future<Output = Event>>>>,
    unsettled: Vec<Pending>,
}

impl Driver {
    /// A turn that is about to begin.
    pub fn new(gate: Rc<Gate>, open: Rc<OpenTurn>, inbox: mpsc::Receiver<TurnEvent>, state: Turn) -> Driver {
        Driver {
            gate,
            open,
            inbox,
            next_step: u32::try_from(state.steps().len()).unwrap_or(u32::MAX),
            state,
            brain: None,
            brain_wait: None,
            brain_wanted: None,
            completion: None,
            action: None,
            deciding: None,
            unsettled: Vec::new(),
        }
    }

    /// Runs it to its end.
    pub async fn run(mut self, gate_died: bool) {
        let begin = self.state.step(Event::Begin { gate_died });
        let mut effects = VecDeque::from(begin);
        loop {
            while let Some(effect) = effects.pop_front() {
                match self.carry_out(effect).await {
                    Ok(None) => {}
                    Ok(Some(event)) => effects.extend(self.state.step(event)),
                    Err(None) => return,
                    Err(Some(reason)) => {
                        self.part();
                        return all::fail(&self.gate, &self.open, reason);
                    }
                }
            }
            if let Some(event) = self.next().await {
                effects.extend(self.state.step(event));
            }
        }
    }

    /// What happens next.
    async fn next(&mut self) -> Option<Event> {
        let until = self.brain_wait.as_ref().map(|wait| wait.until);
        tokio::select! {
            Some(event) = self.inbox.recv() => self.sort(event),
            event = decided(&mut self.deciding) => {
                self.deciding = None;
                Some(event)
            }
            brain = ready(&mut self.brain_wait) => self.start_brain(brain),
            () = reached(until) => {
                self.brain_wait = None;
                Some(Event::CannotGoOn("no brain became free in time: try again soon".to_owned()))
            }
        }
    }

    /// An event from outside, if it is still meant.
    fn sort(&mut self, event: TurnEvent) -> Option<Event> {
        match event {
            TurnEvent::Brain { number, said } if self.is_my_brain(number) => {
                self.brain_speaks();
                Some(Event::Brain(said))
            }
            TurnEvent::Brain { .. } => None,
            TurnEvent::BrainGone { number } => self.is_my_brain(number).then_some(Event::BrainGone),
            TurnEvent::Model { request, said } => {
                let (open, streamed) = self.completion?;
                if open != request {
                    return None;
                }
                if let ModelSaid::Token(text) = said {
                    if streamed {
                        self.open.say(&ToClient::Text(text));
                    }
                    return None;
                }
                self.completion = None;
                match said {
                    ModelSaid::Token(_) => None,
                    ModelSaid::Completed(completion) => Some(Event::Completed(completion)),
                    ModelSaid::Failed(reason) => Some(Event::CompletionFailed(reason)),
                    ModelSaid::Gone => Some(Event::ModelGone),
                }
            }
            TurnEvent::Tool { action, said } if self.action == Some(action) => match said {
                ToolSaid::Output { from_stderr, bytes } => {
                    self.open.say(&ToClient::ToolOutput { action, from_stderr, bytes });
                    None
                }
                ToolSaid::Ended(outcome) => {
                    let mut body = json!({ "action": action, "ended": outcome.ended, "ms": outcome.ms });
                    if !outcome.effects.hosts.list.is_empty() {
                        body["hosts"] = json!(outcome.effects.hosts.list);
                    }
                    let event = match self.gate.backgrounds.has(action) {
                        true => crate::audit::TOOL_GOES_ON,
                        false => crate::audit::TOOL_ENDED,
                    };
                    self.gate.note(event, &body);
                    self.action = None;
                    Some(Event::ToolEnded(*outcome))
                }
                ToolSaid::Gone => {
                    self.action = None;
                    Some(Event::ToolLost { executor_died: true })
                }
            },
            TurnEvent::Tool { .. } => None,
            TurnEvent::Cancel => Some(Event::Cancel),
        }
    }

    /// Its first word says that it is at work: how long that took is logged.
    fn brain_speaks(&mut self) {
        if let Some(wanted) = self.brain_wanted.take() {
            let brain_us = u64::try_from(wanted.elapsed().as_micros()).unwrap_or(u64::MAX);
            tracing::info!(turn = self.open.turn, brain_us, "a brain is at work");
        }
    }

    fn is_my_brain(&self, number: u64) -> bool {
        self.brain.as_ref().is_some_and(|brain| brain.who().number == number)
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<Option<Event>, Over> {
        match effect {
            Effect::TakeBrain { messages, steps_left } => {
                self.settle().await?;
                return Ok(self.take_brain(messages, steps_left));
            }
            Effect::TellBrain(told) => {
                if !matches!(told, ToBrain::CompletionFinished { .. }) {
                    self.settle().await?;
                }
                self.tell_brain(told);
            }
            Effect::EndBrain(violation) => self.end_brain(violation),
            Effect::Record(step, label) => self.record(step, label),
            Effect::Complete { messages, call, streamed } => {
                let slot = self.open.principal.number;
                let inbox = self.open.inbox.clone();
                let tools = tools::specs_for(&messages);
                let request = self.gate.models.complete(slot, messages, tools, call, inbox);
                self.completion = Some((request, streamed));
            }
            Effect::StopModel => self.stop_model(),
            Effect::Decide(call, label) => {
                let (gate, open) = (self.gate.clone(), self.open.clone());
                let deciding = async move { action::decide(&gate, &open, call, label).await };
                self.deciding = Some(Box::pin(deciding));
            }
            Effect::Run(action, admitted) => return self.start_action(action, admitted).await,
            Effect::Rejoin(action, call, label) => {
                return Ok(self.rejoin(action, &call, label).await);
            }
            Effect::StopTool(action) => self.gate.executors.cancel(action),
            Effect::End(end, reply) => {
                self.end(end, reply).await?;
                return Err(None);
            }
        }
        Ok(None)
    }

    fn take_brain(&mut self, messages: Vec<Message>, steps_left: u32) -> Option<Event> {
        let Some(wait) = self.gate.brains.take() else {
            let reason = "too many turns wait for a brain: try again soon";
            return Some(Event::CannotGoOn(reason.to_owned()));
        };
        let since = Instant::now();
        self.brain_wait =
            Some(BrainWait { wait, since, until: since + Duration::from_millis(BRAIN_WAIT_MS), messages, steps_left });
        None
    }

    fn start_brain(&mut self, brain: Option<Rc<Brain>>) -> Option<Event> {
        let waited = self.brain_wait.take()?;
        let Some(brain) = brain else {
            return Some(Event::CannotGoOn("the gate is stopping".to_owned()));
        };
        brain.give(self.open.inbox.clone());
        self.brain = Some(brain);
        self.brain_wanted = Some(waited.since);
        self.tell_brain(ToBrain::StartTurn {
            messages: waited.messages,
            tools: tools::specs(),
            steps_left: waited.steps_left,
        });
        Some(Event::BrainReady)
    }

    fn tell_brain(&self, told: ToBrain) {
        if let Some(brain) = &self.brain {
            // One that takes nothing is ended, and its end is told to this turn.
            let _ = brain.peer.outbox.push(told);
        }
    }

    fn end_brain(&mut self, violation: Option<&'static str>) {
        self.brain_wait = None;
        let Some(brain) = self.brain.take() else { return };
        brain.peer.outbox.end();
        if let Some(what) = violation {
            self.gate.misbehaved(brain.who(), what);
        }
    }

    fn stop_model(&mut self) {
        if let Some((request, _)) = self.completion.take() {
            self.gate.models.cancel(request);
        }
    }

    fn record(&mut self, step: Step, label: Label) {
        if let Step::ToolDecided { call, decision, action } = &step {
            self.open.say(&ToClient::ToolDecided { action: *action, call: call.clone(), decision: decision.clone() });
        }
        if let Step::ToolFinished { action, outcome } = &step
            && outcome.ended == Ended::Unknown
        {
            let body = json!({ "action": action, "ended": outcome.ended });
            self.gate.note(crate::audit::TOOL_ENDED, &body);
        }
        let step = past::without_copies(self.state.steps(), step);
        let ask = record_step(self.open.turn, self.next_step, step, label);
        self.next_step += 1;
        let slot = self.open.principal.number;
        self.unsettled.push(self.gate.memories.start(slot, ask));
    }

    /// Waits until all that was recorded is on the disk.
    async fn settle(&mut self) -> Result<(), Over> {
        for pending in self.unsettled.drain(..) {
            memories::settled(pending.await).map_err(Some)?;
        }
        Ok(())
    }

    async fn start_action(&mut self, number: u64, call: Admitted) -> Result<Option<Event>, Over> {
        // A rehearsal changes nothing and is seen by nobody: it begins while its decision is written down.
        let mut begun = match call.repeat() {
            Repeat::Freely => {
                Some(action::start(&self.gate, &self.open, number, (call.clone(), self.state.label())).await)
            }
            Repeat::Never => None,
        };
        // Memory and the executor begin while this process waits for the audit log's disk.
        tokio::task::yield_now().await;
        let synced = self.gate.sync_audit();
        let settled = self.settle().await;
        if begun.is_none() && synced.is_ok() && settled.is_ok() {
            begun = Some(action::start(&self.gate, &self.open, number, (call, self.state.label())).await);
        }
        match (settled, synced, begun) {
            (Ok(()), Ok(()), Some(Ok(writing))) => {
                writing.done();
                self.action = Some(number);
                Ok(None)
            }
            (settled, synced, begun) => {
                self.gate.executors.cancel(number);
                settled?;
                let why = synced.err().or(begun.and_then(Result::err)).unwrap_or_default();
                Ok(Some(Event::ToolEnded(action::never_started(&why))))
            }
        }
    }

    async fn rejoin(&mut self, number: u64, call: &ToolCall, label: Label) -> Option<Event> {
        if action::rejoin(&self.gate, &self.open, number, call, label).await {
            self.action = Some(number);
            return None;
        }
        Some(Event::ToolLost { executor_died: false })
    }

    async fn end(&mut self, end: TurnEnd, reply: String) -> Result<(), Over> {
        self.part();
        let (slot, turn) = (self.open.principal.number, self.open.turn);
        if end == TurnEnd::Quarantined {
            let at = now_ms();
            let written = self.gate.house.quarantine(&self.gate.memories, (slot, turn), at, &reply);
            written.await.map_err(Some)?;
        }
        let finish = Ask::Finish { turn, end, reply: reply.clone(), at_ms: now_ms() };
        self.unsettled.push(self.gate.memories.start(slot, finish));
        self.settle().await?;
        let steps = (turn, self.state.steps());
        let took = self.open.since.elapsed();
        let last = report::last(self.open.channel, steps, (end, &reply), took);
        self.gate.turns.remove(&self.open);
        self.open.answer(&last);
        self.gate.note(
            "turn.ended",
            &json!({
                "principal": slot,
                "turn": turn,
                "end": end,
                "actions": past::actions(self.state.steps()),
                "label": self.state.label(),
            }),
        );
        self.gate.turn_ended();
        Ok(())
    }

    /// Lets go of everything that works for this turn.
    fn part(&mut self) {
        self.end_brain(None);
        self.stop_model();
        self.deciding = None;
        if let Some(action) = self.action.take() {
            self.gate.executors.cancel(action);
        }
    }
}

async fn decided(deciding: &mut Option<Pin<Box<dyn Future<Output = Event>>>>) -> Event {
    match deciding {
        Some(deciding) => deciding.await,
        None => std::future::pending().await,
    }
}

async fn ready(waits: &mut Option<BrainWait>) -> Option<Rc<Brain>> {
    match waits {
        Some(waits) => (&mut waits.wait).await.ok(),
        None => std::future::pending().await,
    }
}

async fn reached(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
