//! Programs that start several commands, or have commands among their options.

use super::table::{PLAIN, Row};
use super::{Inner, after_option, of_row};
use crate::text::{self, INSIDE, UNKNOWN};

pub(super) fn unwrap(name: &str, args: &[String], stdin: &str) -> Option<Inner> {
    Some(match name {
        "xargs" | "gxargs" => xargs(args, stdin),
        "parallel" => parallel(args, stdin),
        "find" | "gfind" | "fd" | "fdfind" => find(args),
        "docker" | "podman" | "kubectl" | "lxc" | "nerdctl" => container(args),
        "tmux" => tmux(args),
        _ => return None,
    })
}

fn xargs(args: &[String], stdin: &str) -> Inner {
    const ROW: Row =
        Row { valued: "-I -n -P -L -d -a -s -E --max-args --max-procs --delimiter --arg-file --replace", ..PLAIN };
    let mut command = of_row(&ROW, args).unwrap_or_default();
    if command.is_empty() {
        return Inner::None;
    }
    let given: Vec<String> = if args.iter().any(|arg| arg == "-a" || arg == "--arg-file") {
        vec![UNKNOWN.to_string()]
    } else if text::is_literal(stdin) {
        stdin
            .split(|c: char| c.is_whitespace() || c == '\0')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .take(64)
            .collect()
    } else {
        vec![given(stdin)]
    };
    let replaced = args.iter().position(|arg| arg == "-I" || arg == "--replace").and_then(|at| args.get(at + 1));
    let replaced = replaced.cloned().or_else(|| {
        args.iter().find_map(|arg| arg.strip_prefix("-I")).filter(|mark| !mark.is_empty()).map(str::to_owned)
    });
    match replaced.or_else(|| args.iter().any(|arg| arg == "-i").then(|| "{}".to_owned())) {
        Some(mark) => {
            let each = given.iter().map(|word| command.iter().map(|part| part.replace(&mark, word)).collect());
            Inner::Each(each.collect())
        }
        None => {
            command.extend(given);
            Inner::Command(command, None)
        }
    }
}

/// Words that come from where nobody knows: names of files inside, or anything.
fn given(stdin: &str) -> String {
    let from = [text::DOWNLOADED, text::DECODED, text::OUTSIDE, UNKNOWN]
        .into_iter()
        .find(|tag| stdin.contains(*tag))
        .or(stdin.contains(text::FILE).then_some(UNKNOWN));
    from.unwrap_or(if stdin.contains(INSIDE) { INSIDE } else { UNKNOWN }).to_string()
}

fn parallel(args: &[String], stdin: &str) -> Inner {
    const ROW: Row = Row { valued: "-j -N -n -a --jobs --delay --colsep -P --joblog", ..PLAIN };
    let command = of_row(&ROW, args).unwrap_or_default();
    let mut parts = command.split(|arg| arg == ":::" || arg == "::::");
    let command = parts.next().unwrap_or(&[]).join(" ");
    let mut words: Vec<String> = parts.next().unwrap_or(&[]).iter().take(16).cloned().collect();
    if words.is_empty() {
        words = match text::is_literal(stdin) && !stdin.is_empty() {
            true => stdin.lines().take(16).map(str::to_owned).collect(),
            false => vec![given(stdin)],
        };
    }
    let with = |word: &String| {
        if command.is_empty() {
            word.clone()
        } else if command.contains("{}") {
            command.replace("{}", word)
        } else {
            format!("{command} {word}")
        }
    };
    Inner::Texts(words.iter().map(with).collect())
}

