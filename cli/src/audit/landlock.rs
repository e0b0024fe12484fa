//! Landlock, which /proc does not show: the gate asks each role to try a file that its ruleset forbids.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{Uid, seteuid};
use roles::Row;
use roles::grant::Landlock;
use roles::invariants::grants_syscall;
use schema::FINGERPRINT;
use schema::codec::{body_length, decode, frame};
use schema::edge::control::Place;
use schema::edge::local::{FromClient, LocalWire, ToClient};
use schema::edge::{Frame, ProbeResult, Wire};
use schema::limits::PREFIX_BYTES;

/// How long the gate may take to ask everybody.
const DEADLINE: Duration = Duration::from_secs(10);
/// The error number of a file that Landlock forbids.
const EACCES: i32 = 13;

/// What each role's own attempt did.
pub fn ask(root: &Path, owner_uid: u32) -> Result<Vec<(Place, ProbeResult)>, String> {
    let mut stream = connect_as(root, owner_uid)?;
    let failed = |e: std::io::Error| format!("asking the gate: {e}");
    stream.set_read_timeout(Some(DEADLINE)).map_err(failed)?;
    stream.set_write_timeout(Some(DEADLINE)).map_err(failed)?;
    send(&mut stream, &Frame::Hello { fingerprint: FINGERPRINT })?;
    send(&mut stream, &Frame::Body(FromClient::Probe))?;
    loop {
        match receive(&mut stream)? {
            Frame::Hello { fingerprint: FINGERPRINT } => {}
            Frame::Hello { .. } => return Err("the gate is of another version than this chela: restart chelad".into()),
            Frame::Body(ToClient::Probed(results)) => return Ok(results),
            Frame::Body(ToClient::Failed { reason, .. }) => return Err(format!("the gate refused: {reason}")),
            Frame::Body(_) | Frame::Probe { .. } | Frame::Probed { .. } => {
                return Err("the gate answered something else than what it was asked".into());
            }
        }
    }
}

/// The kernel tells the gate who connects; only the owner may ask this, and root can be them for that one call.
fn connect_as(root: &Path, owner_uid: u32) -> Result<UnixStream, String> {
    let socket = root.join("run/chela.sock");
    let as_whom = |uid: Uid| seteuid(uid).map_err(|e| format!("acting as user id {uid}: {e}"));
    let own = Uid::current();
    as_whom(Uid::from_raw(owner_uid))?;
    let stream = UnixStream::connect(&socket);
    as_whom(own)?;
    stream.map_err(|e| format!("connecting to {}: {e}", socket.display()))
}

fn send(stream: &mut UnixStream, message: &Frame<FromClient>) -> Result<(), String> {
    let bytes = frame(message, LocalWire::LIMIT_BYTES).map_err(|e| e.to_string())?;
    stream.write_all(&bytes).map_err(|e| format!("asking the gate: {e}"))
}

fn receive(stream: &mut UnixStream) -> Result<Frame<ToClient>, String> {
    let mut read = |bytes: &mut [u8]| stream.read_exact(bytes).map_err(|e| format!("waiting for the gate: {e}"));
    let mut prefix = [0; PREFIX_BYTES];
    read(&mut prefix)?;
    let mut body = vec![0; body_length(prefix, LocalWire::LIMIT_BYTES).map_err(|e| e.to_string())?];
    read(&mut body)?;
    decode(&body, LocalWire::LIMIT_BYTES).map_err(|e| e.to_string())
}

/// What is wrong with the answer of a role, if anything. Pure. `None` as the answer: it gave none.
pub fn judge(row: &Row, answer: Option<ProbeResult>) -> Option<String> {
    let wanted = match row.landlock {
        Landlock::None { .. } => return None,
        Landlock::WithoutFiles { .. } => ProbeResult::NotHandled,
        Landlock::Full if grants_syscall(row, "openat") => ProbeResult::Denied { errno: EACCES },
        Landlock::Full => ProbeResult::CannotOpen,
    };
    match answer {
        Some(is) if is == wanted => None,
        Some(ProbeResult::Opened) => Some("opened a file that its Landlock ruleset forbids".to_string()),
        Some(is) => Some(format!("its attempt at a forbidden file ended as {is:?}; must be {wanted:?}")),
        None => Some("did not answer when asked to try a file that its Landlock ruleset forbids".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use roles::Role;

    use super::*;

    #[test]
    fn only_the_answer_that_the_row_predicts_is_right() {
        let gate = Role::Gate.row();
        assert_eq!(judge(gate, Some(ProbeResult::Denied { errno: EACCES })), None);
        for wrong in [
            None,
            Some(ProbeResult::Opened),
            Some(ProbeResult::NotHandled),
            Some(ProbeResult::CannotOpen),
            Some(ProbeResult::Denied { errno: 2 }),
        ] {
            assert!(judge(gate, wrong).is_some(), "{wrong:?}");
        }
        assert_eq!(judge(Role::Brain.row(), Some(ProbeResult::CannotOpen)), None);
        assert_eq!(judge(Role::Launcher.row(), None), None);
    }
}
