//! Twins of roles that misbehave: the same start, the same seal, another conduct towards whoever is at the other end of
//! their edge or control line. Which role a twin stands for, its program's name says; which conduct, the program.
#![deny(unsafe_code)]

mod edge;
mod messages;
mod sys;

use std::convert::Infallible;
use std::process::ExitCode;

use kit::{LineError, Sealed};
use roles::Role;

/// What a twin does once it is sealed and has an edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conduct {
    /// Says hello, then bytes that are no message.
    Garbage,
    /// Says bytes that are no hello.
    NoHello,
    /// Says hello, then half a message, and no more.
    Half,
    /// Says hello, then announces a message beyond every limit.
    TooLong,
    /// Says hello, then hello again.
    OutOfTurn,
    /// Says hello, then messages of the right type without end, and reads nothing.
    Flood,
    /// Says hello, waits until it is asked for something, then answers without end, and reads nothing more.
    FloodInTurn,
    /// Says hello, and reads nothing any more.
    Silent,
    /// Says garbage on its control line.
    ControlGarbage,
    /// Says on its control line, without end, what nobody asked for.
    ControlFlood,
    /// The control: a gate's twin that uses its edge as it should (an executor is asked to run one command).
    WellBehaved,
}

/// The line of a twin's log that says it is about to misbehave.
pub const BEGINS: &str = "twin begins";
/// The line of a twin's log that says that its edge was ended by the other side.
pub const ENDED: &str = "twin's edge was ended";

/// The whole life of a twin.
pub fn live(conduct: Conduct) -> ExitCode {
    let program = std::env::args().next().unwrap_or_default();
    let Some(role) = Role::ALL.into_iter().find(|role| role.row().binary == program) else {
        eprintln!("{program} is the name of no role: a twin is put in a role program's place");
        return ExitCode::from(2);
    };
    kit::run(role, |_| Ok::<_, Infallible>(()), move |sealed, ()| serve(sealed, conduct))
}

async fn serve(sealed: Sealed, conduct: Conduct) -> Result<(), LineError> {
    if matches!(conduct, Conduct::ControlGarbage | Conduct::ControlFlood) {
        tracing::warn!("{BEGINS}: {conduct:?}");
        tokio::task::spawn_local(sys::misuse_control(conduct));
    }
    loop {
        let (given, fd) = sealed.line.next_edge_fd().await?;
        if let Some(control) = &sealed.control {
            control.ready();
        }
        // The gate's line says who is at the other end; every other role's says its own name.
        let direction = match sealed.seat.role {
            Role::Gate => messages::Direction::Down(given.who.role),
            own => messages::Direction::Up(own),
        };
        tokio::task::spawn_local(async move {
            match edge::misuse(fd, direction, conduct).await {
                Ok(()) => tracing::warn!("{ENDED} by {}", direction.peer().name()),
                Err(error) => tracing::warn!("{ENDED} by {}: {error}", direction.peer().name()),
            }
        });
    }
}
