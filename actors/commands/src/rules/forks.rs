//! Fork bombs. Their shape is found by `walk`; the rule is what it is called.

use super::Rule;

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.fork-bomb",
    protects: "from processes that multiply without end",
    instead: "Start a known number of processes and wait for them.",
};
