//! What messages are made of: labels, calls, outcomes, states.

use schema::actions::{ActionBrief, ActionRecord, Counts, Fate, InBackground};
use schema::edge::connector::LinkState;
use schema::edge::control::{InstanceState, Phase, Place};
use schema::edge::memory::{Step, TurnEnd, TurnRecord};
use schema::edge::{Frame, ProbeResult};
use schema::effects::{Change, Effect, Effects, Hosts, Kind, Side, Standing};
use schema::label::{Confidentiality, Integrity, Label};
use schema::talk::{CallMode, Completion, CompletionEnd, Message, Speaker, Usage};
use schema::tool::{
    Admitted, Decision, Edit, Ended, Limit, Parameter, ParameterKind, Risk, Search, Settled, TerminalSize, ToolCall,
    ToolOutcome, ToolSpec, Verdict,
};
use schema::undo::{ConflictWhy, UndoConflict, UndoPreview};

use super::{Line, line};
use crate::variants;

variants!(frame, FRAME, Frame<u8>: Hello, Probe, Probed, Body);
variants!(probe_result, PROBE_RESULT, ProbeResult: Denied, Opened, CannotOpen, NotHandled);
variants!(integrity, INTEGRITY, Integrity: Owner, Member, Untrusted);
variants!(confidentiality, CONFIDENTIALITY, Confidentiality: Public, Private, Secret);
variants!(speaker, SPEAKER, Speaker: System, User, Assistant, Tool);
variants!(call_mode, CALL_MODE, CallMode: Never, May, Must);
variants!(completion_end, COMPLETION_END, CompletionEnd: Done, Length, Cancelled);
variants!(parameter_kind, PARAMETER_KIND, ParameterKind: String, Integer, Boolean);
variants!(admitted, ADMITTED, Admitted: RunCommand, ReadFile, GetFile, SearchFiles, WriteFile, EditFile, Move, Delete, MakeDirectory, Undo, ListFiles, PutFile, Start, Poll, Input, Stop);
variants!(edit, EDIT, Edit: Replace, Diff);
variants!(ended, ENDED, Ended: Exited, Signalled, TimedOut, Cancelled, Failed, Unknown, Running);
variants!(verdict, VERDICT, Verdict: Allowed, Asked, Refused);
variants!(risk, RISK, Risk: Low, Medium, High);
variants!(undo_preview, UNDO_PREVIEW, UndoPreview: Would, Conflicts, Cannot);
variants!(fate, FATE, Fate: Open, NoChange, Committed, Discarded, Undone, Unknown, Background);
variants!(link_state, LINK_STATE, LinkState: Unconfigured);
variants!(phase, PHASE, Phase: Starting, Ready, BackingOff, GivenUp, Stopping, Stopped);
variants!(step, STEP, Step: Completed, ToolDecided, ToolFinished, Crashed);
variants!(turn_end, TURN_END, TurnEnd: Answered, Failed, Quarantined, Cancelled);

pub fn label() -> Label {
    Label { integrity: Integrity::Untrusted, confidentiality: Confidentiality::Private }
}

pub fn call() -> ToolCall {
    ToolCall { name: "run_command".into(), arguments: "{\"command\":\"ls\"}".into() }
}

pub fn completion() -> Completion {
    Completion { text: "hi \u{1f980}".into(), call: Some(call()), ended: CompletionEnd::Done, usage: usage() }
}

pub fn usage() -> Usage {
    Usage { tokens_in: 250, tokens_cached: 251, tokens_out: 65_535, model_ms: 65_536 }
}

pub fn decision() -> Decision {
    Decision {
        verdict: Verdict::Refused,
        reason: "reason".into(),
        rule: "rule".into(),
        risk: Risk::Medium,
        remedy: "remedy".into(),
    }
}

pub fn outcome() -> ToolOutcome {
    ToolOutcome {
        ended: Ended::Exited { code: -1 },
        stdout: vec![0, 255],
        stdout_dropped_bytes: u64::MAX,
        stderr: Vec::new(),
        stderr_dropped_bytes: 0,
        ms: u32::MAX,
        effects: effects(),
        standing: Standing::Discarded { reason: "reason".into() },
        settled: Settled { ended_at_ms: 1_795_548_000_000, rule: "rule".into(), reason: "reason".into() },
        limit: Some(Limit::Disk),
        reads: label(),
        wrote: Some(label()),
    }
}

