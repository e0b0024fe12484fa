//! The orderly stop: first the gate, which finishes its turns while all it needs still runs; then, wave by wave, in
//! reverse order of the start.

use ractor::ActorRef;
use roles::Role;
use roles::launch::Notice;

use super::{Done, RootMessage, Tree};
use crate::instance::InstanceMessage;
use crate::life::Event;
use crate::limits::STOP_GRACE_MS;
use crate::strategies::LAST_WAVE;
use crate::tree;

impl Tree {
    pub(super) async fn shut_down(&mut self, myself: &ActorRef<RootMessage>) -> Done {
        if self.stopping.is_some() {
            return Ok(());
        }
        tracing::info!("stopping");
        self.stopping = Some(0);
        self.notify(Notice::Stopping).await?;
        self.stop_wave(0)?;
        self.next_wave(myself)
    }

    fn stop_wave(&self, number: u8) -> Done {
        for place in tree::wave(&self.instances, number) {
            let is_gate = place.role() == Some(Role::Gate);
            let grace_ms = if is_gate { self.settings.drain_ms } else { STOP_GRACE_MS };
            if let Some(child) = self.children.get(&place) {
                child.cast(InstanceMessage::Happened(Event::Unwant { grace_ms }))?;
            }
        }
        Ok(())
    }

    /// Goes on to the next wave when nothing of this one is left.
    pub(super) fn next_wave(&mut self, myself: &ActorRef<RootMessage>) -> Done {
        while let Some(wave) = self.stopping.filter(|wave| tree::is_over(&self.instances, *wave)) {
            if wave == LAST_WAVE {
                if let Some(stopped) = self.stopped.take() {
                    tracing::info!("stopped");
                    // Whoever would hear it has ended: then so does this process.
                    let _ = stopped.send(());
                }
                myself.stop(None);
                return Ok(());
            }
            self.stopping = Some(wave + 1);
            self.stop_wave(wave + 1)?;
        }
        Ok(())
    }
}
