//! What a twin is told: which attempt to make, and what an attacker would know of the host.

use crate::given::Given;

/// One order, a line of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Name of the attempt.
    pub attempt: String,
    /// Number of another process, as the host sees it.
    pub victim: i32,
    /// An address in that process.
    pub address: u64,
    /// A port at which the host listens on the loopback.
    pub port: u16,
    /// An abstract socket at which the host listens.
    pub abstract_name: String,
    /// The service's root directory on the host.
    pub root: String,
}

impl Order {
    /// The line.
    pub fn to_line(&self) -> String {
        let Order { attempt, victim, address, port, abstract_name, root } = self;
        format!("{attempt} {victim} {address} {port} {abstract_name} {root}")
    }

    /// From a line.
    pub fn from_line(line: &str) -> Option<Order> {
        let mut words = line.trim_end().splitn(6, ' ');
        let mut word = || words.next();
        Some(Order {
            attempt: word()?.to_owned(),
            victim: word()?.parse().ok()?,
            address: word()?.parse().ok()?,
            port: word()?.parse().ok()?,
            abstract_name: word()?.to_owned(),
            root: word()?.to_owned(),
        })
    }

    /// Adds what it says of the host to what the attacker has.
    pub fn inform(&self, given: &mut Given) {
        given.victim = self.victim;
        given.address = self.address;
        given.port = self.port;
        given.abstract_name.clone_from(&self.abstract_name);
        given.root.clone_from(&self.root);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_the_order() {
        let order = Order {
            attempt: "kill".into(),
            victim: 7,
            address: 8,
            port: 9,
            abstract_name: "x".into(),
            root: "/tmp/a b".into(),
        };
        assert_eq!(Order::from_line(&order.to_line()).unwrap(), order);
        assert_eq!(Order::from_line("kill 7"), None);
    }
}