pub fn brief() -> ActionBrief {
    ActionBrief {
        action: 5,
        turn: 9,
        channel: "local".into(),
        tool: "run_command".into(),
        arguments: "{}".into(),
        verdict: Verdict::Allowed,
        risk: Risk::Low,
        asked_at_ms: 1_795_548_000_000,
        fate: Fate::Undone,
        ended: Some(Ended::Exited { code: 0 }),
        counts: Counts { created: 1, changed: 2, deleted: 3, more: 4 },
        undoes: Some(3),
        undone_by: Some(6),
        background: Some(InBackground::Decided),
    }
}

pub fn action() -> ActionRecord {
    ActionRecord {
        action: 5,
        turn: 9,
        channel: "local".into(),
        said: "hi".into(),
        label: label(),
        call: call(),
        decision: decision(),
        asked_at_ms: 1_795_548_000_000,
        settled_at_ms: Some(1_795_548_000_002),
        outcome: Some(outcome()),
        turn_ended: true,
        undoes: None,
        undone_by: Some(6),
        background: Some(InBackground::Decided),
    }
}

pub fn effects() -> Effects {
    let side = |bytes| Side { bytes, mode: 0o644, digest: [7; 32] };
    let effect = |change, kind, diff: Option<&str>| Effect {
        path: "path".into(),
        change,
        kind,
        before: Some(side(1)),
        after: None,
        diff: diff.map(str::to_owned),
        binary: true,
        target: Some("target".into()),
    };
    Effects {
        list: vec![
            effect(Change::Created, Kind::File, Some("diff")),
            effect(Change::Changed, Kind::Directory, None),
            effect(Change::Deleted, Kind::Symlink, None),
        ],
        more: u64::MAX,
        more_deleted: 5,
        bytes_written: 1,
        undoable: true,
        hosts: Box::new(Hosts { list: vec!["example.com:443/tcp".into()], more: 1 }),
    }
}

pub fn previews() -> Vec<UndoPreview> {
    let conflict = |why, by| UndoConflict { path: "path".into(), why, by };
    vec![
        UndoPreview::Would(effects()),
        UndoPreview::Conflicts {
            list: vec![
                conflict(ConflictWhy::Changed, Some(6)),
                conflict(ConflictWhy::Appeared, None),
                conflict(ConflictWhy::Vanished, None),
            ],
            more: 3,
        },
        UndoPreview::Cannot("why".into()),
    ]
}

pub fn message() -> Message {
    Message { speaker: Speaker::Assistant, text: "text".into(), label: label() }
}

pub fn spec() -> ToolSpec {
    let parameter = Parameter { name: "path".into(), kind: ParameterKind::String, required: true };
    ToolSpec { name: "read_file".into(), description: "Reads a file.".into(), parameters: vec![parameter] }
}

pub fn instance() -> InstanceState {
    InstanceState {
        place: Place { role: 7, slot: 1 },
        number: 300,
        pid: 70_000,
        phase: Phase::Ready,
        restarts: 2,
        uptime_ms: 1 << 33,
        last_exit: "signal 9".into(),
    }
}

pub fn turn() -> TurnRecord {
    TurnRecord {
        turn: 9,
        channel: "local".into(),
        message_id: "m1".into(),
        text: "hi".into(),
        label: label(),
        at_ms: 1_795_548_000_000,
        steps: steps(),
        ended: Some((TurnEnd::Answered, "hello".into())),
    }
}

pub fn steps() -> Vec<Step> {
    vec![
        Step::Completed(completion()),
        Step::ToolDecided { call: call(), decision: decision(), action: 5 },
        Step::ToolFinished { action: 5, outcome: outcome() },
        Step::Crashed { role: "brain".into() },
    ]
}

fn search() -> Search {
    Search { pattern: "b".into(), literal: true, ignore_case: false, glob: Some("*".into()), context: 2 }
}

