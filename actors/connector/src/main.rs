//! `chela-connector`: carries one link, outbound only. No channel and no provider yet: the link is unconfigured.
//!
//! # Reads
//! Its edge. The table also lets it read the resolver's configuration, the CA bundle and its own state directory, which
//! nothing here uses yet.
//!
//! # Writes
//! Nothing but its edge and its log stream.
//!
//! # Talks to
//! The gate over its edge; launcher and supervisor over their lines. No server yet.
//!
//! # If taken over
//! It can connect to the outside as its link's own account, within the firewall's rule for that account. It can't bind,
//! listen or accept, and it holds no file of anybody else's.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::process::ExitCode;

use kit::{Link, LinkError, Role, Sealed, StartError};
use schema::edge::connector::{ConnectorWire, FromConnector, LinkState, ToConnector};

fn main() -> ExitCode {
    kit::run(Role::Connector, |_| Ok::<_, Infallible>(()), serve)
}

/// Answers the gate, over one edge after another, until it is told to stop.
async fn serve(mut sealed: Sealed, (): ()) -> Result<(), StartError> {
    let Some(mut control) = sealed.control.clone() else { return answer(&mut sealed).await };
    tokio::select! {
        ended = answer(&mut sealed) => ended,
        // There is nothing in flight to finish.
        () = control.drained() => Ok(()),
    }
}

async fn answer(sealed: &mut Sealed) -> Result<(), StartError> {
    loop {
        let mut link = sealed.next_edge::<ConnectorWire>().await?;
        if let Some(control) = &sealed.control {
            control.ready();
        }
        match converse(&mut link).await {
            LinkError::Closed => {}
            error => return Err(error.into()),
        }
    }
}

/// Answers on one edge until it ends; when the gate is gone, a fresh edge comes with the next gate.
async fn converse(link: &mut Link<FromConnector, ToConnector>) -> LinkError {
    loop {
        let answered = match link.recv().await {
            Ok(ToConnector::DescribeLink { request }) => link.send(&describe(request)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = answered {
            return error;
        }
    }
}

/// How the link is.
fn describe(request: u64) -> FromConnector {
    FromConnector::LinkDescribed { request, state: LinkState::Unconfigured }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_channel_says_so() {
        let said = describe(7);
        assert_eq!(said, FromConnector::LinkDescribed { request: 7, state: LinkState::Unconfigured });
    }
}
