//! A twin: the kit's start and seal for a role, then one attempt, as its supervisor tells it.
//!
//! Orders come in the text of a message that the control line has for the gate alone, and the kit passes on to every role: the
//! twin needs no descriptor past the kit. The supervisor has no control line: its twin reads its order from its
//! configuration, or, where there is none, is the puppet of [`crate::puppet`].

use std::convert::Infallible;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

use kit::{ControlEvent, LineError, Sealed};
use roles::launch::Request;
use roles::{Role, fd};

use crate::given::Given;
use crate::orders::Order;
use crate::{attempts, puppet, trial};

/// Where the supervisor's twin finds its order.
pub const SUPERVISORS_ORDER: &str = "/etc/supervisor/attempt";
/// It waits until this is there.
pub const SUPERVISORS_GO: &str = "/etc/supervisor/go";

/// The whole life of a twin.
pub fn live() -> ExitCode {
    let program = std::env::args().next().unwrap_or_default();
    let Some(role) = Role::ALL.into_iter().find(|role| role.row().binary == program) else {
        eprintln!("{program} is the name of no role: a twin is put in a role program's place");
        return ExitCode::from(2);
    };
    if role == Role::Supervisor {
        let order = std::fs::read_to_string(SUPERVISORS_ORDER).ok();
        return kit::run(role, |_| Ok::<_, Infallible>(()), |sealed, ()| supervise(sealed, order));
    }
    kit::run(role, |_| Ok::<_, Infallible>(()), |sealed, ()| serve(sealed))
}

async fn supervise(sealed: Sealed, order: Option<String>) -> Result<(), LineError> {
    let Some(order) = order else {
        return puppet::live(sealed).await;
    };
    // An answer, even a refusal, says that the launcher has looked at this process while it was whole.
    sealed.line.send(Request::Start { role: Role::Launcher, slot: 0 }).await?;
    sealed.line.next_report().await?;
    while !std::fs::exists(SUPERVISORS_GO).unwrap_or(false) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    obey(&order, fd::LINE)
}

async fn serve(sealed: Sealed) -> Result<(), LineError> {
    let Some(mut control) = sealed.control else { return Ok(()) };
    // Kept open: an edge whose end is closed would be another thing to be ended for.
    let mut edges: Vec<OwnedFd> = Vec::new();
    loop {
        tokio::select! {
            biased;
            edge = sealed.line.next_edge_fd() => edges.push(edge?.1),
            event = control.next() => match event {
                ControlEvent::Unavailable { reason, .. } => {
                    if edges.is_empty() && sealed.seat.role != Role::Gate {
                        edges.push(sealed.line.next_edge_fd().await?.1);
                    }
                    // The gate's twin may have no edge yet; its control line is a socket like any other.
                    obey(&reason, edges.last().map_or(fd::CONTROL, AsRawFd::as_raw_fd));
                }
                ControlEvent::Drain { .. } => return Ok(()),
                ControlEvent::Reload | ControlEvent::TreeDescribed { .. } => {}
            },
        }
    }
}

/// Makes the attempt, and says by ending what came of it.
fn obey(order: &str, socket: RawFd) -> ! {
    let attempt = Order::from_line(order).and_then(|order| Some((attempts::find(&order.attempt)?, order)));
    let Some((attempt, order)) = attempt else {
        eprintln!("an order that is none: {order}");
        std::process::exit(2);
    };
    let mut given = Given::only(socket);
    order.inform(&mut given);
    given.aim(attempt.target);
    std::process::exit(trial::make(attempt, &given).to_status())
}
