//! Heartbeats: a role that does not answer in time is hung and is ended, politely first.

use schema::edge::control::ToRole;

use super::{Effect, Life, Ping, Run, State, Timer};

impl State {
    /// A ping, and the timer of the next look.
    pub(super) fn ask_pulse(&mut self, run: &mut Run, now_ms: u64, out: &mut Vec<Effect>) {
        if run.ping.is_none() {
            run.pings += 1;
            // Nonces of two supervisors in a row do not meet: each takes its own numbers at random.
            let nonce = self.jitter.between(0, u64::MAX - 1);
            run.ping = Some(Ping { nonce, sent_ms: now_ms });
            out.push(Effect::Tell(ToRole::Ping { nonce }));
        }
        run.heartbeat = self.arm(Timer::Heartbeat, u64::from(self.times.heartbeat_ms), out);
    }

    pub(super) fn pulse(&mut self, now_ms: u64, token: u64, out: &mut Vec<Effect>) {
        let Life::Runs(run) = &self.life else { return };
        if run.heartbeat != token || run.ending.is_some() {
            return;
        }
        let hung_ms = u64::from(self.times.hung_ms);
        if run.ping.is_some_and(|ping| now_ms.saturating_sub(ping.sent_ms) >= hung_ms) {
            let number = run.number;
            return self.terminate(number, format!("hung: no answer for {hung_ms} ms"), out);
        }
        let mut run = run.clone();
        self.ask_pulse(&mut run, now_ms, out);
        self.life = Life::Runs(run);
    }
}
