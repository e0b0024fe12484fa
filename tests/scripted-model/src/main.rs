//! Stands in for `chela-model` in tests: sealed like it, on the same edge, but what it answers is written in the
//! question (see [`script`]), so that a test knows what comes.
//!
//! Reads: nothing. Writes: its log stream. Talks to: the gate. If taken over: it is a test.
#![forbid(unsafe_code)]

mod provider_body;
mod script;

use std::process::ExitCode;
use std::time::Duration;

use kit::{Link, LinkError, Sealed};
use roles::Role;
use schema::edge::model::{FromModel, ModelWire, ToModel};
use schema::talk::{Completion, CompletionEnd, Usage};
use script::{Act, Action};

fn main() -> ExitCode {
    kit::run(Role::Model, |_seat| Ok::<(), std::convert::Infallible>(()), serve)
}

type ModelLink = Link<FromModel, ToModel>;

async fn serve(mut sealed: Sealed, (): ()) -> Result<(), kit::StartError> {
    let Some(mut control) = sealed.control.clone() else { return answer(&mut sealed).await };
    tokio::select! {
        ended = answer(&mut sealed) => ended,
        () = control.drained() => Ok(()),
    }
}

async fn answer(sealed: &mut Sealed) -> Result<(), kit::StartError> {
    loop {
        let mut link = sealed.next_edge::<ModelWire>().await?;
        if let Some(control) = &sealed.control {
            control.ready();
        }
        while answer_one(&mut link).await.is_ok() {}
    }
}

async fn answer_one(link: &mut ModelLink) -> Result<(), LinkError> {
    match link.recv().await? {
        ToModel::Complete { request, messages, tools, .. } => {
            complete(link, request, script::next(&messages, &tools)).await
        }
        ToModel::Cancel { .. } => Ok(()),
    }
}

async fn complete(link: &mut ModelLink, request: u64, action: Action) -> Result<(), LinkError> {
    // The runtime's clock ticks in milliseconds: even the shortest sleep takes one.
    let sleep = async {
        if action.sleep_ms > 0 {
            tokio::time::sleep(Duration::from_millis(action.sleep_ms)).await;
        }
    };
    tokio::pin!(sleep);
    loop {
        tokio::select! {
            () = &mut sleep => break,
            message = link.recv() => if matches!(message?, ToModel::Cancel { request: other } if other == request) {
                let completion = completion(String::new(), None, CompletionEnd::Cancelled, action.sleep_ms);
                return link.send(&FromModel::Completed { request, completion }).await;
            },
        }
    }
    let (text, call) = match action.act {
        Act::Say(text) => (text, None),
        Act::Call(call) => (String::new(), Some(call)),
        Act::Die => std::process::abort(),
    };
    if !text.is_empty() {
        link.send(&FromModel::Token { request, text: text.clone() }).await?;
    }
    let completion = completion(text, call, CompletionEnd::Done, action.sleep_ms);
    link.send(&FromModel::Completed { request, completion }).await
}

fn completion(text: String, call: Option<schema::tool::ToolCall>, ended: CompletionEnd, sleep_ms: u64) -> Completion {
    let model_ms = u32::try_from(sleep_ms).unwrap_or(u32::MAX);
    let tokens_out = u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
    Completion { text, call, ended, usage: Usage { tokens_in: 1, tokens_cached: 0, tokens_out, model_ms } }
}
