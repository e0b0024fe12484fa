//! Running what was just fetched. Where it comes from is followed by `walk`; the rule is what it is called.

use super::Rule;
use super::table::{Row, When};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.download-and-run",
    protects: "from running a program that was fetched and never looked at",
    instead: "Fetch it into a file, read it, and run it in a later command.",
};

pub(super) const ROWS: &[Row] = &[
    Row { names: "deno", when: When::Begins("http:// https://") },
    Row { names: "mshta regsvr32 certutil bitsadmin rundll32", when: When::Begins("http /i:http -urlcache /transfer") },
];
