//! From a word as it is written to the fields a shell would make of it: quotes removed, braces, parameters and
//! substitutions expanded. What isn't literal becomes a character that says so (`text`).

use crate::limits::{FIELDS_MAX, KNOWN_BYTES_MAX};
use crate::text::{self, DECODED, NUMBER, UNKNOWN};
use crate::walk::{Scope, Walk};

mod ansi;
pub use ansi::decoded as unescape;
mod braces;
mod ends;
mod parameters;

/// Fields while a word is read.
#[derive(Default)]
struct Fields {
    done: Vec<String>,
    current: String,
    /// There is a field, though it may be empty.
    begun: bool,
}

impl Fields {
    fn push(&mut self, c: char) {
        if self.current.len() <= KNOWN_BYTES_MAX {
            self.current.push(c);
        }
        self.begun = true;
    }

    fn quoted(&mut self, text: &str) {
        if self.current.len() <= KNOWN_BYTES_MAX {
            self.current.push_str(text);
        }
        self.begun = true;
    }

    /// More fields than are kept end up in the last one.
    fn next(&mut self) {
        if self.begun && self.done.len() <= 2 * FIELDS_MAX {
            self.begun = false;
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    /// An expansion outside quotes is split.
    fn split(&mut self, text: &str, separators: &str) {
        for c in text.chars() {
            if separators.contains(c) {
                self.next();
            } else {
                self.push(c);
            }
        }
    }
}

/// What a parameter or substitution became.
pub struct Expanded {
    /// Its values: one, but for lists.
    values: Vec<String>,
}

impl Expanded {
    fn one(value: impl Into<String>) -> Expanded {
        Expanded { values: vec![value.into()] }
    }
}

impl Walk {
    /// The fields of a word.
    pub fn fields(&mut self, scope: &mut Scope, raw: &str) -> Vec<String> {
        self.spend(raw.len());
        let mut all = Vec::new();
        for raw in braces::expand(raw) {
            all.extend(self.expanded(scope, &raw, false));
            if all.len() > FIELDS_MAX {
                all.truncate(FIELDS_MAX);
                all.push(UNKNOWN.to_string());
                break;
            }
        }
        all
    }

    /// A word where no field is split off: the value of an assignment, a target, a here-string.
    pub fn whole(&mut self, scope: &mut Scope, raw: &str) -> String {
        self.spend(raw.len());
        self.expanded(scope, raw, true).join(" ")
    }

    /// The text of a here-document whose delimiter was not quoted.
    pub fn document(&mut self, scope: &mut Scope, raw: &str) -> String {
        self.spend(raw.len());
        let chars: Vec<char> = raw.chars().collect();
        let mut fields = Fields::default();
        let mut at = 0;
        while at < chars.len() && !self.is_over() {
            at = self.in_double_quotes(scope, &chars, at, &mut fields);
        }
        bounded(fields.current)
    }

    fn expanded(&mut self, scope: &mut Scope, raw: &str, is_whole: bool) -> Vec<String> {
        let chars: Vec<char> = raw.chars().collect();
        let mut fields = Fields::default();
        let mut at = 0;
        while at < chars.len() && !self.is_over() {
            at = self.step(scope, &chars, at, &mut fields, is_whole);
        }
        fields.next();
        fields.done.into_iter().map(bounded).collect()
    }

    /// Reads on from `at`, outside quotes.
    fn step(&mut self, scope: &mut Scope, chars: &[char], at: usize, fields: &mut Fields, is_whole: bool) -> usize {
        match chars[at] {
            '\\' => {
                match chars.get(at + 1) {
                    Some('\n') => {}
                    Some(c) => fields.push(*c),
                    None => fields.push('\\'),
                }
                at + 2
            }
            '\'' => {
                let end = ends::single(chars, at + 1);
                fields.quoted(&chars[at + 1..end].iter().collect::<String>());
                end + 1
            }
            '"' => self.double(scope, chars, at, fields),
            '$' if chars.get(at + 1) == Some(&'\'') => {
                let end = ends::ansi(chars, at + 2);
                fields.quoted(&ansi::decoded(&chars[at + 2..end]));
                end + 1
            }
            '$' if chars.get(at + 1) == Some(&'"') => at + 1,
            '$' | '`' => {
                let (expanded, end) = self.expansion(scope, chars, at);
                let Some(expanded) = expanded else {
                    fields.push(chars[at]);
                    return end;
                };
                let separators = scope.separators();
                self.spend(expanded.values.iter().map(String::len).sum());
                for (n, value) in expanded.values.iter().enumerate() {
                    if n > 0 && !is_whole {
                        fields.next();
                    }
                    if is_whole { fields.quoted(value) } else { fields.split(value, &separators) }
                }
                end
            }
            '<' | '>' if chars.get(at + 1) == Some(&'(') => {
                let end = ends::bracket(chars, at + 1);
                let body: String = chars[at + 2..end.min(chars.len())].iter().collect();
                fields.push(self.process(scope, &body, chars[at] == '<'));
                end + 1
            }
            '~' if !fields.begun => tilde(chars, at, fields),
            c => {
                fields.push(c);
                at + 1
            }
        }
    }

    fn double(&mut self, scope: &mut Scope, chars: &[char], at: usize, fields: &mut Fields) -> usize {
        fields.begun = true;
        // "$@" of nothing is no field.
        if chars[at..].starts_with(&['"', '$', '@', '"']) && scope.arguments().is_empty() && fields.current.is_empty() {
            fields.begun = false;
        }
        let mut at = at + 1;
        while at < chars.len() && chars[at] != '"' && !self.is_over() {
            at = self.in_double_quotes(scope, chars, at, fields);
        }
        at + 1
    }

    fn in_double_quotes(&mut self, scope: &mut Scope, chars: &[char], at: usize, fields: &mut Fields) -> usize {
        match chars[at] {
            '\\' => match chars.get(at + 1) {
                Some('\n') => at + 2,
                Some(c @ ('$' | '`' | '"' | '\\')) => {
                    fields.push(*c);
                    at + 2
                }
                Some(_) | None => {
                    fields.push('\\');
                    at + 1
                }
            },
            '$' | '`' => {
                let is_list = chars[at..].starts_with(&['$', '@']) || at_sign(chars, at);
                let (expanded, end) = self.expansion(scope, chars, at);
                match expanded {
                    None => fields.push(chars[at]),
                    Some(expanded) if is_list => {
                        for (n, value) in expanded.values.iter().enumerate() {
                            if n > 0 {
                                fields.next();
                            }
                            fields.quoted(value);
                        }
                    }
                    Some(expanded) => fields.quoted(&expanded.values.join(" ")),
                }
                end
            }
            c => {
                fields.push(c);
                at + 1
            }
        }
    }

    /// What `$…` or `` `…` `` at `at` becomes, and where it ends; nothing when it is only that character.
    fn expansion(&mut self, scope: &mut Scope, chars: &[char], at: usize) -> (Option<Expanded>, usize) {
        if chars[at] == '`' {
            let end = ends::backquote(chars, at + 1);
            let body = unescaped(&chars[at + 1..end.min(chars.len())]);
            return (Some(Expanded::one(self.substitute(scope, &body))), end + 1);
        }
        match chars.get(at + 1) {
            Some('(') => {
                let end = ends::bracket(chars, at + 1);
                let inner = &chars[at + 2..end.min(chars.len())];
                let arithmetic = inner.first() == Some(&'(') && inner.last() == Some(&')');
                if arithmetic && ends::bracket(inner, 0) + 1 == inner.len() {
                    let body: String = inner[1..inner.len() - 1].iter().collect();
                    self.document(scope, &body);
                    return (Some(Expanded::one(NUMBER)), end + 1);
                }
                let body: String = inner.iter().collect();
                (Some(Expanded::one(self.substitute(scope, &body))), end + 1)
            }
            Some('[') => {
                let end = chars[at..].iter().position(|c| *c == ']').map_or(chars.len(), |n| at + n);
                (Some(Expanded::one(NUMBER)), end + 1)
            }
            Some('{') => {
                let end = ends::brace(chars, at + 1);
                let body: String = chars[at + 2..end.min(chars.len())].iter().collect();
                (Some(self.parameter(scope, &body)), end + 1)
            }
            Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
                let name: String =
                    chars[at + 1..].iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
                let end = at + 1 + name.len();
                (Some(Expanded { values: scope.values(&name) }), end)
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(*c) => {
                (Some(Expanded { values: scope.values(&c.to_string()) }), at + 2)
            }
            Some(_) | None => (None, at + 1),
        }
    }

    /// What a substituted command writes.
    fn substitute(&mut self, scope: &mut Scope, body: &str) -> String {
        let mut inner = scope.clone();
        let written = self.script(&mut inner, body, "");
        written.trim_end_matches('\n').to_owned()
    }

    /// The word for a process substitution: what is read from it is what it writes; what is written to it, nobody knows.
    fn process(&mut self, scope: &mut Scope, body: &str, reads: bool) -> char {
        let mut inner = scope.clone();
        // What is written to it comes from the command whose word this is, and that is not known yet.
        let stdin = if reads { String::new() } else { UNKNOWN.to_string() };
        let written = self.script(&mut inner, body, &stdin);
        self.substituted(if reads { written } else { UNKNOWN.to_string() })
    }
}

/// `${a[@]}` in quotes is a list too.
fn at_sign(chars: &[char], at: usize) -> bool {
    chars[at..].starts_with(&['$', '{'])
        && chars[at..].iter().take_while(|c| **c != '}').collect::<String>().ends_with("[@]")
}

fn tilde(chars: &[char], at: usize, fields: &mut Fields) -> usize {
    let name: String =
        chars[at + 1..].iter().take_while(|c| c.is_ascii_alphanumeric() || "_-.+".contains(**c)).collect();
    match name.as_str() {
        "" => fields.push('~'),
        "+" => fields.push('.'),
        "-" => fields.push(UNKNOWN),
        "root" => fields.quoted("/root"),
        other => fields.quoted(&format!("/home/{other}")),
    }
    at + 1 + name.len()
}

/// Between backquotes a backslash protects a backquote, a dollar and itself.
fn unescaped(body: &[char]) -> String {
    let mut out = String::new();
    let mut rest = body.iter().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some('`' | '$' | '\\')) => out.extend(rest.next()),
            _ => out.push(*c),
        }
    }
    out
}

fn bounded(text: String) -> String {
    if text.len() <= KNOWN_BYTES_MAX {
        return text;
    }
    let tag = if text.contains(text::DOWNLOADED) { text::DOWNLOADED } else { UNKNOWN };
    // What it begins with is kept: that is where the command's name is.
    let begin: String = text.chars().take(KNOWN_BYTES_MAX / 4).collect();
    if text.contains(DECODED) { format!("{begin}{DECODED}") } else { format!("{begin}{tag}") }
}
