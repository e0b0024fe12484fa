//! A network of the peers' own, with nothing but a loopback: they reach our provider and nobody else.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// Runs `what`, and all that it starts, in a network namespace of its own. It ends with the last of them.
pub fn alone<T: Send>(what: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let inside = || {
        // A namespace is a thread's, so the rest of this program stays where it is.
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("a network namespace: {e}"))?;
        let mut command = Command::new("ip");
        command.args(["link", "set", "lo", "up"]);
        match command.status() {
            Ok(status) if status.success() => what(),
            Ok(status) => Err(format!("ip link set lo up: {status}")),
            Err(e) => Err(format!("ip: {e}; install iproute2")),
        }
    };
    std::thread::scope(|scope| {
        let ended = scope.spawn(inside).join();
        ended.unwrap_or_else(|_| Err("a measurement panicked: see above".to_string()))
    })
}
