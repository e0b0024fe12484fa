//! What a shell does itself.

use super::command::declares;
use super::{Scope, Walk};
use crate::text::{self, UNKNOWN};
use crate::{paths, rules};

impl Walk {
    /// What a builtin writes; `None` when it is none.
    pub(super) fn builtin(
        &mut self,
        scope: &mut Scope,
        (name, args): (&str, &[String]),
        stdin: &str,
    ) -> Option<String> {
        match name {
            "cd" | "pushd" => self.goes(scope, args),
            "popd" => scope.go_anywhere(),
            "eval" => {
                let text = args.join(" ");
                return Some(self.opened(scope, &text, stdin));
            }
            "source" | "." => {
                self.source(scope, args, stdin);
            }
            "alias" => {
                for (name, value) in args.iter().filter_map(|arg| arg.split_once('=')) {
                    self.quietly(|walk| walk.script(&mut scope.clone(), value, ""));
                    scope.alias(name, value);
                }
            }
            "trap" => {
                if let Some(action) = args.iter().find(|arg| !arg.starts_with('-')).filter(|_| args.len() > 1) {
                    self.opened(&mut scope.clone(), action, "");
                }
            }
            "unset" => {
                for name in args {
                    if let Some(rule) = rules::assigned(name, "").filter(|_| name == "HISTFILE") {
                        self.destroys(rule, name);
                    }
                    scope.unset(name);
                }
            }
            "set" => {
                let from = args.iter().position(|arg| !arg.starts_with(['-', '+'])).unwrap_or(args.len());
                let from = args.iter().position(|arg| arg == "--").map_or(from, |at| at + 1);
                if from < args.len() || args.last().is_some_and(|arg| arg == "--") {
                    scope.set_arguments(args[from..].to_vec());
                }
                return None;
            }
            "shift" => scope.set_arguments(scope.arguments().into_iter().skip(1).collect()),
            "read" | "mapfile" | "readarray" | "getopts" => reads(scope, args, stdin),
            "printf" if args.first().is_some_and(|arg| arg == "-v") => {
                let written = super::output::printf(args.get(2..).unwrap_or(&[]));
                if let Some(name) = args.get(1) {
                    scope.set(name, vec![written]);
                }
            }
            declaring if declares(declaring) => {
                for arg in args {
                    if let Some((name, value)) = arg.split_once('=') {
                        let value = value.to_owned();
                        if let Some(rule) = rules::assigned(name, &value) {
                            self.destroys(rule, arg);
                        }
                        scope.set(name.trim_end_matches('+'), vec![value]);
                    }
                }
                return None;
            }
            _ => return None,
        }
        Some(String::new())
    }

    fn goes(&mut self, scope: &mut Scope, args: &[String]) {
        match args.iter().find(|arg| !arg.starts_with('-') || *arg == "-") {
            None => scope.go(paths::HOME),
            Some(path) if path == "-" || text::is_open(path) => scope.go_anywhere(),
            Some(path) => scope.go(path),
        }
    }

    fn source(&mut self, scope: &mut Scope, args: &[String], stdin: &str) {
        let Some(path) = args.first() else { return };
        let is_stdin = matches!(path.as_str(), "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0");
        let content = if is_stdin { stdin.to_owned() } else { self.content(scope, path) };
        if content != text::FILE.to_string() {
            self.opened(scope, &content, "");
        } else if text::is_open(path) && text::literal(path).trim_matches('/').is_empty() {
            self.not_understood("a script whose name is not known before it runs");
        }
        if let Some(rule) = rules::read(scope.cwd(), path) {
            self.destroys(rule, path);
        }
    }
}

/// Variables that are read into.
fn reads(scope: &mut Scope, args: &[String], stdin: &str) {
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let line = stdin.lines().next().unwrap_or("");
    // From the terminal or a file that isn't known, anything may come.
    let is_known = !line.is_empty() && text::is_literal(line);
    let mut words = line.split_whitespace();
    for (n, name) in names.iter().enumerate() {
        let last = n + 1 == names.len();
        let value = match (is_known, last) {
            (false, _) if stdin.contains(text::DOWNLOADED) => text::DOWNLOADED.to_string(),
            (false, _) if stdin.contains(text::INSIDE) => text::INSIDE.to_string(),
            (false, _) => UNKNOWN.to_string(),
            (true, true) => words.by_ref().collect::<Vec<_>>().join(" "),
            (true, false) => words.next().unwrap_or("").to_owned(),
        };
        scope.set(name, vec![value]);
    }
}
