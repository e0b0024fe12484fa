//! Unified diffs of text, within bounds that depend on the texts alone: the same change is always shown the same way,
//! since an approval is bound to what was shown.

use std::fs::File;

use similar::{Algorithm, TextDiff};

use crate::content;
use crate::error::shown;
use crate::limits::Limits;

/// What comparing may cost, in pairs of lines: what the algorithm needs where nothing is alike.
const COST_MAX: u64 = 64 << 20;

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
    pub fn of(&mut self, path: &[u8], before: Option<&File>, after: Option<&File>) -> Option<String> {
        self.binary = false;
        if before.is_none() && after.is_none() {
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
        let header =
            |file: Option<&File>, side: &str| file.map_or("/dev/null".to_owned(), |_| format!("{side}/{name}"));
        let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(&old, &new);
        let text = diff.unified_diff().context_radius(3).header(&header(before, "a"), &header(after, "b")).to_string();
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
    fn text(&mut self, file: Option<&File>) -> Option<String> {
        let Some(file) = file else { return Some(String::new()) };
        // A file that can't be read here shows its error where its digest is made.
        let bytes = content::small(file, self.text_bytes_max).ok().flatten()?;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        self.binary |= text.is_none();
        text.filter(|text| text.lines().count() <= self.text_lines_max)
    }
}
