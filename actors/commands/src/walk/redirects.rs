//! Redirections: where a command reads from and writes to.

use rable::{Node, NodeKind};

use super::{Scope, Walk, raw};
use crate::limits::KNOWN_BYTES_MAX;
use crate::paths;
use crate::rules;
use crate::text::{self, UNKNOWN};

impl Walk {
    /// What the command reads, and the files its output goes to instead.
    pub(super) fn redirected(&mut self, scope: &mut Scope, redirects: &[Node], stdin: &str) -> (String, Vec<String>) {
        let mut reads = stdin.to_owned();
        let mut sent = Vec::new();
        for redirect in redirects {
            match &redirect.kind {
                NodeKind::HereDoc { content, quoted, .. } => {
                    reads = if *quoted { content.clone() } else { self.document(scope, content) };
                }
                NodeKind::Redirect { op, target, fd, .. } => {
                    let target = self.whole(scope, &raw(target));
                    match op.as_str() {
                        "<<<" => reads = format!("{target}\n"),
                        "<" => {
                            self.look(rules::read(scope.cwd(), &target), &target);
                            reads = self.content(scope, &target);
                        }
                        ">&" | "<&" | ">&-" | "<&-" if target.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {}
                        _ => {
                            self.look(rules::written(scope.cwd(), &target), &target);
                            if matches!(fd, -1 | 1) {
                                sent.push(target);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        (reads, sent)
    }

    fn look(&mut self, found: Option<&'static rules::Rule>, what: &str) {
        if let Some(rule) = found {
            self.destroys(rule, what);
        }
    }

    /// Output that goes to files is no output; what it is is remembered, since it may be run.
    pub(super) fn sent(&mut self, scope: &Scope, targets: &[String], written: String) -> String {
        if targets.is_empty() {
            return written;
        }
        for target in targets.iter().filter(|target| text::is_literal(target)) {
            self.wrote(scope, target, &written);
        }
        String::new()
    }

    /// A file has this content now.
    pub(super) fn wrote(&mut self, scope: &Scope, path: &str, content: &str) {
        if path.starts_with("/dev/") {
            return;
        }
        if let Some(path) = paths::absolute(scope.cwd(), path) {
            self.spend(content.len());
            let kept = self.files.entry(path).or_default();
            if kept.len() + content.len() <= KNOWN_BYTES_MAX {
                kept.push_str(content);
            } else {
                kept.push(UNKNOWN);
            }
        }
    }

    /// What is known of a file's content: what the command itself wrote there.
    pub(super) fn content(&self, scope: &Scope, path: &str) -> String {
        if let Some(n) = text::substituted(path) {
            return self.substitutions.get(n).cloned().unwrap_or_else(|| UNKNOWN.to_string());
        }
        let path = paths::absolute(scope.cwd(), path);
        path.and_then(|path| self.files.get(&path).cloned()).unwrap_or_else(|| text::FILE.to_string())
    }
}
