//! What the figures look like on paper: one table, then in plain words what fell short and what could not be measured.

/// One line of the report.
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Ours, with its unit.
    pub ours: Amount,
    /// What it must reach.
    pub target: Target,
    /// What it is held against.
    pub beside: Vec<Beside>,
}

/// A number with its unit.
#[derive(Clone, Copy)]
pub struct Amount {
    /// How many.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// Digits behind the point.
    digits: usize,
}

/// What a figure must reach.
#[derive(Clone, Copy)]
pub enum Target {
    /// Ours is at most this, in its own unit.
    AtMost(f64),
    /// Ours is at most this many times the first thing beside it.
    TimesPeer(f64),
    /// Ours is at least this many times the first thing beside it.
    AtLeastTimesPeer(f64),
}

/// Something that a figure is held against.
pub struct Beside {
    name: String,
    amount: Result<Amount, String>,
    is_quoted: bool,
}

/// Milliseconds.
pub fn ms(value: f64) -> Amount {
    Amount { value, unit: "ms", digits: 2 }
}

/// Megabytes of a million bytes.
pub fn mb(value: f64) -> Amount {
    Amount { value, unit: "MB", digits: 1 }
}

/// Bytes.
pub fn bytes(value: f64) -> Amount {
    Amount { value, unit: "B", digits: 0 }
}

/// Microseconds.
pub fn us(value: f64) -> Amount {
    Amount { value, unit: "us", digits: 1 }
}

/// Seconds.
pub fn seconds(value: f64) -> Amount {
    Amount { value, unit: "s", digits: 0 }
}

/// So many a second.
pub fn a_second(value: f64) -> Amount {
    Amount { value, unit: "/s", digits: 0 }
}

/// Measured in this run, or in words why not.
pub fn measured(name: &str, amount: Result<Amount, String>) -> Beside {
    Beside { name: name.to_string(), amount, is_quoted: false }
}

/// From elsewhere, not run here.
pub fn quoted(name: &str, amount: Amount) -> Beside {
    Beside { name: name.to_string(), amount: Ok(amount), is_quoted: true }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.*} {}", self.digits, self.value, self.unit)
    }
}

impl Figure {
    /// Whether the target is reached; `None` when what it is held against could not be measured.
    fn reached(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(limit) => Some(self.ours.value <= limit),
            Target::TimesPeer(times) => {
                let peer = self.beside.first()?.amount.as_ref().ok()?;
                Some(self.ours.value <= times * peer.value)
            }
            Target::AtLeastTimesPeer(times) => {
                let peer = self.beside.first()?.amount.as_ref().ok()?;
                Some(self.ours.value >= times * peer.value)
            }
        }
    }

    fn target_words(&self) -> String {
        match self.target {
            Target::AtMost(limit) => format!("at most {limit} {}", self.ours.unit),
            Target::TimesPeer(times) => format!("at most {times} of the first peer"),
            Target::AtLeastTimesPeer(times) => format!("at least {times} of the first peer"),
        }
    }

    fn rows(&self) -> Vec<[String; 6]> {
        let verdict = match self.reached() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not known",
        };
        let mut rows = vec![[
            self.what.clone(),
            self.ours.to_string(),
            self.target_words(),
            String::new(),
            String::new(),
            verdict.to_string(),
        ]];
        for (i, beside) in self.beside.iter().enumerate() {
            if i > 0 {
                rows.push(Default::default());
            }
            let row = &mut rows[i];
            let mark = if beside.is_quoted { " (quoted)" } else { "" };
            match &beside.amount {
                Ok(amount) => {
                    row[3] = format!("{}{mark}: {amount}", beside.name);
                    row[4] = format!("{:.3}", self.ours.value / amount.value);
                }
                Err(_) => row[3] = format!("{}: not measured", beside.name),
            }
        }
        rows
    }
}

const HEAD: [&str; 6] = ["what", "measured", "must reach", "beside", "ratio", "reached"];

/// Prints the table of all figures.
pub fn print_table(figures: &[Figure]) {
    let mut rows = vec![HEAD.map(str::to_string)];
    rows.extend(figures.iter().flat_map(Figure::rows));
    print_columns(&rows);
}

/// Prints rows in columns as wide as their widest cell, the first row as their head.
pub fn print_columns<const N: usize>(rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join(" | ").trim_end());
        if i == 0 {
            println!("{}", widths.map(|width| "-".repeat(width)).join("-+-"));
        }
    }
}

/// Prints what fell short and what was not measured, `unmeasured` included; whether all was measured.
pub fn print_verdict(figures: &[Figure], unmeasured: &[String]) -> bool {
    let short = figures.iter().filter(|figure| figure.reached() == Some(false));
    let short: Vec<String> =
        short.map(|figure| format!("{}: {}, {}", figure.what, figure.ours, figure.target_words())).collect();
    let mut missing = unmeasured.to_vec();
    for beside in figures.iter().flat_map(|figure| &figure.beside) {
        if let Err(reason) = &beside.amount {
            missing.push(format!("{}: {reason}", beside.name));
        }
    }
    print_list("Fell short:", "Every figure that was measured is reached.", &short);
    print_list("Not measured:", "Everything was measured.", &missing);
    missing.is_empty()
}

fn print_list(head: &str, none: &str, lines: &[String]) {
    println!("\n{}", if lines.is_empty() { none } else { head });
    for line in lines {
        println!("  {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: f64, target: Target, peer: Result<Amount, String>) -> Figure {
        Figure { what: "a".to_string(), ours: ms(ours), target, beside: vec![measured("b", peer)] }
    }

    #[test]
    fn a_target_is_reached_at_its_limit_and_not_above() {
        assert_eq!(figure(25.0, Target::AtMost(25.0), Ok(ms(1.0))).reached(), Some(true));
        assert_eq!(figure(25.1, Target::AtMost(25.0), Ok(ms(1.0))).reached(), Some(false));
        assert_eq!(figure(5.0, Target::TimesPeer(0.5), Ok(ms(10.0))).reached(), Some(true));
        assert_eq!(figure(5.1, Target::TimesPeer(0.5), Ok(ms(10.0))).reached(), Some(false));
        assert_eq!(figure(15.0, Target::AtLeastTimesPeer(1.5), Ok(ms(10.0))).reached(), Some(true));
        assert_eq!(figure(14.9, Target::AtLeastTimesPeer(1.5), Ok(ms(10.0))).reached(), Some(false));
    }

    #[test]
    fn a_peer_that_is_missing_leaves_a_limit_judged_and_a_comparison_open() {
        assert_eq!(figure(1.0, Target::AtMost(2.0), Err("gone".to_string())).reached(), Some(true));
        assert_eq!(figure(1.0, Target::TimesPeer(2.0), Err("gone".to_string())).reached(), None);
        assert!(!print_verdict(&[figure(1.0, Target::AtMost(2.0), Err("gone".to_string()))], &[]));
        assert!(print_verdict(&[figure(3.0, Target::AtMost(2.0), Ok(ms(1.0)))], &[]));
    }
}
