//! A simple command: assignments, words, redirections.

use rable::Node;

use super::{Scope, Walk, raw};
use crate::text::UNKNOWN;

impl Walk {
    pub(super) fn simple(
        &mut self,
        scope: &mut Scope,
        (assignments, words, redirects): (&[Node], &[Node], &[Node]),
        stdin: &str,
    ) -> String {
        let mut fields = Vec::new();
        for word in words {
            let raw = raw(word);
            // The argument of `declare` and its like may be an array, which is no word.
            let is_array = !fields.is_empty() && raw.contains("=(") && raw.ends_with(')');
            if is_array && fields.first().is_some_and(|name: &String| declares(name)) {
                self.assign(scope, &raw);
            } else {
                fields.extend(self.fields(scope, &raw));
            }
        }
        let (stdin, sent) = self.redirected(scope, redirects, stdin);
        if fields.is_empty() {
            for assignment in assignments {
                self.assign(scope, &raw(assignment));
            }
            return self.sent(scope, &sent, String::new());
        }
        let written = if assignments.is_empty() {
            self.dispatch(scope, fields, &stdin)
        } else {
            let mut inner = scope.clone();
            for assignment in assignments {
                self.assign(&mut inner, &raw(assignment));
            }
            let before = scope.clone();
            let written = self.dispatch(&mut inner, fields, &stdin);
            // A function or `cd` may have changed more than the assignments that are gone again.
            *scope = inner;
            if scope.differs(&before) {
                scope.keep_variables_of(&before);
            }
            written
        };
        self.sent(scope, &sent, written)
    }

    /// `NAME=value`, `NAME+=value`, `NAME=(a b)`, `NAME[2]=value`.
    pub(super) fn assign(&mut self, scope: &mut Scope, raw: &str) {
        let Some((name, value)) = raw.split_once('=') else { return };
        let (name, is_more) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        let (name, is_element) = name.split_once('[').map_or((name, false), |(name, _)| (name, true));
        let mut values = match value.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
            Some(inner) => self.elements(scope, inner),
            None => vec![self.whole(scope, value)],
        };
        if is_element || is_more {
            let mut before = scope.values(name);
            before.retain(|value| *value != UNKNOWN.to_string());
            if is_more && !value.starts_with('(') && !is_element {
                values = vec![before.concat() + &values.concat()];
            } else {
                before.append(&mut values);
                values = before;
            }
        }
        let sum: usize = values.iter().map(String::len).sum();
        self.spend(sum);
        if sum > crate::limits::KNOWN_BYTES_MAX {
            values = vec![UNKNOWN.to_string()];
        }
        if let Some(rule) = values.first().and_then(|value| crate::rules::assigned(name, value)) {
            self.destroys(rule, raw);
        }
        scope.set(name, values);
    }

    /// The elements of an array: words of their own, found by the parser.
    fn elements(&mut self, scope: &mut Scope, inner: &str) -> Vec<String> {
        let Ok(nodes) = rable::parse(&format!("_ {}", inner.replace('\n', " ")), false) else {
            return vec![UNKNOWN.to_string()];
        };
        let [node] = nodes.as_slice() else { return vec![UNKNOWN.to_string()] };
        let rable::NodeKind::Command { words, .. } = &node.kind else { return vec![UNKNOWN.to_string()] };
        words.iter().skip(1).flat_map(|word| self.fields(scope, &raw(word))).collect()
    }
}

/// Commands whose arguments are assignments.
pub(super) fn declares(name: &str) -> bool {
    matches!(name, "export" | "declare" | "typeset" | "local" | "readonly")
}
