//! What local people ask, checked and begun.

use std::rc::Rc;

use schema::edge::local::{FromClient, ToClient};
use schema::label::{Confidentiality, Integrity, Label};
use schema::limits::{ARGUMENTS_BYTES, KEY_BYTES, MESSAGE_BYTES, NAME_BYTES};
use schema::tool::ToolCall;

use crate::actions;
use crate::client::Client;
use crate::decide;
use crate::hub::Gate;
use crate::limits::LOG_ENTRIES_MAX;
use crate::principals::{self, Caller, Principal};
use crate::turn::all::{Incoming, incoming};
use crate::turn::report::{LOCAL, TOOL, call_text};
use crate::{tree, undo, uploads};

/// A request; in words what it breaks, which ends the connection.
pub fn hear(gate: &Rc<Gate>, client: &Rc<Client>, caller: &Caller, asked: FromClient) -> Result<(), String> {
    if asked == FromClient::Cancel {
        client.cancel();
        return Ok(());
    }
    if !client.open() {
        return Err("a request while another is open".to_owned());
    }
    let (gate, client, caller) = (gate.clone(), client.clone(), caller.clone());
    tokio::task::spawn_local(async move { serve(gate, client, caller, asked).await });
    Ok(())
}

async fn serve(gate: Rc<Gate>, client: Rc<Client>, caller: Caller, asked: FromClient) {
    match asked {
        FromClient::Ask { message_id, principal, text } => {
            match message(&gate, &caller, principal.as_deref(), message_id, text) {
                Ok(message) => incoming(gate, client, message).await,
                Err((reason, refused)) => client.fail(reason, refused),
            }
        }
        FromClient::Tool { principal, call, key, untrusted } => {
            match tool(&gate, &caller, principal.as_deref(), (call, key, untrusted)) {
                Ok(message) => incoming(gate, client, message).await,
                Err((reason, refused)) => client.fail(reason, refused),
            }
        }
        FromClient::Upload { principal, upload, offset, bytes } => match acting(&gate, &caller, principal.as_deref()) {
            Ok(principal) => uploads::part(&gate, &client, &principal, upload, (offset, bytes)).await,
            Err((reason, refused)) => client.fail(reason, refused),
        },
        // `hear` has dealt with it.
        FromClient::Cancel => {}
        FromClient::Status => match tree::status(&gate).await {
            Ok(status) => client.answer(ToClient::Status(status)),
            Err(reason) => client.fail(reason, false),
        },
        FromClient::Probe => match tree::probe(&gate).await {
            Ok(results) => client.answer(ToClient::Probed(results)),
            Err(reason) => client.fail(reason, false),
        },
        FromClient::ListActions { principal, before, actions_max } => {
            match acting(&gate, &caller, principal.as_deref()) {
                Ok(principal) => actions::list(&gate, &client, &principal, before, actions_max).await,
                Err((reason, refused)) => client.fail(reason, refused),
            }
        }
        FromClient::PreviewUndo { principal, action } => match acting(&gate, &caller, principal.as_deref()) {
            Ok(principal) => undo::preview(&gate, &client, &principal, action).await,
            Err((reason, refused)) => client.fail(reason, refused),
        },
        FromClient::ShowAction { principal, action } => match acting(&gate, &caller, principal.as_deref()) {
            Ok(principal) => actions::show(&gate, &client, &principal, action).await,
            Err((reason, refused)) => client.fail(reason, refused),
        },
        FromClient::Explain { principal, call, untrusted } => match acting(&gate, &caller, principal.as_deref()) {
            Ok(principal) => {
                let decided = decide::decide(&gate.policies, &principal, &call, label(untrusted));
                client.answer(ToClient::Explained(decided.decision));
            }
            Err((reason, refused)) => client.fail(reason, refused),
        },
        FromClient::ShowPolicy => client.answer(ToClient::Policy(gate.policies.state())),
        FromClient::ReadLog { from, entries_max } => {
            let read = gate.audit.borrow().read(from, entries_max.min(LOG_ENTRIES_MAX));
            match read {
                Ok(lines) => client.answer(ToClient::Log(lines)),
                Err(error) => client.fail(error.to_string(), false),
            }
        }
    }
}

type Refused = (String, bool);

fn acting(gate: &Gate, caller: &Caller, wanted: Option<&str>) -> Result<Principal, Refused> {
    if gate.draining.get() {
        return Err(("chelad is stopping: ask again when it is back".to_owned(), false));
    }
    principals::acting(caller, wanted).map_err(|reason| (reason, true))
}

fn message(
    gate: &Gate,
    caller: &Caller,
    wanted: Option<&str>,
    message_id: String,
    text: String,
) -> Result<Incoming, Refused> {
    let principal = acting(gate, caller, wanted)?;
    check_key("the message id", &message_id)?;
    if text.trim().is_empty() {
        return Err(("the message is empty: say something".to_owned(), true));
    }
    if text.len() > MESSAGE_BYTES {
        let reason = format!("a message may be {MESSAGE_BYTES} bytes at most: put the rest into a file");
        return Err((reason, true));
    }
    Ok(Incoming { principal, channel: LOCAL, message_id, text, label: label(false) })
}

fn tool(
    gate: &Gate,
    caller: &Caller,
    wanted: Option<&str>,
    (call, key, untrusted): (ToolCall, Option<String>, bool),
) -> Result<Incoming, Refused> {
    let principal = acting(gate, caller, wanted)?;
    if call.name.len() > NAME_BYTES || call.arguments.len() > ARGUMENTS_BYTES {
        let reason = format!("a tool's name may be {NAME_BYTES} bytes at most, its arguments {ARGUMENTS_BYTES}");
        return Err((reason, true));
    }
    // A key belongs to its caller; a call without one is a message of its own.
    let message_id = match key {
        Some(key) => {
            check_key("the key", &key)?;
            format!("key:{key}")
        }
        None => format!("call:{}", fresh_id()?),
    };
    Ok(Incoming { principal, channel: TOOL, message_id, text: call_text(&call), label: label(untrusted) })
}

fn check_key(what: &str, key: &str) -> Result<(), Refused> {
    if key.is_empty() || key.len() > KEY_BYTES || key.chars().any(char::is_control) {
        let reason = format!("{what} has to be 1 to {KEY_BYTES} bytes without control characters");
        return Err((reason, true));
    }
    Ok(())
}

fn fresh_id() -> Result<String, Refused> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| (format!("random bytes: {error}"), false))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn label(untrusted: bool) -> Label {
    Label {
        integrity: if untrusted { Integrity::Untrusted } else { Integrity::Owner },
        confidentiality: Confidentiality::Private,
    }
}
