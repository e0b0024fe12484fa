//! `chela-gate`: the policy gate, the hub of the star.
//!
//! # Reads
//! `etc/gate/gate.toml` and the policies of `etc/gate/policy`, at its start and on reload; the end of the audit log, at its start; its edges; local people.
//!
//! # Writes
//! The audit log, at its end. Its log stream.
//!
//! # Talks to
//! Every role, over an edge each; local people, over the socket that the launcher opened; the supervisor, over its
//! control line.
//!
//! # If taken over
//! Everything that passes through it. Together with the launcher it is the trusted base.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;

use chela_gate::audit::Audit;
use chela_gate::config::{self, Config};
use chela_gate::hub::Gate;
use chela_gate::policies::{self, Current};
use chela_gate::serve;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UdsListener;
use kit::{Role, Sealed, Seat};
use roles::fd;

fn main() -> ExitCode {
    kit::run(Role::Gate, prepare, run)
}

/// What is there before the seal.
struct Prepared {
    config: Config,
    audit: Audit,
    policies: Current,
    listener: OwnedFd,
}

/// Why the gate can't start or go on.
#[derive(Debug, thiserror::Error)]
enum GateError {
    #[error("descriptor {0} was not handed over")]
    NotGiven(i32),
    #[error("{0}")]
    Config(#[from] config::ConfigError),
    #[error("{0}")]
    Audit(#[from] chela_gate::audit::AuditError),
    #[error("local socket: {0}")]
    Listener(std::io::Error),
    #[error("{0}")]
    Serve(#[from] serve::ServeError),
}

fn prepare(seat: &Seat) -> Result<Prepared, GateError> {
    let take = |number| seat.take(number).ok_or(GateError::NotGiven(number));
    let policies = Current::default();
    if let Err(problem) = policies.reload(Path::new(policies::PATH)) {
        tracing::error!("the built-in policies are in force: {problem}");
    }
    // Cedar looks once how large the stack is, with calls that are not there after the seal.
    policies.ask(&policies.asked(0), None);
    Ok(Prepared {
        policies,
        config: config::load(Path::new(config::PATH))?,
        audit: Audit::open(File::from(take(fd::AUDIT_LOG)?))?,
        listener: take(fd::LISTENER)?,
    })
}

async fn run(sealed: Sealed, prepared: Prepared) -> Result<(), GateError> {
    let Sealed { line, control, .. } = sealed;
    let control = control.ok_or(GateError::NotGiven(fd::CONTROL))?;
    let listener = UdsListener::try_from(prepared.listener).map_err(GateError::Listener)?;
    let gate = Gate::new(prepared.config, prepared.audit, control.clone(), prepared.policies);
    gate.note_policies();
    Ok(serve::serve(gate, line, control, listener.into()).await?)
}
