//! What the supervisor asks.

use nix::sys::signal::{Signal as UnixSignal, kill};
use roles::launch::{Instance, Request, Signal};
use roles::{Role, launch};

use crate::launcher::Launcher;

impl Launcher {
    /// Carries out a request of the sealed supervisor, instance `asker`.
    pub fn serve_request(&mut self, asker: u64, request: Request) {
        match request {
            Request::Start { role, slot } => self.start_asked(role, slot),
            Request::Signal { to, signal } => self.signal(asker, to, signal),
            Request::Notify(notice) => self.manager.tell(notice),
        }
    }

    /// An instance that has ended meanwhile is no fault of the asker's; one that never was its own is.
    fn signal(&mut self, asker: u64, to: Instance, signal: launch::Signal) {
        if matches!(to.role, Role::Launcher | Role::Supervisor) {
            if let Some(supervisor) = self.children.get_mut(&asker) {
                supervisor.kill("it asked to signal what is not its to signal");
            }
            return;
        }
        let Some(child) = self.children.get_mut(&to.number).filter(|c| c.who == to) else { return };
        match signal {
            Signal::Term => {
                let _ = kill(child.pid, UnixSignal::SIGTERM);
            }
            Signal::Kill => child.end(),
        }
    }
}
