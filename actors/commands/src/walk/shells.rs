//! Shells: what they are given to run.

use super::{Scope, Walk};
use crate::text::{self, UNKNOWN};

/// Programs that read a shell's language, or one much like it.
const SHELLS: [&str; 16] = [
    "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "pdksh", "yash", "rbash", "posh", "ksh93", "fish", "csh",
    "tcsh", "oksh",
];
/// Options of these that take a value.
const VALUED: [&str; 6] = ["-o", "+o", "-O", "+O", "--rcfile", "--init-file"];

impl Walk {
    /// What a shell writes; `None` when it is none.
    pub(super) fn shell(&mut self, scope: &mut Scope, (name, args): (&str, &[String]), stdin: &str) -> Option<String> {
        if !SHELLS.contains(&name) {
            return None;
        }
        let mut inner = scope.clone();
        let mut at = 0;
        let mut is_text = false;
        while let Some(arg) = args.get(at).filter(|arg| arg.starts_with(['-', '+']) && arg.len() > 1) {
            at += 1;
            if arg == "--" {
                break;
            }
            is_text |= !arg.starts_with("--") && arg.starts_with('-') && arg.contains('c');
            if arg == "-s" {
                at = args.len();
            }
            at += usize::from(VALUED.contains(&arg.as_str()));
        }
        let rest = args.get(at..).unwrap_or(&[]);
        if args.iter().any(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.contains('i')) && !is_text {
            self.read_by_shell(&mut inner, stdin);
            return Some(text::SHELL.to_string());
        }
        Some(match rest.split_first() {
            Some((text, rest)) if is_text => {
                inner.set_arguments(rest.iter().skip(1).cloned().collect());
                self.opened(&mut inner, text, stdin)
            }
            Some((path, rest)) if !matches!(path.as_str(), "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") => {
                self.run_file(&mut inner, path, rest);
                UNKNOWN.to_string()
            }
            Some(_) | None => self.read_by_shell(&mut inner, stdin),
        })
    }

    fn read_by_shell(&mut self, scope: &mut Scope, stdin: &str) -> String {
        // A shell on the terminal, or one that reads a file of the workspace.
        if stdin.is_empty() || stdin.chars().all(|c| c == text::FILE) {
            return UNKNOWN.to_string();
        }
        self.opened(scope, stdin, "")
    }

    /// A script by its name: what is known of it is what the command itself wrote.
    pub(super) fn run_file(&mut self, scope: &mut Scope, path: &str, args: &[String]) {
        let content = self.content(scope, path);
        if content != text::FILE.to_string() {
            let mut inner = scope.clone();
            inner.set_arguments(args.to_vec());
            let is_shell = !content.starts_with("#!") || content.lines().next().is_some_and(|line| line.contains("sh"));
            if is_shell {
                self.opened(&mut inner, &content, "");
            } else {
                self.code(&mut inner, &crate::code::Program::Inline(content), "");
            }
        } else if text::is_open(path) && text::literal(path).trim_matches('/').is_empty() {
            self.not_understood("a script whose name is not known before it runs");
        }
    }
}