fn admitted_calls() -> Vec<Line> {
    let mut lines = Vec::new();
    macro_rules! add {
        ($kind:literal, $name:ident, $values:expr) => {
            lines.extend($values.iter().map(|value| line($kind, $name(value), value)))
        };
    }
    add!(
        "Admitted",
        admitted,
        [
            Admitted::RunCommand {
                command: "ls".into(),
                timeout_ms: 10_000,
                paths: vec!["a".into()],
                image: Some("debian:13".into())
            },
            Admitted::ReadFile { path: "a".into(), offset: 1, limit: Some(2) },
            Admitted::GetFile { path: "a".into(), offset: 300 },
            Admitted::SearchFiles { path: "a".into(), what: search() },
            Admitted::WriteFile { path: "a".into(), content: b"b".into() },
            Admitted::EditFile {
                path: "a".into(),
                edit: Edit::Replace { old: "b".into(), new: "c".into(), all: true }
            },
            Admitted::Move { from: "a".into(), to: "b".into(), overwrite: true },
            Admitted::Delete { path: "a".into(), recursive: true },
            Admitted::MakeDirectory { path: "a".into() },
            Admitted::Undo { action: 9 },
            Admitted::ListFiles { path: ".".into(), recursive: true },
            Admitted::Start {
                command: "make".into(),
                timeout_ms: 3_600_000,
                terminal: None,
                image: Some("debian:13".into())
            },
            Admitted::Start {
                command: "top".into(),
                timeout_ms: 1,
                terminal: Some(TerminalSize { rows: 24, columns: 300 }),
                image: None,
            },
            Admitted::PutFile { path: "p".into(), upload: 1, bytes: 2, digest: [7; 32] },
            Admitted::Poll { action: 9, wait_ms: 500 },
            Admitted::Input { action: 9, text: "y".into(), end: true },
            Admitted::Stop { action: 9 }
        ]
    );
    add!(
        "Edit",
        edit,
        [Edit::Replace { old: "a".into(), new: "b".into(), all: false }, Edit::Diff("@@ -1 +1 @@\n-a\n+b\n".into())]
    );
    lines
}

/// The lines of `shared.txt`.
pub fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    macro_rules! add {
        ($kind:literal, $name:ident, $values:expr) => {
            lines.extend($values.iter().map(|value| line($kind, $name(value), value)))
        };
    }
    let denied = ProbeResult::Denied { errno: 13 };
    add!(
        "Frame",
        frame,
        [
            Frame::Hello { fingerprint: 1 },
            Frame::Probe { nonce: 2 },
            Frame::Probed { nonce: 3, result: denied },
            Frame::Body(4)
        ]
    );
    add!("ProbeResult", probe_result, [denied, ProbeResult::Opened, ProbeResult::CannotOpen, ProbeResult::NotHandled]);
    add!("Integrity", integrity, [Integrity::Owner, Integrity::Member, Integrity::Untrusted]);
    add!(
        "Confidentiality",
        confidentiality,
        [Confidentiality::Public, Confidentiality::Private, Confidentiality::Secret]
    );
    add!("Speaker", speaker, [Speaker::System, Speaker::User, Speaker::Assistant, Speaker::Tool]);
    add!("CallMode", call_mode, [CallMode::Never, CallMode::May, CallMode::Must]);
    add!("CompletionEnd", completion_end, [CompletionEnd::Done, CompletionEnd::Length, CompletionEnd::Cancelled]);
    add!("ParameterKind", parameter_kind, [ParameterKind::String, ParameterKind::Integer, ParameterKind::Boolean]);
    lines.extend(admitted_calls());
    add!(
        "Ended",
        ended,
        [
            Ended::Exited { code: 1 },
            Ended::Signalled { signal: 9 },
            Ended::TimedOut,
            Ended::Cancelled,
            Ended::Failed,
            Ended::Unknown,
            Ended::Running
        ]
    );
    add!("Verdict", verdict, [Verdict::Allowed, Verdict::Asked, Verdict::Refused]);
    add!("Risk", risk, [Risk::Low, Risk::Medium, Risk::High]);
    add!(
        "Fate",
        fate,
        [Fate::Open, Fate::NoChange, Fate::Committed, Fate::Discarded, Fate::Undone, Fate::Unknown, Fate::Background]
    );
    add!("UndoPreview", undo_preview, previews());
    add!("LinkState", link_state, [LinkState::Unconfigured]);
    add!(
        "Phase",
        phase,
        [Phase::Starting, Phase::Ready, Phase::BackingOff, Phase::GivenUp, Phase::Stopping, Phase::Stopped]
    );
    add!("Step", step, steps());
    add!("TurnEnd", turn_end, [TurnEnd::Answered, TurnEnd::Failed, TurnEnd::Quarantined, TurnEnd::Cancelled]);
    lines
}

/// Every name that [`lines`] must have.
pub fn names() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("Frame", FRAME),
        ("ProbeResult", PROBE_RESULT),
        ("Integrity", INTEGRITY),
        ("Confidentiality", CONFIDENTIALITY),
        ("Speaker", SPEAKER),
        ("CallMode", CALL_MODE),
        ("CompletionEnd", COMPLETION_END),
        ("ParameterKind", PARAMETER_KIND),
        ("Admitted", ADMITTED),
        ("Edit", EDIT),
        ("Ended", ENDED),
        ("Verdict", VERDICT),
        ("Risk", RISK),
        ("Fate", FATE),
        ("UndoPreview", UNDO_PREVIEW),
        ("LinkState", LINK_STATE),
        ("Phase", PHASE),
        ("Step", STEP),
        ("TurnEnd", TURN_END),
    ]
}
