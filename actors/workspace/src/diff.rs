//! Unified diffs of text, within bounds that depend on the texts alone: the same change is always shown the same way,
//! since an approval is bound to what was shown.

use std::borrow::Cow;
use std::os::fd::OwnedFd;

use similar::{Algorithm, TextDiff};

use crate::content;
use crate::error::shown;
use crate::limits::Limits;

/// What comparing may cost, in pairs of lines: what the algorithm needs where nothing is alike.
const COST_MAX: u64 = 64 << 20;

/// A side of a diff.
pub enum Text<'a> {
    /// There is no such file.
    None,
    /// All of it.
    Read(&'a [u8]),
    /// What is still to be read, and its length.
    Unread(&'a OwnedFd, u64),
}

/// Makes diffs until the action has enough of them.
pub struct Diffs {
    text_bytes_max: u64,
    text_lines_max: usize,
    diff_bytes_max: usize,
    bytes_left: usize,
    cost_left: u64,
    binary: bool,
}

impl Diffs {
    /// Within limits.
    pub fn new(limits: &Limits) -> Diffs {
        Diffs {
            text_bytes_max: limits.diff_text_bytes_max,
            text_lines_max: limits.diff_text_lines_max,
            diff_bytes_max: limits.diff_bytes_max,
            bytes_left: limits.diffs_bytes_max,
            cost_left: COST_MAX,
            binary: false,
        }
    }

    /// The diff of a file that is created, changed or deleted; `None` where it is no text or goes beyond a limit.
    pub fn of(&mut self, path: &[u8], before: &Text<'_>, after: &Text<'_>) -> Option<String> {
        self.binary = false;
        if matches!((before, after), (Text::None, Text::None)) {
            return None;
        }
        let old = self.text(before)?;
        let new = self.text(after)?;
        let lines = |text: &str| text.lines().count() as u64 + 1;
        let cost = lines(&old) * lines(&new);
        if cost > self.cost_left {
            return None;
        }
        self.cost_left -= cost;
        let name = shown(path);
        let header = |text: &Text<'_>, side: &str| match text {
            Text::None => "/dev/null".to_owned(),
            Text::Read(_) | Text::Unread(..) => format!("{side}/{name}"),
        };
        let (a, b) = (header(before, "a"), header(after, "b"));
        let text = match (&*old, &*new) {
            // What comparing takes for a line's end besides is rare, and compared.
            ("", all) if !all.contains('\r') => one_sided(&a, &b, '+', all),
            (all, "") if !all.contains('\r') => one_sided(&a, &b, '-', all),
            (old, new) => {
                let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(old, new);
                diff.unified_diff().context_radius(3).header(&a, &b).to_string()
            }
        };
        if text.is_empty() || text.len() > self.diff_bytes_max || text.len() > self.bytes_left {
            return None;
        }
        self.bytes_left -= text.len();
        Some(text)
    }

    /// Whether what was asked for last had a content that is no text.
    pub fn was_binary(&self) -> bool {
        self.binary
    }

    /// A text within the limits; no file counts as an empty one.
    fn text<'t>(&mut self, text: &Text<'t>) -> Option<Cow<'t, str>> {
        let text = match text {
            Text::None => Some(Cow::Borrowed("")),
            Text::Read(bytes) if bytes.len() as u64 > self.text_bytes_max => return None,
            Text::Read(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            // A file that can't be read here shows its error where its digest is made.
            Text::Unread(file, length) => {
                let bytes = content::small(file, *length, self.text_bytes_max).ok().flatten()?;
                String::from_utf8(bytes).ok().map(Cow::Owned)
            }
        };
        let text = text.filter(|text| !text.contains('\0'));
        self.binary |= text.is_none();
        text.filter(|text| text.lines().count() <= self.text_lines_max)
    }
}

/// The diff of a text and nothing: each line, without comparing any.
fn one_sided(a: &str, b: &str, sign: char, all: &str) -> String {
    let count = all.split_inclusive('\n').count();
    if count == 0 {
        return String::new();
    }
    let lines = if count == 1 { "1".to_owned() } else { format!("1,{count}") };
    let ranges = if sign == '+' { format!("-0,0 +{lines}") } else { format!("-{lines} +0,0") };
    let mut text = String::with_capacity(all.len() + count + a.len() + b.len() + 64);
    text.push_str(&format!("--- {a}\n+++ {b}\n@@ {ranges} @@\n"));
    for line in all.split_inclusive('\n') {
        text.push(sign);
        text.push_str(line);
    }
    if !all.ends_with('\n') {
        text.push_str("\n\\ No newline at end of file\n");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_text_beside_nothing_is_shown_as_any_two_are() {
        for all in ["one\n", "one", "one\ntwo\n", "one\n\nthree", "\n", "", "a\n\n", "\n\n\n", "a\u{2028}b\n"] {
            for (sign, old, new) in [('+', "", all), ('-', all, "")] {
                let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(old, new);
                let compared = diff.unified_diff().context_radius(3).header("a/x", "b/x").to_string();
                assert_eq!(one_sided("a/x", "b/x", sign, all), compared, "{all:?}");
            }
        }
    }
}
