//! The control line by its number: the kit owns it, and gives nobody else the raw end.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use crate::Conduct;

/// Says on the control line what no role says, for ever.
pub async fn misuse_control(conduct: Conduct) {
    // SAFETY: the kit holds this descriptor until the process ends.
    let control = unsafe { BorrowedFd::borrow_raw(roles::fd::CONTROL) };
    // 0xff is no variant of any message; a pong that nobody asked for is a message.
    let packet: &[u8] = if conduct == Conduct::ControlGarbage { &[0xff; 64] } else { &[1, 7] };
    loop {
        match nix::unistd::write(control, packet) {
            Ok(_) => tokio::task::yield_now().await,
            Err(Errno::EAGAIN) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            Err(_) => return,
        }
    }
}
