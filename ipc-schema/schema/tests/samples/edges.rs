//! Every message of every edge.

use schema::edge::ProbeResult;
use schema::edge::brain::{FromBrain, ToBrain};
use schema::edge::connector::{FromConnector, LinkState, ToConnector};
use schema::edge::control::{FromRole, Place, ToRole};
use schema::edge::executor::{FromExecutor, ToExecutor};
use schema::edge::local::{FromClient, Reply, Status, ToClient};
use schema::edge::memory::{Answer, Ask, FromMemory, ToMemory, TurnEnd};
use schema::edge::model::{FromModel, ToModel};
use schema::effects::Standing;
use schema::policy::PolicyState;
use schema::talk::CallMode;
use schema::tool::Admitted;

use super::parts::{
    action, brief, call, completion, decision, instance, label, message, outcome, previews, spec, steps, turn, usage,
};
use super::{Line, line};
use crate::variants;

variants!(to_brain, TO_BRAIN, ToBrain: StartTurn, CompletionFinished, CompletionFailed, ToolFinished, ToolRefused);
variants!(from_brain, FROM_BRAIN, FromBrain: RequestCompletion, RequestTool, Reply);
variants!(to_connector, TO_CONNECTOR, ToConnector: DescribeLink);
variants!(from_connector, FROM_CONNECTOR, FromConnector: LinkDescribed);
variants!(to_role, TO_ROLE, ToRole: Ping, Drain, Reload, TreeDescribed, Unavailable);
variants!(from_role, FROM_ROLE, FromRole: Ready, Pong, Busy, Idle, Want, Unwant, DescribeTree, Misbehaved);
variants!(to_executor, TO_EXECUTOR, ToExecutor: Run, Settle, PreviewUndo, Upload, Cancel, Forget);
variants!(from_executor, FROM_EXECUTOR, FromExecutor: Output, Again, Finished, Settled, UndoPreviewed, Uploaded, Background, Ended);
variants!(from_client, FROM_CLIENT, FromClient: Ask, Tool, Upload, Cancel, Status, Probe, ReadLog, ListActions, PreviewUndo, ShowAction, Explain, ShowPolicy);
variants!(
    to_client, TO_CLIENT, ToClient:
    Text, ToolDecided, ToolOutput, Replied, ToolReport, Uploaded, Status, Probed, Log, Actions, UndoPreviewed, Action, Failed, Explained, Policy
);
variants!(ask, ASK, Ask: Receive, RecordStep, Finish, LoadTurn, History, OpenTurns, ListActions, LoadAction, EndBackground, Put, Get, Remove, List);
variants!(answer, ANSWER, Answer: Received, Stored, Turn, Messages, Open, Actions, Action, Value, Records, Failed);
variants!(to_model, TO_MODEL, ToModel: Complete, Cancel);
variants!(from_model, FROM_MODEL, FromModel: Token, Completed, Failed);

/// A golden file.
pub struct Edge {
    /// Name of the file, without `.txt`.
    pub file: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Every name that they must have.
    pub names: Vec<(&'static str, &'static [&'static str])>,
}

fn lines<T>(kind: &str, name: fn(&T) -> &'static str, values: &[T]) -> Vec<Line>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
{
    values.iter().map(|value| line(kind, name(value), value)).collect()
}

/// All files.
pub fn edges() -> Vec<Edge> {
    vec![
        Edge { file: "shared", lines: super::parts::lines(), names: super::parts::names() },
        edge(
            "brain",
            [lines("ToBrain", to_brain, &brain_down()), lines("FromBrain", from_brain, &brain_up())],
            [("ToBrain", TO_BRAIN), ("FromBrain", FROM_BRAIN)],
        ),
        edge(
            "connector",
            [
                lines("ToConnector", to_connector, &[ToConnector::DescribeLink { request: 1 }]),
                lines(
                    "FromConnector",
                    from_connector,
                    &[FromConnector::LinkDescribed { request: 1, state: LinkState::Unconfigured }],
                ),
            ],
            [("ToConnector", TO_CONNECTOR), ("FromConnector", FROM_CONNECTOR)],
        ),
        edge(
            "control",
            [lines("ToRole", to_role, &control_down()), lines("FromRole", from_role, &control_up())],
            [("ToRole", TO_ROLE), ("FromRole", FROM_ROLE)],
        ),
        edge(
            "executor",
            [lines("ToExecutor", to_executor, &executor_down()), lines("FromExecutor", from_executor, &executor_up())],
            [("ToExecutor", TO_EXECUTOR), ("FromExecutor", FROM_EXECUTOR)],
        ),
        edge(
            "local",
            [lines("FromClient", from_client, &local_up()), lines("ToClient", to_client, &local_down())],
            [("FromClient", FROM_CLIENT), ("ToClient", TO_CLIENT)],
        ),
        edge(
            "memory",
            [
                lines("ToMemory", |m: &ToMemory| ask(&m.ask), &memory_down()),
                lines("FromMemory", |m: &FromMemory| answer(&m.answer), &memory_up()),
            ],
            [("ToMemory", ASK), ("FromMemory", ANSWER)],
        ),
        edge(
            "model",
            [lines("ToModel", to_model, &model_down()), lines("FromModel", from_model, &model_up())],
            [("ToModel", TO_MODEL), ("FromModel", FROM_MODEL)],
        ),
    ]
}

fn edge(file: &'static str, lines: [Vec<Line>; 2], names: [(&'static str, &'static [&'static str]); 2]) -> Edge {
    Edge { file, lines: lines.into_iter().flatten().collect(), names: names.into() }
}

