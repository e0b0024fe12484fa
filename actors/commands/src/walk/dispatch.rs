//! What a command's words lead to: an alias, a function, a builtin, another command in a wrapper, a shell, or a program
//! that the rules are asked about.

use super::wrappers::{self, Inner};
use super::{Scope, Walk};
use crate::code;
use crate::limits::WRAPPERS_MAX;
use crate::rules::{self, Call};
use crate::text::{self, UNKNOWN};

impl Walk {
    /// Runs, as far as that can be told without running, and says what is written.
    pub(super) fn dispatch(&mut self, scope: &mut Scope, fields: Vec<String>, stdin: &str) -> String {
        self.unwrapped(scope, fields, stdin, WRAPPERS_MAX)
    }

    fn unwrapped(&mut self, scope: &mut Scope, fields: Vec<String>, stdin: &str, wrappers_left: usize) -> String {
        self.spend(0);
        if self.is_over() {
            return String::new();
        }
        let Some(first) = fields.first() else { return String::new() };
        if wrappers_left == 0 {
            self.not_understood("commands that start commands, too deep within one another");
            return UNKNOWN.to_string();
        }
        if first.contains([text::DOWNLOADED, text::REMOTE]) {
            return self.opened(scope, &fields.join(" "), stdin);
        }
        // What is unknown in a name may be nothing at all.
        let literal = text::literal(first);
        let name = program(&literal);
        if name.is_empty() || text::is_open(first) && !has_known_name(first) {
            if !name.is_empty() {
                let args = fields[1..].to_vec();
                self.quietly(|walk| walk.program(scope, (name, &args), stdin, wrappers_left));
            } else if first.is_empty() && !text::is_open(first) {
                return String::new();
            }
            self.not_understood(format!("a command whose name is not known before it runs: {}", text::shown(first)));
            return UNKNOWN.to_string();
        }
        if is_pattern(&literal) {
            return self.patterned(scope, (&literal, &fields[1..]), stdin);
        }
        if let Some(value) = scope.take_alias(first) {
            let text = format!("{value} {}", wrappers::quoted(&fields[1..]));
            return self.script(&mut scope.clone(), &text, stdin);
        }
        if let Some(written) = self.function(scope, first, &fields[1..], stdin) {
            return written;
        }
        if is_local(scope, &literal) {
            if let Some(rule) = rules::told(name, &fields[1..]) {
                self.destroys(rule, &fields.join(" "));
            }
            self.run_file(scope, &literal, &fields[1..]);
            return UNKNOWN.to_string();
        }
        let args = fields[1..].to_vec();
        self.program(scope, (name, &args), stdin, wrappers_left)
    }

    fn function(&mut self, scope: &mut Scope, name: &str, args: &[String], stdin: &str) -> Option<String> {
        let is_within = scope.is_within(name);
        let (body, mut inner) = scope.call(name, args)?;
        if is_within {
            if scope.is_background() {
                self.destroys(&rules::forks::RULE, name);
            }
            return Some(UNKNOWN.to_string());
        }
        self.depth += 1;
        let written = if self.depth > crate::limits::DEPTH_MAX {
            self.not_understood("functions too deep within one another");
            UNKNOWN.to_string()
        } else {
            self.node(&mut inner, &body, stdin)
        };
        self.depth -= 1;
        scope.returned(inner);
        Some(written)
    }

    /// A name with a pattern in it is some file's; if it may be one that a rule is about, the rule is asked.
    fn patterned(&mut self, scope: &mut Scope, (name, args): (&str, &[String]), stdin: &str) -> String {
        for candidate in rules::candidates(program(name)) {
            let args = args.to_vec();
            self.quietly(|walk| walk.program(scope, (candidate, &args), stdin, 1));
        }
        self.not_understood(format!("a command whose name is a pattern: {}", text::shown(name)));
        UNKNOWN.to_string()
    }

    /// A builtin or program of that name.
    fn program(&mut self, scope: &mut Scope, (name, args): (&str, &[String]), stdin: &str, left: usize) -> String {
        if let Some(written) = self.builtin(scope, (name, args), stdin) {
            return written;
        }
        let call = Call { name, args, cwd: scope.cwd(), stdin };
        match rules::check(&call) {
            rules::Found::Nothing => {}
            rules::Found::Against(rule) => {
                self.destroys(rule, &format!("{name} {}", args.join(" ")));
                return String::new();
            }
            rules::Found::Unclear(what) => self.not_understood(what),
        }
        match wrappers::unwrap(name, args, stdin) {
            Inner::None => {}
            Inner::Command(fields, stdin) => {
                let stdin = stdin.map_or("", |()| "");
                return self.unwrapped(scope, fields, stdin, left - 1);
            }
            Inner::Through(fields) => return self.unwrapped(scope, fields, stdin, left - 1),
            Inner::Each(commands) => {
                for fields in commands {
                    self.unwrapped(&mut scope.clone(), fields, "", left - 1);
                }
            }
            Inner::Texts(texts) => {
                for text in texts {
                    self.opened(&mut scope.clone(), &text, stdin);
                }
            }
        }
        if let Some(written) = self.shell(scope, (name, args), stdin) {
            return written;
        }
        if let Some(program) = code::of(name, args) {
            self.code(scope, &program, stdin);
        }
        self.output(scope, (name, args), stdin)
    }

    /// A text that is run: where it can't be told, that is what is said of it.
    pub(super) fn opened(&mut self, scope: &mut Scope, source: &str, stdin: &str) -> String {
        if source.contains(text::DOWNLOADED) {
            self.destroys(&rules::downloads::RULE, source);
            return String::new();
        }
        if source.contains(text::REMOTE) {
            self.destroys(&rules::reverse::RULE, source);
            return String::new();
        }
        let literal = text::literal(source);
        if literal.trim().is_empty() && text::is_open(source) {
            self.not_understood("commands that are not known before they run");
            return UNKNOWN.to_string();
        }
        if source.contains(text::DECODED) {
            self.not_understood("commands that were encoded");
        }
        self.script(scope, source, stdin)
    }
}

/// The name without its directories.
fn program(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether only the directories are unknown.
fn has_known_name(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(_, name)| !name.is_empty() && text::is_literal(name))
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?']) || name.contains('[') && name.contains(']')
}

/// A program of the workspace's own: by a path that leads to no directory of the system.
fn is_local(scope: &Scope, path: &str) -> bool {
    const PROGRAMS: [&str; 8] = ["/bin/", "/sbin/", "/usr/", "/lib", "/proc/", "/opt/", "/etc/", "/snap/"];
    let absolute = crate::paths::absolute(scope.cwd(), path);
    path.contains('/') && absolute.is_none_or(|path| !PROGRAMS.iter().any(|start| path.starts_with(start)))
}
