//! Programs that start others: how to find the command in their arguments. What starts one command is a row of
//! `table`; what starts several, or has texts for a shell among its options, is in `several`.

use table::{ROWS, Row};

mod several;
mod table;

/// What a wrapper starts.
pub enum Inner {
    /// Nothing: it is no wrapper, or shows something only.
    None,
    /// A command that does not read what the wrapper reads.
    Command(Vec<String>, Option<()>),
    /// A command that reads what the wrapper reads.
    Through(Vec<String>),
    /// Several commands.
    Each(Vec<Vec<String>>),
    /// Texts for a shell.
    Texts(Vec<String>),
}

/// What the wrapper `name` starts.
pub fn unwrap(name: &str, args: &[String], stdin: &str) -> Inner {
    if let Some(inner) = several::unwrap(name, args, stdin) {
        return inner;
    }
    match name {
        "env" if args.iter().any(|arg| arg.starts_with("-S") || arg.starts_with("--split-string")) => {
            return Inner::Texts(vec![several::split_string(args)]);
        }
        "busybox" | "toybox" if args.first().is_some_and(|arg| arg.starts_with('-')) => return Inner::None,
        "su" | "runuser" | "script" | "flock" | "sg" => {
            if let Some(text) = after_option(args, 'c', "--command") {
                return Inner::Texts(vec![text]);
            }
        }
        _ => {}
    }
    if let Some(texts) = several::texts_in_options(name, args) {
        return Inner::Texts(texts);
    }
    let Some(row) = ROWS.iter().find(|row| has(row.names, name)) else { return Inner::None };
    let command = of_row(row, args);
    match command {
        None => Inner::None,
        // With a shell to start, the words are that shell's; with none, it reads.
        Some(command) if command.is_empty() && matches!(name, "sudo" | "doas" | "pkexec" | "chroot" | "unshare") => {
            let starts_shell = args.iter().any(|arg| matches!(arg.as_str(), "-s" | "-i" | "--shell" | "--login"));
            if starts_shell || name == "chroot" { Inner::Through(vec!["sh".to_owned()]) } else { Inner::None }
        }
        Some(command) if command.is_empty() => Inner::None,
        Some(command) if row.joins => Inner::Texts(vec![command.join(" ")]),
        Some(command) => Inner::Through(command),
    }
}

/// The command in the arguments; `None` when the wrapper shows something only.
fn of_row(row: &Row, args: &[String]) -> Option<Vec<String>> {
    let mut at = 0;
    let mut before = row.before;
    while let Some(arg) = args.get(at) {
        if arg == "--" && before == row.before {
            at += 1;
            while before > 0 {
                at += 1;
                before -= 1;
            }
            break;
        }
        let is_option = arg.starts_with('-') && arg.len() > 1 || arg == "-" && row.assigns;
        if is_option {
            if has(row.shows, arg) {
                return None;
            }
            at += 1 + usize::from(takes_next(row, arg));
        } else if row.assigns && is_assignment(arg) {
            at += 1;
        } else if before > 0 {
            before -= 1;
            at += 1;
        } else {
            break;
        }
    }
    Some(args.get(at..).unwrap_or(&[]).to_vec())
}

fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

fn takes_next(row: &Row, arg: &str) -> bool {
    let last = arg.chars().last().map(|c| format!("-{c}")).unwrap_or_default();
    let is_cluster = !arg.starts_with("--") && arg.len() == 3 && arg.bytes().skip(1).all(|b| b.is_ascii_alphabetic());
    has(row.valued, arg) || is_cluster && has(row.valued, &last) && !has(row.valued, &arg[..2])
}

fn is_assignment(arg: &str) -> bool {
    arg.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.as_bytes()[0].is_ascii_digit()
    })
}

/// The words as a shell would read them back.
pub fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ")
}

fn after_option(args: &[String], letter: char, long: &str) -> Option<String> {
    for (n, arg) in args.iter().enumerate() {
        if let Some(text) = arg.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
            return Some(text.to_owned());
        }
        let is_short = arg.starts_with('-') && !arg.starts_with("--") && arg.ends_with(letter);
        if arg == long || is_short {
            return args.get(n + 1).cloned();
        }
    }
    None
}
