//! Who gets which end: an edge is made for a role that is sealed and a gate that is sealed, and for nobody else.

use nix::sys::socket::SockType;
use roles::launch::{EdgeGiven, Report};
use roles::{Role, grant::Edge};

use crate::{child::Stage, launcher::Launcher, line::pair, requests::clone_control, sealed};

impl Launcher {
    /// A role says that it is sealed: /proc is asked, and only then is it given anything.
    pub fn check_seal(&mut self, number: u64) {
        let Some(child) = self.children.get_mut(&number) else { return };
        let who = child.who;
        if let Err(wrong) = sealed::look(child.pid, who.role, child.ids) {
            return child.kill(&format!("it says that it is sealed, but {wrong}"));
        }
        child.stage = Stage::Sealed { wired: false };
        match who.role.row().edge {
            Edge::Gate => self.wire(number),
            Edge::Hub { .. } => {
                self.report(Report::Sealed { who }, None);
                self.wire_all();
            }
            // The supervisor: the only role without an edge that the launcher starts.
            Edge::None { .. } => self.hand_over(),
        }
    }

    /// Fresh edges for a new gate. A brain's edge is never renewed: those that had one died with the old gate.
    fn wire_all(&mut self) {
        let waiting = self.children.values().filter(|child| match child.stage {
            Stage::Sealed { wired } => !(wired && child.who.role == Role::Brain),
            Stage::Starting(_) | Stage::Failed(..) | Stage::Unsealed => false,
        });
        for number in waiting.map(|child| child.who.number).collect::<Vec<u64>>() {
            self.wire(number);
        }
    }

    /// Makes an edge between that role and the gate; without a sealed gate the role waits for the next.
    fn wire(&mut self, number: u64) {
        let Some(role) = self.children.get(&number).filter(|c| c.is_sealed()) else { return };
        let who = role.who;
        if who.role.row().edge != Edge::Gate {
            return;
        }
        let label = EdgeGiven { who }.to_bytes();
        let mut sealed = self.children.values_mut().filter(|c| c.is_sealed());
        let Some(gate) = sealed.find(|c| c.who.role == Role::Gate) else { return };
        let Ok((roles_end, gates_end)) = pair(SockType::Stream) else {
            return self.children.get_mut(&number).into_iter().for_each(|role| role.kill("no edge can be made for it"));
        };
        if let Err(e) = gate.line.send(&label, Some(gates_end)) {
            return gate.kill(&format!("it does not take its edges: {}", e.desc()));
        }
        let Some(role) = self.children.get_mut(&number) else { return };
        if let Err(e) = role.line.send(&label, Some(roles_end)) {
            return role.kill(&format!("it does not take its edge: {}", e.desc()));
        }
        let before = std::mem::replace(&mut role.stage, Stage::Sealed { wired: true });
        if matches!(before, Stage::Sealed { wired: false }) {
            self.report(Report::Sealed { who }, None);
        }
    }

    /// The gate is gone: every brain that had an edge to it goes too.
    pub fn end_wired_brains(&mut self) {
        for child in self.children.values_mut() {
            if child.who.role == Role::Brain && matches!(child.stage, Stage::Sealed { wired: true }) {
                child.end();
            }
        }
    }

    /// A new supervisor is handed what runs already, and what it would have been told.
    fn hand_over(&mut self) {
        for number in self.children.keys().copied().collect::<Vec<u64>>() {
            let Some(child) = self.children.get_mut(&number).filter(|c| c.is_running()) else { continue };
            let adopted = Report::Adopted {
                who: child.who,
                pid: child.pid.as_raw() as u32,
                sealed: match child.stage {
                    Stage::Sealed { wired } => wired || child.who.role == Role::Gate,
                    Stage::Starting(_) | Stage::Failed(..) | Stage::Unsealed => false,
                },
            };
            if let Some(control) = clone_control(child) {
                self.report(adopted, Some(control));
            }
        }
        if self.stopping.is_some() {
            self.report(Report::Shutdown, None);
        }
    }
}
