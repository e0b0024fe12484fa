//! `{a,b}` and `{1..3}`, before anything else is expanded.

use crate::limits::FIELDS_MAX;

use super::ends;

/// The words that a word becomes. More than can be told apart: the word as it is, besides those.
pub fn expand(raw: &str) -> Vec<String> {
    if !raw.contains('{') {
        return vec![raw.to_owned()];
    }
    let mut done = Vec::new();
    let mut waiting = vec![raw.to_owned()];
    while let Some(word) = waiting.pop() {
        if done.len() + waiting.len() >= FIELDS_MAX {
            done.push(word);
            done.append(&mut waiting);
            break;
        }
        match first(&word) {
            None => done.push(word),
            // The last is pushed first, so that they come out in order.
            Some((before, parts, after)) => {
                waiting.extend(parts.iter().rev().map(|part| format!("{before}{part}{after}")));
            }
        }
    }
    done
}

/// The first braces that are to be expanded: what stands before, the choices, what stands after.
fn first(word: &str) -> Option<(String, Vec<String>, String)> {
    let chars: Vec<char> = word.chars().collect();
    let text = |chars: &[char]| chars.iter().collect::<String>();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '\'' => at = ends::single(&chars, at + 1),
            '"' => at = double(&chars, at + 1),
            '`' => at = ends::backquote(&chars, at + 1),
            '$' if chars.get(at + 1) == Some(&'{') => at = ends::brace(&chars, at + 1),
            '$' | '<' | '>' if chars.get(at + 1) == Some(&'(') => at = ends::bracket(&chars, at + 1),
            '{' => {
                let end = ends::brace(&chars, at);
                if end < chars.len()
                    && let Some(parts) = parts(&chars[at + 1..end])
                {
                    return Some((text(&chars[..at]), parts, text(&chars[end + 1..])));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn double(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at
}

fn parts(inner: &[char]) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0_usize, None);
    for c in inner {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(*c),
            (c, Some(q)) if *c == q => quote = None,
            ('{' | '(', None) => depth += 1,
            ('}' | ')', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(*c);
        }
    }
    if parts.len() > 1 { Some(parts) } else { range(&parts[0]) }
}

/// `a..c` or `1..3`, if they are few.
fn range(inner: &str) -> Option<Vec<String>> {
    let mut ends = inner.splitn(3, "..");
    let (from, to) = (ends.next()?, ends.next()?);
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        return (from.abs_diff(to) < 16).then(|| (from.min(to)..=from.max(to)).map(|n| n.to_string()).collect());
    }
    let (mut from, mut to) = (from.chars(), to.chars());
    let (Some(a), None, Some(b), None) = (from.next(), from.next(), to.next(), to.next()) else { return None };
    Some((a.min(b)..=a.max(b)).take(32).map(String::from).collect())
}
