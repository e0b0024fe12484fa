//! `${…}`: what is between the braces.

use super::Expanded;
use crate::limits::KNOWN_BYTES_MAX;
use crate::text::{self, NUMBER, UNKNOWN};
use crate::walk::{Scope, Walk};

impl Walk {
    /// The value of a parameter, with what is done to it.
    pub(super) fn parameter(&mut self, scope: &mut Scope, body: &str) -> Expanded {
        if body.starts_with('#') && body.len() > 1 {
            return Expanded::one(NUMBER);
        }
        let (body, indirect) = body.strip_prefix('!').map_or((body, false), |rest| (rest, true));
        let name_bytes = name_bytes(body);
        let (name, mut rest) = body.split_at(name_bytes);
        let mut values = scope.values(name);
        if indirect {
            values = match values.as_slice() {
                [other] if text::is_literal(other) => scope.values(other),
                _ => vec![UNKNOWN.to_string()],
            };
        }
        if rest.starts_with('[') {
            let end = rest.find(']').map_or(rest.len(), |at| at + 1);
            values = element(values, &rest[..end]);
            rest = &rest[end..];
        } else if values.len() > 1 && !matches!(name, "@" | "*") {
            values.truncate(1);
        }
        self.operated(scope, name, values, rest)
    }

    fn operated(&mut self, scope: &mut Scope, name: &str, values: Vec<String>, rest: &str) -> Expanded {
        let Some(operator) = rest.chars().next() else { return Expanded { values } };
        let (default, colon) = match rest.strip_prefix(':') {
            Some(after) if after.starts_with(['-', '=', '+', '?']) => (after, true),
            Some(_) | None => (rest, false),
        };
        let is_unset = values.iter().all(|value| value == &UNKNOWN.to_string() || colon && value.is_empty());
        if let Some(word) = default.strip_prefix(['-', '=']) {
            let other = self.whole(scope, word);
            if !is_unset {
                return Expanded { values };
            }
            if default.starts_with('=') {
                scope.set(name, vec![other.clone()]);
            }
            return Expanded::one(other);
        }
        if let Some(word) = default.strip_prefix('+') {
            return Expanded::one(self.whole(scope, word));
        }
        if let Some(word) = default.strip_prefix('?') {
            self.whole(scope, word);
            return Expanded { values };
        }
        let operand = self.whole(scope, &rest[operator.len_utf8()..]);
        let values = values.iter().map(|value| changed(value, operator, &operand)).collect();
        Expanded { values }
    }
}

fn name_bytes(body: &str) -> usize {
    let mut chars = body.chars();
    match chars.next() {
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len())
        }
        Some(c) if c.is_ascii_digit() => body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len()),
        Some(c) => c.len_utf8(),
        None => 0,
    }
}

fn element(values: Vec<String>, index: &str) -> Vec<String> {
    match index {
        "[@]" | "[*]" => values,
        _ => match index.trim_matches(['[', ']']).parse::<usize>() {
            Ok(n) => values.get(n).cloned().map_or_else(Vec::new, |value| vec![value]),
            Err(_) => vec![UNKNOWN.to_string()],
        },
    }
}

/// One value after an operator; what can't be told is unknown.
fn changed(value: &str, operator: char, operand: &str) -> String {
    let unknown = || if text::is_literal(value) { UNKNOWN.to_string() } else { value.to_owned() };
    if !text::is_literal(value) || !text::is_literal(operand) {
        return unknown();
    }
    let doubled = operand.strip_prefix(operator);
    let is_pattern = operand.contains(['*', '?', '[']);
    match operator {
        '^' => capital(value, doubled.is_some(), |c| c.to_ascii_uppercase()),
        ',' => capital(value, doubled.is_some(), |c| c.to_ascii_lowercase()),
        '@' => value.to_owned(),
        '#' if !is_pattern => {
            let cut = doubled.unwrap_or(operand);
            value.strip_prefix(cut).unwrap_or(value).to_owned()
        }
        '%' if !is_pattern => {
            let cut = doubled.unwrap_or(operand);
            value.strip_suffix(cut).unwrap_or(value).to_owned()
        }
        '/' if !is_pattern => {
            match doubled.unwrap_or(operand).split_once('/').or(Some((doubled.unwrap_or(operand), ""))) {
                // Each character could be replaced: no more than is kept anyway.
                Some((_, with)) if value.len().saturating_mul(with.len()) > KNOWN_BYTES_MAX => unknown(),
                Some((what, with)) if doubled.is_some() => value.replace(what, with),
                Some((what, with)) => value.replacen(what, with, 1),
                None => unknown(),
            }
        }
        ':' => slice(value, operand).unwrap_or_else(unknown),
        _ => unknown(),
    }
}

fn capital(value: &str, all: bool, change: fn(&char) -> char) -> String {
    value.chars().enumerate().map(|(n, c)| if all || n == 0 { change(&c) } else { c }).collect()
}

fn slice(value: &str, operand: &str) -> Option<String> {
    let (offset, length) = operand.split_once(':').map_or((operand, None), |(offset, length)| (offset, Some(length)));
    let offset: usize = offset.trim().parse().ok()?;
    let rest = value.chars().skip(offset);
    match length {
        None => Some(rest.collect()),
        Some(length) => length.trim().parse().ok().map(|length| rest.take(length).collect()),
    }
}
