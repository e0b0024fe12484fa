//! The role of these tests: a brain's seal, an echo's manners.

use std::convert::Infallible;
use std::process::ExitCode;

use kit::{ControlEvent, LinkError, Role, Sealed, StartError};
use schema::edge::Wire;
use schema::edge::control::FromRole;

/// Text both ways.
pub enum EchoWire {}

impl Wire for EchoWire {
    type Down = String;
    type Up = String;
    const NAME: &'static str = "echo";
    const LIMIT_BYTES: usize = 1 << 16;
}

pub fn live() -> ExitCode {
    kit::run(Role::Brain, |_| Ok::<_, Infallible>(()), serve)
}

async fn serve(mut sealed: Sealed, (): ()) -> Result<(), StartError> {
    tracing::info!("sealed");
    let mut control = sealed.control.clone().ok_or(StartError::AsRoot)?;
    let drained = async { while !matches!(control.next().await, ControlEvent::Drain { .. }) {} };
    tokio::select! {
        ended = echo(&mut sealed) => ended,
        () = drained => Ok(()),
    }
}

async fn echo(sealed: &mut Sealed) -> Result<(), StartError> {
    let mut link = sealed.next_edge::<EchoWire>().await?;
    let control = sealed.control.clone().ok_or(StartError::AsRoot)?;
    control.ready();
    loop {
        let said = match link.recv().await {
            Ok(said) => said,
            Err(LinkError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match said.as_str() {
            "panic" => panic!("as it was told"),
            "socket" => drop(std::net::UdpSocket::bind("127.0.0.1:0")),
            "talk" => (0..100_000).for_each(|nonce| control.tell(FromRole::Pong { nonce })),
            _ => {}
        }
        link.send(&said).await?;
    }
}
