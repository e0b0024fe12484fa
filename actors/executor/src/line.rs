//! Requests on their way down: from the executor to its maker, and from the maker to a sandbox that waits.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

use crate::record::{ASK_BYTES, Ask};
use crate::sys;

/// Descriptors of one request at most.
const DESCRIPTORS_MAX: usize = 5;

/// The next request with its descriptors, waited for; `None` when the other end is gone, or what came is no request.
pub fn receive(line: &impl AsRawFd) -> Option<(Ask, Vec<OwnedFd>)> {
    let mut bytes = [0; ASK_BYTES];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!([i32; DESCRIPTORS_MAX]);
    let message = loop {
        match recvmsg::<()>(line.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
            Ok(message) => break message,
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    };
    let mut descriptors = Vec::new();
    for control in message.cmsgs().ok()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            descriptors.extend(numbers.into_iter().map(sys::own));
        }
    }
    if message.flags.contains(MsgFlags::MSG_TRUNC) {
        return None;
    }
    let length = message.bytes;
    Some((Ask::from_bytes(bytes.get(..length)?)?, descriptors))
}

/// Passes a request on.
///
/// # Errors
/// When the other end is gone.
pub fn pass_on(line: &impl AsRawFd, ask: Ask, descriptors: &[RawFd]) -> nix::Result<()> {
    let control = [ControlMessage::ScmRights(descriptors)];
    let bytes = ask.to_bytes();
    let flags = MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(line.as_raw_fd(), &[IoSlice::new(&bytes)], &control, flags, None).map(drop)
}
