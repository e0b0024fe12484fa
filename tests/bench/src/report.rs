//! What a figure looks like on paper: measured, beside what, the ratio, the target, and whether it was reached.

/// One line of the report.
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Ours, with its unit.
    pub ours: Amount,
    /// What it is held against, and its own measurement in this run.
    pub beside: Vec<(String, Amount)>,
    /// What it must reach.
    pub target: Target,
}

/// A number with its unit.
#[derive(Clone, Copy)]
pub struct Amount {
    /// How many.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

/// What a figure must reach.
pub enum Target {
    /// Ours is at most this, in its own unit.
    AtMost(f64),
    /// Ours is at most this many times the first thing beside it.
    TimesPeer(f64),
}

impl Figure {
    /// Whether the target is reached; `None` when the peer could not be measured.
    pub fn reached(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(limit) => Some(self.ours.value <= limit),
            Target::TimesPeer(times) => self.beside.first().map(|(_, peer)| self.ours.value <= times * peer.value),
        }
    }

    /// Prints the line.
    pub fn print(&self) {
        let verdict = match self.reached() {
            Some(true) => "reached",
            Some(false) => "FELL SHORT",
            None => "-",
        };
        let target = match self.target {
            Target::AtMost(limit) => format!("<= {limit} {}", self.ours.unit),
            Target::TimesPeer(times) => format!("<= {times} x peer"),
        };
        println!("{:<52} {:>10.3} {:<6} {:<18} {}", self.what, self.ours.value, self.ours.unit, target, verdict);
        for (name, peer) in &self.beside {
            let ratio = self.ours.value / peer.value;
            println!("    beside {name:<41} {:>10.3} {:<6} ratio {ratio:.3}", peer.value, peer.unit);
        }
    }
}

/// Milliseconds.
pub fn ms(value: f64) -> Amount {
    Amount { value, unit: "ms" }
}

/// MiB.
pub fn mib(value: f64) -> Amount {
    Amount { value, unit: "MiB" }
}

/// Bytes.
pub fn bytes(value: f64) -> Amount {
    Amount { value, unit: "B" }
}

/// Microseconds.
pub fn us(value: f64) -> Amount {
    Amount { value, unit: "us" }
}