fn brain_down() -> Vec<ToBrain> {
    vec![
        ToBrain::StartTurn { messages: vec![message()], tools: vec![spec()], steps_left: 16 },
        ToBrain::CompletionFinished { request: 0, completion: completion() },
        ToBrain::CompletionFailed { request: 1, reason: "why".into() },
        ToBrain::ToolFinished { request: 2, outcome: outcome() },
        ToBrain::ToolRefused { request: 3, decision: decision() },
    ]
}

fn brain_up() -> Vec<FromBrain> {
    vec![
        FromBrain::RequestCompletion { request: 0, messages: vec![message()], call: CallMode::May, streamed: true },
        FromBrain::RequestTool { request: 1, call: call() },
        FromBrain::Reply { text: "done".into() },
    ]
}

fn control_down() -> Vec<ToRole> {
    let probe = ProbeResult::Denied { errno: 13 };
    vec![
        ToRole::Ping { nonce: 1 },
        ToRole::Drain { deadline_ms: 5000 },
        ToRole::Reload,
        ToRole::TreeDescribed { request: 1, instances: vec![instance()], probe },
        ToRole::Unavailable { place: Place { role: 8, slot: 1 }, reason: "why".into() },
    ]
}

fn control_up() -> Vec<FromRole> {
    let place = Place { role: 6, slot: 2 };
    vec![
        FromRole::Ready,
        FromRole::Pong { nonce: 1 },
        FromRole::Busy,
        FromRole::Idle,
        FromRole::Want(place),
        FromRole::Unwant(place),
        FromRole::DescribeTree { request: 1 },
        FromRole::Misbehaved { place, number: 7 },
    ]
}

fn executor_down() -> Vec<ToExecutor> {
    vec![
        ToExecutor::Run { action: 5, call: Admitted::GetFile { path: "a".into(), offset: 0 }, label: label() },
        ToExecutor::Settle { action: 5, commit: true, label: label() },
        ToExecutor::PreviewUndo { request: 1, action: 5 },
        ToExecutor::Upload { request: 1, upload: 2, offset: 3, bytes: vec![0, 255] },
        ToExecutor::Cancel { action: 5 },
        ToExecutor::Forget { action: 5 },
    ]
}

fn executor_up() -> Vec<FromExecutor> {
    vec![
        FromExecutor::Output { action: 5, from_stderr: true, bytes: vec![1, 2] },
        FromExecutor::Again { action: 5 },
        FromExecutor::Finished { action: 5, outcome: outcome() },
        FromExecutor::Settled { action: 5, standing: Standing::Committed },
        FromExecutor::UndoPreviewed { request: 1, preview: previews().remove(0) },
        FromExecutor::Uploaded { request: 1, held: Ok(2) },
        FromExecutor::Uploaded { request: 1, held: Err("reason".into()) },
        FromExecutor::Background { action: 5 },
        FromExecutor::Ended { action: 5, outcome: outcome() },
    ]
}

fn local_up() -> Vec<FromClient> {
    vec![
        FromClient::Ask { message_id: "m1".into(), principal: None, text: "hi".into() },
        FromClient::Tool { principal: Some("ann".into()), call: call(), key: Some("k".into()), untrusted: true },
        FromClient::Cancel,
        FromClient::Status,
        FromClient::Probe,
        FromClient::ReadLog { from: 1, entries_max: 20 },
        FromClient::ListActions { principal: None, before: Some(5), actions_max: 20 },
        FromClient::PreviewUndo { principal: None, action: 5 },
        FromClient::Upload { principal: Some("ada".into()), upload: 2, offset: 3, bytes: vec![0, 255] },
        FromClient::ShowAction { principal: Some("ann".into()), action: 5 },
        FromClient::Explain { principal: None, call: call(), untrusted: true },
        FromClient::ShowPolicy,
    ]
}

