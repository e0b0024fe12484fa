//! What is looked at before anything is parsed, in one pass that no input can make longer: size, characters that mean
//! something else here, and how deep things may lie within one another.
//!
//! It does not know where quotes begin and end, so that it can't be fooled about that: a closing bracket counts only
//! when it closes in every reading, that is, when between the two there is one kind of quote at most, in pairs, and
//! nothing else that could hide it. What may not be closed counts as open to the end.

use crate::limits::{NESTING_MAX, SEPARATORS_MAX, SUBSTITUTIONS_MAX, TEXT_BYTES_MAX};
use crate::text;

/// Why a text is not parsed at all.
pub fn refused(source: &str) -> Option<&'static str> {
    if source.len() > TEXT_BYTES_MAX {
        return Some("a command longer than is parsed");
    }
    if source.chars().any(|c| c == '\0' || text::is_reserved(c)) {
        return Some("characters that no command has");
    }
    if differs_between_shells(source) {
        return Some("quoting that ends elsewhere in another shell ($'…\\'…')");
    }
    nesting(source)
}

/// What has been seen that may hide a closing bracket.
#[derive(Clone, Copy, Default)]
struct Hiding {
    double: usize,
    single: usize,
    /// Backslashes, backquotes, comments, here-documents, patterns of `case`.
    other: usize,
}

impl Hiding {
    fn may_hide(self, since: Hiding) -> bool {
        let (double, single) = (self.double - since.double, self.single - since.single);
        self.other > since.other || double > 0 && single > 0 || double % 2 == 1 || single % 2 == 1
    }
}

/// Something that is open.
struct Open {
    closes: char,
    is_substitution: bool,
    since: Hiding,
}

#[derive(Default)]
struct Nesting {
    open: Vec<Open>,
    hiding: Hiding,
    /// Open to the end, for all that can be told.
    lasting: usize,
    lasting_substitutions: usize,
    separators: usize,
    has_arithmetic: bool,
    /// Signs that nest an expression to the right.
    assignments: usize,
    /// Signs of negation in a row.
    signs: usize,
}

fn nesting(source: &str) -> Option<&'static str> {
    let mut it = Nesting::default();
    let mut before = '\n';
    let mut word = String::new();
    for c in source.chars().chain(['\n']) {
        if c.is_ascii_alphabetic() {
            if word.len() < 10 {
                word.push(c);
            }
        } else {
            it.word(&word);
            word.clear();
        }
        it.character(c, before);
        if it.separators > SEPARATORS_MAX {
            return Some("too many commands");
        }
        if it.open.len() + it.lasting > NESTING_MAX || it.signs > NESTING_MAX || it.assignments > 2 * NESTING_MAX {
            return Some("too much within one another");
        }
        let substitutions = it.open.iter().filter(|open| open.is_substitution).count();
        if it.lasting_substitutions + substitutions > SUBSTITUTIONS_MAX {
            return Some("too many substitutions within one another");
        }
        before = c;
    }
    None
}

impl Nesting {
    fn word(&mut self, word: &str) {
        match word {
            "if" | "while" | "until" | "for" | "select" => self.opens(' ', false),
            // In here a bracket closes a pattern, not what was open.
            "case" => {
                self.lasting += 1;
                self.hiding.other += 1;
            }
            "coproc" | "time" | "function" => self.lasting += 1,
            "fi" | "done" => self.closes(' '),
            _ => {}
        }
    }

    fn character(&mut self, c: char, before: char) {
        match c {
            '=' | '?' if self.has_arithmetic => self.assignments += 1,
            '(' => self.opens(')', matches!(before, '$' | '<' | '>')),
            '{' => self.opens('}', false),
            ')' | '}' => self.closes(c),
            '"' => self.hiding.double += 1,
            '\'' => self.hiding.single += 1,
            '\\' | '`' | '#' => self.hiding.other += 1,
            '<' if before == '<' => self.hiding.other += 1,
            ';' | '&' | '|' => self.separators += 1,
            '\n' if !self.open.is_empty() || self.lasting > 0 => self.separators += 1,
            '!' | '-' | '+' | '~' => self.signs += 1,
            _ => {}
        }
        self.has_arithmetic |= c == '(' && before == '(' || c == '[' && before == '$';
        if !matches!(c, '!' | '-' | '+' | '~' | '\\') && !c.is_whitespace() {
            self.signs = 0;
        }
    }

    fn opens(&mut self, closes: char, is_substitution: bool) {
        self.open.push(Open { closes, is_substitution, since: self.hiding });
    }

    fn closes(&mut self, c: char) {
        let Some(open) = self.open.pop_if(|open| open.closes == c) else { return };
        if self.hiding.may_hide(open.since) {
            self.lasting += 1;
            self.lasting_substitutions += usize::from(open.is_substitution);
        }
    }
}

/// `$'a\'b'` is one string to bash; to a shell without that quoting it ends at the second quote, and what follows is
/// commands.
fn differs_between_shells(source: &str) -> bool {
    source.match_indices("$'").any(|(at, _)| {
        let mut rest = source[at + 2..].chars();
        while let Some(c) = rest.next() {
            match c {
                '\'' => return false,
                '\\' if rest.next() == Some('\'') => return true,
                _ => {}
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_parser_should_see_is_not_parsed() {
        for bad in [
            "x".repeat(TEXT_BYTES_MAX + 1),
            "(".repeat(NESTING_MAX + 1),
            "if ".repeat(NESTING_MAX + 1),
            "{ ".repeat(NESTING_MAX + 1),
            "! ".repeat(NESTING_MAX + 1),
            "!\\\n".repeat(NESTING_MAX + 1),
            "a; ".repeat(SEPARATORS_MAX + 1),
            "case x in x) ".repeat(NESTING_MAX + 1),
            "( ')' ".repeat(NESTING_MAX + 1),
            "( \\) ".repeat(NESTING_MAX + 1),
            "( \"'\" ) '\"'".repeat(NESTING_MAX + 1),
            "$( ')' ".repeat(SUBSTITUTIONS_MAX + 1),
            "$(".repeat(SUBSTITUTIONS_MAX + 1),
            "a\0b".to_owned(),
            "a\u{E000}".to_owned(),
            r"echo $'a\'; rm -rf /; echo \'b'".to_owned(),
        ] {
            assert!(refused(&bad).is_some(), "{bad:.40}");
        }
        for good in [
            "echo $'it is' \\'so\\'".to_owned(),
            "for i in 1 2; do (echo $(echo $i)); done".to_owned(),
            "echo ':( :( :('".to_owned(),
            "print(\"x\")\n".repeat(SEPARATORS_MAX),
            "echo \"$(date)\" ".repeat(500),
        ] {
            assert_eq!(refused(&good), None, "{good:.40}");
        }
    }
}
