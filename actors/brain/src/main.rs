//! `chela-brain`: runs one turn and exits.
//!
//! # Reads
//! Its one edge to the gate: the turn, completions, results of tools.
//!
//! # Writes
//! Nothing but its log stream.
//!
//! # Talks to
//! The gate, and the supervisor over its control line.
//!
//! # If taken over
//! It can ask the gate for what the model could ask for anyway, for the one turn of the one principal that it was given.
//! It has no file, no network, no child, no second turn.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::process::ExitCode;

use chela_brain::turn::{Conversation, Effect, Event};
use kit::{Link, Role, Sealed};
use schema::edge::brain::{BrainWire, FromBrain, ToBrain};

fn main() -> ExitCode {
    kit::run(Role::Brain, |_| Ok::<(), Infallible>(()), serve)
}

/// Why a brain ended without having replied.
#[derive(Debug, thiserror::Error)]
enum BrainError {
    #[error("wait for the edge: {0}")]
    Start(#[from] kit::StartError),
    #[error("edge to the gate: {0}")]
    Link(#[from] kit::LinkError),
    #[error("the gate broke the turn's rules: {0}")]
    OutOfTurn(&'static str),
}

async fn serve(mut sealed: Sealed, (): ()) -> Result<(), BrainError> {
    let mut link = sealed.next_edge::<BrainWire>().await?;
    let Some(mut control) = sealed.control.take() else {
        return Err(BrainError::OutOfTurn("no control line"));
    };
    control.ready();
    let start = first_message(&mut link, &mut control).await?;
    let Some(start) = start else { return Ok(()) };
    control.busy();
    run(&mut link, start).await?;
    // Gone with its lines still open: to those at their other ends, a line that is closed by a process that lives is a
    // fault, and letting go of them one by one takes long enough to be seen.
    std::process::exit(0)
}

/// The turn, or `None` when the spare is told to stop before it got one.
async fn first_message(
    link: &mut Link<FromBrain, ToBrain>,
    control: &mut kit::Control,
) -> Result<Option<ToBrain>, BrainError> {
    loop {
        tokio::select! {
            told = link.recv() => return match told {
                Ok(told) => Ok(Some(told)),
                // A spare whose gate is gone: another one is started for the next gate.
                Err(kit::LinkError::Closed) => Ok(None),
                Err(error) => Err(error.into()),
            },
            event = control.next() => if matches!(event, kit::ControlEvent::Drain { .. }) {
                return Ok(None);
            },
        }
    }
}

async fn run(link: &mut Link<FromBrain, ToBrain>, start: ToBrain) -> Result<(), BrainError> {
    let mut conversation = Conversation::default();
    let mut told = start;
    loop {
        match conversation.step(Event(told)) {
            Effect::Ask(ask) => link.send(&ask).await?,
            Effect::Close(reply) => return Ok(link.send(&reply).await?),
            Effect::Broken(why) => return Err(BrainError::OutOfTurn(why)),
        }
        told = link.recv().await?;
    }
}