fn local_down() -> Vec<ToClient> {
    let reply = Reply {
        text: "hello".into(),
        end: TurnEnd::Answered,
        turn: 9,
        actions: vec![5, 6],
        usage: usage(),
        overhead_us: 2500,
    };
    let status = Status {
        instances: vec![instance()],
        turns_open: 1,
        turns_waiting: 2,
        turns_quarantined: 3,
        audit_entries: 400,
    };
    vec![
        ToClient::Text("hel".into()),
        ToClient::ToolDecided { action: 5, call: call(), decision: decision() },
        ToClient::ToolOutput { action: 5, from_stderr: false, bytes: vec![104, 105] },
        ToClient::Replied(reply),
        ToClient::ToolReport { action: 5, decision: decision(), outcome: Some(outcome()) },
        ToClient::Status(status),
        ToClient::Probed(vec![(Place { role: 5, slot: 1 }, ProbeResult::NotHandled)]),
        ToClient::Log(vec!["{}".into()]),
        ToClient::Actions(vec![brief()]),
        ToClient::UndoPreviewed { action: 5, preview: previews().remove(1) },
        ToClient::Uploaded { bytes: 9 },
        ToClient::Action { principal: "ann".into(), record: Box::new(action()) },
        ToClient::Explained(decision()),
        ToClient::Policy(PolicyState {
            digest: "00".into(),
            problem: Some("a.cedar: no policy".into()),
            files: vec![("a.cedar".into(), "// none".into())],
        }),
        ToClient::Failed { reason: "why".into(), refused: true },
    ]
}

fn memory_down() -> Vec<ToMemory> {
    let (table, key) = ("keys".to_owned(), "k".to_owned());
    let asks = [
        Ask::Receive {
            channel: "local".into(),
            message_id: "m1".into(),
            text: "hi".into(),
            label: label(),
            at_ms: 1_795_548_000_000,
        },
        Ask::RecordStep { turn: 9, step: 3, record: steps().remove(3), label: label(), at_ms: 1_795_548_000_000 },
        Ask::Finish { turn: 9, end: TurnEnd::Failed, reply: "no".into(), at_ms: 1_795_548_000_001 },
        Ask::LoadTurn { turn: 9 },
        Ask::History { before_turn: 9, messages_max: 40, bytes_max: 16_384 },
        Ask::OpenTurns,
        Ask::ListActions { before: None, actions_max: 20 },
        Ask::LoadAction { action: 5 },
        Ask::EndBackground { action: 5, outcome: outcome(), at_ms: 9 },
        Ask::Put { table: table.clone(), key: key.clone(), value: vec![1, 2, 3] },
        Ask::Get { table: table.clone(), key: key.clone() },
        Ask::Remove { table: table.clone(), key },
        Ask::List { table },
    ];
    asks.into_iter().map(|ask| ToMemory { request: 300, ask }).collect()
}

fn memory_up() -> Vec<FromMemory> {
    let answers = [
        Answer::Received { turn: 9, known: true, ended: Some((TurnEnd::Cancelled, String::new())) },
        Answer::Stored,
        Answer::Turn(Some(turn())),
        Answer::Messages(vec![message()]),
        Answer::Open(vec![1, 251, 70_000]),
        Answer::Actions(vec![brief()]),
        Answer::Action(Some(Box::new(action()))),
        Answer::Value(Some(vec![1, 2, 3])),
        Answer::Records(vec![("k".into(), vec![1])]),
        Answer::Failed { reason: "why".into() },
    ];
    answers.into_iter().map(|answer| FromMemory { request: 300, answer }).collect()
}

fn model_down() -> Vec<ToModel> {
    vec![
        ToModel::Complete {
            request: 1,
            messages: vec![message()],
            tools: vec![spec()],
            call: CallMode::Must,
            tokens_max: 512,
        },
        ToModel::Cancel { request: 1 },
    ]
}

fn model_up() -> Vec<FromModel> {
    vec![
        FromModel::Token { request: 1, text: "h".into() },
        FromModel::Completed { request: 1, completion: completion() },
        FromModel::Failed { request: 1, reason: "why".into() },
    ]
}
