//! What the gate may ask: instances on demand, the end of one that misbehaved, the state of the tree.

use ractor::ActorRef;
use roles::Role;
use schema::edge::control::{FromRole, Place, ToRole};

use super::{Done, RootMessage, Tree};
use crate::instance::InstanceMessage;
use crate::life::Event;
use crate::limits::{REASON_BYTES, STOP_GRACE_MS};
use crate::strategies::{Strategy, strategy_of};
use crate::tree;

impl Tree {
    pub(super) async fn gate_said(&mut self, myself: &ActorRef<RootMessage>, message: FromRole) -> Done {
        match message {
            FromRole::Want(place) => self.gate_wants(myself, place).await,
            FromRole::Unwant(place) => self.gate_unwants(place),
            FromRole::DescribeTree { request } => {
                let now_ms = self.born.elapsed().as_millis() as u64;
                let instances = tree::describe(&self.instances, now_ms);
                self.tell_gate(ToRole::TreeDescribed { request, instances, probe: (self.probe)() })
            }
            FromRole::Misbehaved { place, number } => {
                if let Some(child) = self.children.get(&place) {
                    let why = "the gate says that it broke the rules of its edge".into();
                    child.cast(InstanceMessage::Happened(Event::Misbehaved { number, why }))?;
                }
                Ok(())
            }
            // Never passed on: every role may say these, and its own actor hears them.
            FromRole::Ready | FromRole::Pong { .. } | FromRole::Busy | FromRole::Idle => Ok(()),
        }
    }

    async fn gate_wants(&mut self, myself: &ActorRef<RootMessage>, place: Place) -> Done {
        let strategy = place.role().and_then(|role| strategy_of(role, place.slot));
        let (Some(role), Some(strategy)) = (place.role(), strategy) else {
            self.tell_unavailable(place, "the table has no such role and slot");
            return Ok(());
        };
        if self.stopping.is_some_and(|wave| wave > 0) {
            self.tell_unavailable(place, "everything is being stopped");
            return Ok(());
        }
        match strategy {
            Strategy::OnDemand => self.tell_child(myself, role, place.slot, Event::Want).await,
            Strategy::Permanent if tree::keeps(&self.settings, role, place.slot) => {
                self.tell_child(myself, role, place.slot, Event::Want).await
            }
            Strategy::Permanent => {
                self.tell_unavailable(place, "it is not among the links of etc/supervisor/tree.toml");
                Ok(())
            }
            Strategy::Pool => self.retry_spares(role),
        }
    }

    /// The gate needs a brain: spares that were given up are tried again.
    fn retry_spares(&self, role: Role) -> Done {
        for instance in self.instances.values().filter(|i| i.spare && i.place.role() == Some(role)) {
            if let Some(child) = self.children.get(&instance.place) {
                child.cast(InstanceMessage::Happened(Event::Want))?;
            }
        }
        Ok(())
    }

    /// Only what runs on demand, and is not configured to run always, can be unwanted.
    fn gate_unwants(&self, place: Place) -> Done {
        let Some(role) = place.role() else { return Ok(()) };
        let on_demand = strategy_of(role, place.slot) == Some(Strategy::OnDemand);
        let always = tree::always(&self.settings).contains(&(role, place.slot));
        if let (true, false, Some(child)) = (on_demand, always, self.children.get(&place)) {
            child.cast(InstanceMessage::Happened(Event::Unwant { grace_ms: STOP_GRACE_MS }))?;
        }
        Ok(())
    }

    fn tell_gate(&self, message: ToRole) -> Done {
        if let Some(gate) = self.children.get(&Place::new(Role::Gate, 0)) {
            gate.cast(InstanceMessage::Tell(message))?;
        }
        Ok(())
    }

    /// Tells the gate that it waits in vain.
    pub(super) fn tell_unavailable(&self, place: Place, reason: &str) {
        let mut end = reason.len().min(REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason.get(..end).unwrap_or_default().to_owned();
        if let Err(error) = self.tell_gate(ToRole::Unavailable { place, reason }) {
            tracing::error!("telling the gate: {error}");
        }
    }
}