/// `find … -exec command {} ;`: what it finds below the workspace is inside, else it is where it looked.
fn find(args: &[String]) -> Inner {
    let root = args.iter().find(|arg| !arg.starts_with("-H") && !arg.starts_with("-L") && !arg.starts_with("-O"));
    let root = root.filter(|root| !root.starts_with(['-', '(', '!'])).cloned().unwrap_or_else(|| ".".to_owned());
    let found = match root.starts_with(['/', '~']) || root.contains("..") || text::is_open(&root) {
        true => root,
        false => INSIDE.to_string(),
    };
    let mut commands = Vec::new();
    let mut rest = args;
    let starts = |arg: &String| {
        matches!(arg.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch")
    };
    while let Some(at) = rest.iter().position(starts) {
        let end = rest[at..].iter().position(|arg| arg == ";" || arg == "+").map_or(rest.len(), |n| at + n);
        commands.push(rest[at + 1..end].iter().map(|part| part.replace("{}", &found)).collect());
        rest = rest.get(end..).unwrap_or(&[]);
    }
    if commands.is_empty() { Inner::None } else { Inner::Each(commands) }
}

fn container(args: &[String]) -> Inner {
    if !args.iter().any(|arg| matches!(arg.as_str(), "exec" | "run")) {
        return Inner::None;
    }
    // What stands before the shell is options, an image, a name: a shell is what matters.
    let at = args.iter().position(|arg| matches!(arg.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "zsh")));
    let at = at.or_else(|| args.iter().position(|arg| arg == "--").map(|at| at + 1));
    at.map_or(Inner::None, |at| Inner::Command(args.get(at..).unwrap_or(&[]).to_vec(), None))
}

fn tmux(args: &[String]) -> Inner {
    let starts = [
        "new",
        "new-session",
        "new-window",
        "neww",
        "split-window",
        "splitw",
        "respawn-pane",
        "run-shell",
        "run",
        "send-keys",
        "send",
    ];
    if !args.iter().any(|arg| starts.contains(&arg.as_str())) {
        return Inner::None;
    }
    Inner::Texts(args.iter().filter(|arg| arg.contains(' ')).cloned().collect())
}

pub(super) fn split_string(args: &[String]) -> String {
    let mut text = String::new();
    for arg in args {
        let part = arg.strip_prefix("--split-string=").or_else(|| arg.strip_prefix("-S")).unwrap_or(arg);
        if part != "-i" && part != "--split-string" {
            text.push_str(part);
            text.push(' ');
        }
    }
    text
}

/// Options of ordinary programs that hold a command.
pub(super) fn texts_in_options(name: &str, args: &[String]) -> Option<Vec<String>> {
    let mut texts: Vec<String> = Vec::new();
    match name {
        "tar" | "bsdtar" => {
            for arg in args {
                let inner = arg.strip_prefix("--checkpoint-action=exec=").or_else(|| arg.strip_prefix("--to-command="));
                texts.extend(inner.or_else(|| arg.strip_prefix("--use-compress-program=")).map(str::to_owned));
            }
        }
        "rsync" => texts.extend(after_option(args, 'e', "--rsh").filter(|text| text.contains(' '))),
        "git" => {
            let inner = args.iter().filter_map(|arg| arg.split_once("=!")).map(|(_, text)| text.to_owned());
            texts.extend(inner);
            let at = args.iter().position(|arg| arg == "run" || arg == "foreach" || arg == "--exec" || arg == "-x");
            let is_runner = args.iter().any(|arg| matches!(arg.as_str(), "bisect" | "submodule" | "rebase"));
            texts.extend(at.filter(|_| is_runner).map(|at| args[at + 1..].join(" ")));
        }
        "vim" | "vi" | "nvim" | "ex" | "view" | "rvim" => {
            for arg in args {
                let inner = arg.trim_start_matches("-c").trim_start_matches(['+', ':']);
                texts.extend(inner.strip_prefix('!').map(str::to_owned));
            }
        }
        "zip" => texts.extend(args.iter().position(|arg| arg == "-TT").and_then(|at| args.get(at + 1)).cloned()),
        "ssh" | "scp" | "sftp" => {
            let proxy = args.iter().filter_map(|arg| arg.trim_start_matches("-o").split_once("ProxyCommand=")).next();
            texts.extend(proxy.map(|(_, text)| text.trim_start_matches(';').to_owned()));
        }
        "socat" => {
            for arg in args {
                let inner = arg
                    .split_once(':')
                    .filter(|(kind, _)| matches!(kind.to_ascii_lowercase().as_str(), "exec" | "system"));
                texts.extend(inner.map(|(_, text)| text.split(',').next().unwrap_or(text).to_owned()));
            }
        }
        "make" | "gmake" => {
            let at = args.iter().position(|arg| arg.starts_with("--eval"));
            texts.extend(
                at.map(|at| args[at..].join(" ").replace("--eval=", "").replace("$(shell ", "").replace(')', "")),
            );
        }
        _ => return None,
    }
    (!texts.is_empty()).then_some(texts)
}
