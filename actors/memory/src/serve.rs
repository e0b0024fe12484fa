//! The loop: an edge, the requests that wait on it, one transaction, their answers in order.

use std::future::ready;
use std::path::Path;

use chela_memory::limits::{GROUP_BYTES_MAX, GROUP_REQUESTS_MAX};
use chela_memory::store::{Owner, Store};
use kit::{Control, Link, LinkError, Sealed, StartError};
use schema::codec::CodecError;
use schema::edge::memory::{Answer, Ask, FromMemory, MemoryWire, Step, ToMemory};

/// Where the table puts the database's directory.
const DIRECTORY: &str = "/memory";

type Edge = Link<FromMemory, ToMemory>;

/// Why this instance ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The lines it was started with are broken.
    #[error("wait for an edge: {0}")]
    Start(#[from] StartError),
    /// The edge broke, or what came over it is not a message.
    #[error("edge to the gate: {0}")]
    Link(#[from] LinkError),
    /// The table gives every memory instance a control line.
    #[error("there is no line to the supervisor")]
    NoControl,
    /// A request that belongs to the other kind of instance.
    #[error("slot {slot} was asked for what is not its to answer: {kind}")]
    NotMine {
        /// This instance's slot.
        slot: u32,
        /// The request, by name.
        kind: &'static str,
    },
}

/// What ended an edge without harm.
enum Over {
    /// The gate is gone; a new one will come with a new edge.
    EdgeClosed,
    /// The supervisor said so.
    Drained,
}

/// Serves edge after edge until it is told to stop.
pub async fn serve(mut sealed: Sealed) -> Result<(), ServeError> {
    let slot = sealed.seat.slot;
    let mut store = Store::new(Owner::of_slot(slot), Path::new(DIRECTORY));
    if let Err(error) = store.ensure_open() {
        // Not the end: each request tries again, and is answered with the reason.
        tracing::error!(%error, "the database can't be opened");
    }
    let Some(mut control) = sealed.control.clone() else {
        return Err(ServeError::NoControl);
    };
    loop {
        let edge = tokio::select! {
            edge = sealed.next_edge::<MemoryWire>() => edge?,
            () = control.drained() => return Ok(()),
        };
        control.ready();
        match converse(slot, &mut store, edge, &mut control).await? {
            Over::EdgeClosed => {}
            Over::Drained => return Ok(()),
        }
    }
}

async fn converse(slot: u32, store: &mut Store, mut edge: Edge, control: &mut Control) -> Result<Over, ServeError> {
    let mut worked = false;
    loop {
        let first = tokio::select! {
            biased;
            first = edge.recv() => match first {
                Ok(first) => first,
                Err(LinkError::Closed) => return Ok(Over::EdgeClosed),
                Err(error) => return Err(error.into()),
            },
            () = control.drained() => return Ok(Over::Drained),
        };
        let (numbers, asks) = gather(slot, first, &mut edge).await?;
        for (request, answer) in numbers.into_iter().zip(store.answer(&asks)) {
            match send(&mut edge, FromMemory { request, answer }).await {
                Ok(()) => {}
                // The gate left before it had its answers; it will ask again.
                Err(LinkError::Closed) => return Ok(Over::EdgeClosed),
                Err(error) => return Err(error.into()),
            }
        }
        if !worked {
            worked = true;
            control.idle();
        }
    }
}

/// The first request and those that wait behind it already: one transaction, one wait for the disk.
async fn gather(slot: u32, first: ToMemory, edge: &mut Edge) -> Result<(Vec<u64>, Vec<Ask>), ServeError> {
    let owner = Owner::of_slot(slot);
    let (mut numbers, mut asks, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut next = Some(first);
    while let Some(ToMemory { request, ask }) = next {
        if !owner.answers(&ask) {
            return Err(ServeError::NotMine { slot, kind: ask_name(&ask) });
        }
        bytes += ask_bytes(&ask);
        numbers.push(request);
        asks.push(ask);
        if asks.len() >= GROUP_REQUESTS_MAX || bytes >= GROUP_BYTES_MAX {
            break;
        }
        next = tokio::select! {
            biased;
            more = edge.recv() => match more {
                Ok(more) => Some(more),
                // What was asked before the end is still done; the next receive says `Closed` again.
                Err(LinkError::Closed) => None,
                Err(error) => return Err(error.into()),
            },
            () = ready(()) => None,
        };
    }
    Ok((numbers, asks))
}

/// Sends an answer; in place of one that no frame can hold, the reason.
async fn send(edge: &mut Edge, answer: FromMemory) -> Result<(), LinkError> {
    let request = answer.request;
    match edge.send(&answer).await {
        Err(LinkError::Codec { error: CodecError::TooLarge { limit }, .. }) => {
            let reason =
                format!("what was asked for is larger than an answer can be ({limit} bytes); it is still there");
            edge.send(&FromMemory { request, answer: Answer::Failed { reason } }).await
        }
        sent => sent,
    }
}

fn ask_bytes(ask: &Ask) -> usize {
    match ask {
        Ask::Receive { text, .. } => text.len(),
        Ask::RecordStep { record, .. } => step_bytes(record),
        Ask::Finish { reply, .. } => reply.len(),
        Ask::EndBackground { outcome, .. } => outcome.weight_bytes(),
        Ask::Put { value, .. } => value.len(),
        // What is read is counted whole: one big answer at a time is held.
        Ask::LoadTurn { .. } | Ask::ListActions { .. } | Ask::LoadAction { .. } | Ask::List { .. } => GROUP_BYTES_MAX,
        Ask::History { bytes_max, .. } => *bytes_max as usize,
        Ask::OpenTurns | Ask::Get { .. } | Ask::Remove { .. } => 0,
    }
}

fn step_bytes(step: &Step) -> usize {
    match step {
        Step::Completed(completion) => {
            completion.text.len() + completion.call.as_ref().map_or(0, |call| call.arguments.len())
        }
        Step::ToolDecided { call, .. } => call.arguments.len(),
        Step::ToolFinished { outcome, .. } => outcome.weight_bytes(),
        Step::Crashed { .. } => 0,
    }
}

fn ask_name(ask: &Ask) -> &'static str {
    match ask {
        Ask::Receive { .. } => "receive",
        Ask::RecordStep { .. } => "record a step",
        Ask::Finish { .. } => "finish",
        Ask::LoadTurn { .. } => "load a turn",
        Ask::History { .. } => "history",
        Ask::OpenTurns => "open turns",
        Ask::ListActions { .. } => "list actions",
        Ask::LoadAction { .. } => "load an action",
        Ask::EndBackground { .. } => "end a command in the background",
        Ask::Put { .. } => "put",
        Ask::Get { .. } => "get",
        Ask::Remove { .. } => "remove",
        Ask::List { .. } => "list",
    }
}
