//! What commands write, as far as that can be told: what may be run, or named, by another.

use super::{Scope, Walk};
use crate::code;
use crate::limits::KNOWN_BYTES_MAX;
use crate::paths::Place;
use crate::text::{self, DECODED, DOWNLOADED, FILE, INSIDE, NUMBER, OUTSIDE, REMOTE, SHELL, UNKNOWN};

/// They fetch.
const FETCHING: [&str; 12] =
    ["curl", "wget", "wget2", "fetch", "lynx", "aria2c", "http", "https", "axel", "GET", "lwp-download", "links"];
/// They turn something unreadable into something else.
const DECODING: [&str; 19] = [
    "base64", "base32", "basenc", "xxd", "openssl", "rev", "tac", "uudecode", "gpg", "gunzip", "zcat", "bzcat",
    "xzcat", "gzip", "od", "hexdump", "tr", "iconv", "base58",
];
/// They write names of files below where they are told to look.
const NAMING: [&str; 14] = [
    "find", "ls", "fd", "fdfind", "git", "mktemp", "basename", "dirname", "realpath", "readlink", "rg", "locate", "du",
    "stat",
];
/// They write settings of their own, for a shell to read.
const FOR_SHELLS: [&str; 16] = [
    "ssh-agent",
    "dircolors",
    "pyenv",
    "rbenv",
    "nodenv",
    "direnv",
    "brew",
    "starship",
    "zoxide",
    "opam",
    "fnm",
    "mise",
    "conda",
    "lesspipe",
    "luarocks",
    "register-python-argcomplete",
];
/// They write numbers.
const COUNTING: [&str; 8] = ["wc", "nproc", "date", "seq", "expr", "id", "bc", "shuf"];
/// They pass on what they read, or parts of it.
const PASSING: [&str; 13] =
    ["cat", "tee", "head", "tail", "grep", "egrep", "sed", "awk", "sort", "uniq", "cut", "nl", "pv"];

impl Walk {
    /// What a program writes.
    pub(super) fn output(&mut self, scope: &mut Scope, (name, args): (&str, &[String]), stdin: &str) -> String {
        if FETCHING.contains(&name) {
            self.fetched(scope, name, args);
            return DOWNLOADED.to_string();
        }
        if crate::rules::reverse::CARRIERS.contains(&name) && name != "openssl"
            || name == "openssl" && args.iter().any(|arg| arg == "s_client")
        {
            return REMOTE.to_string();
        }
        let written = match name {
            "echo" => echo(args),
            "printf" => printf(args),
            "yes" => args.join(" "),
            "pwd" => scope.cwd().map_or_else(|| UNKNOWN.to_string(), str::to_owned),
            "which" | "type" => args.last().cloned().unwrap_or_default(),
            "cat" | "tee" if reads_stdin(name, args) => {
                if name == "tee" {
                    for path in args.iter().filter(|arg| !arg.starts_with('-')) {
                        self.wrote(scope, path, stdin);
                    }
                }
                stdin.to_owned()
            }
            "cat" => {
                let files = args.iter().filter(|arg| !arg.starts_with('-'));
                files.map(|path| self.content(scope, path)).collect()
            }
            "cp" | "mv" | "install" | "ln" => {
                self.copied(scope, args);
                String::new()
            }
            _ if FOR_SHELLS.contains(&name) => String::new(),
            _ if NAMING.contains(&name) => names(scope, name, args),
            _ if COUNTING.contains(&name) => NUMBER.to_string(),
            _ if is_decoding(name, args) => tagged(stdin, DECODED),
            _ if PASSING.contains(&name) => passed(args, stdin),
            _ => tagged(stdin, UNKNOWN),
        };
        if written.len() > KNOWN_BYTES_MAX { tagged(&written, UNKNOWN) } else { written }
    }

    /// What was fetched is a file now.
    fn fetched(&mut self, scope: &Scope, name: &str, args: &[String]) {
        let mut paths = Vec::new();
        for (n, arg) in args.iter().enumerate() {
            match arg.as_str() {
                "-o" | "-O" | "--output" | "--output-document" | "-d"
                    if args.get(n + 1).is_some_and(|next| !next.contains("://")) =>
                {
                    paths.extend(args.get(n + 1).cloned());
                }
                long if long.starts_with("--output-document=") || long.starts_with("--output=") => {
                    paths.extend(long.split_once('=').map(|(_, path)| path.to_owned()));
                }
                url if url.contains("://") || !url.starts_with('-') && url.contains('/') => {
                    paths.extend(url.rsplit('/').next().map(|path| path.split('?').next().unwrap_or(path).to_owned()));
                }
                _ => {}
            }
        }
        let directory =
            args.iter().position(|arg| arg == "-P" || arg == "--output-dir").and_then(|at| args.get(at + 1));
        if let Some(directory) = directory {
            let within = paths.iter().map(|path| format!("{directory}/{path}")).collect::<Vec<_>>();
            paths.extend(within);
        }
        let to_stdout = name == "curl"
            && !args.iter().any(|arg| {
                arg.starts_with("-o")
                    || arg.contains("-O")
                    || arg.contains("remote-name")
                    || arg.starts_with("--output")
                    || short(arg, 'O')
                    || short(arg, 'o')
            });
        for path in paths.iter().filter(|path| !to_stdout && !path.is_empty()) {
            self.wrote(scope, path, &DOWNLOADED.to_string());
        }
    }

    fn copied(&mut self, scope: &Scope, args: &[String]) {
        let paths: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
        if let [from, to] = paths.as_slice() {
            let content = self.content(scope, from);
            if content != FILE.to_string() {
                self.wrote(scope, to, &content);
            }
        }
    }

    /// A program in another language.
    pub(super) fn code(&mut self, scope: &mut Scope, program: &code::Program, stdin: &str) {
        let text = match program {
            code::Program::Inline(text) => text.clone(),
            code::Program::Stdin => stdin.to_owned(),
            code::Program::File(path) => self.content(scope, path),
        };
        if text.contains(DOWNLOADED) {
            return self.destroys(&crate::rules::downloads::RULE, &text);
        }
        if text.contains(DECODED) {
            return self.not_understood("a program that was encoded");
        }
        let is_file = text.contains(FILE);
        if !is_file && text::is_open(&text) && text::literal(&text).trim().is_empty() {
            self.not_understood("a program that is not known before it runs");
        }
        self.spend(text.len() * 2);
        for found in code::look(&text::literal(&text)) {
            match found {
                code::Found::Shell(command) => {
                    self.opened(&mut scope.clone(), &command, "");
                }
                code::Found::Against(rule, what) => self.destroys(rule, &what),
                code::Found::Unclear(what) => self.not_understood(what),
            }
        }
    }
}

fn short(arg: &str, letter: char) -> bool {
    arg.starts_with('-') && !arg.starts_with("--") && arg.contains(letter)
}

fn reads_stdin(name: &str, args: &[String]) -> bool {
    name == "tee" || args.iter().all(|arg| arg.starts_with('-'))
}

fn is_decoding(name: &str, args: &[String]) -> bool {
    let decodes =
        |arg: &String| matches!(arg.as_str(), "-d" | "-D" | "--decode" | "-r" | "-c" | "-dc") || short(arg, 'd');
    match name {
        "base64" | "base32" | "basenc" | "base58" | "gzip" | "gpg" | "openssl" => args.iter().any(decodes),
        "sed" | "awk" => false,
        _ => DECODING.contains(&name),
    }
}

/// What came in is what goes out, but that part of it may be missing; where it came from stays.
fn tagged(stdin: &str, tag: char) -> String {
    let from = [DOWNLOADED, REMOTE, SHELL, DECODED].into_iter().find(|from| stdin.contains(*from));
    from.unwrap_or(tag).to_string()
}

fn passed(args: &[String], stdin: &str) -> String {
    match stdin {
        "" => UNKNOWN.to_string(),
        inside if inside.contains(INSIDE) && text::literal(inside).trim().is_empty() => INSIDE.to_string(),
        // With a pattern or a program, what goes out is another text.
        _ if args.is_empty() => stdin.to_owned(),
        _ => tagged(stdin, UNKNOWN),
    }
}

/// Names of files: of the workspace, unless they were sought elsewhere.
fn names(scope: &Scope, name: &str, args: &[String]) -> String {
    if name == "mktemp" {
        return "/tmp/made".to_owned();
    }
    let mut roots = args.iter().take_while(|arg| !arg.starts_with(['-', '(', '!'])).peekable();
    if matches!(name, "basename" | "dirname" | "readlink" | "realpath" | "locate") {
        let is_inside =
            name != "locate" && args.iter().all(|arg| !arg.starts_with(['/', '~', UNKNOWN]) && !arg.contains(".."));
        return if is_inside { INSIDE.to_string() } else { UNKNOWN.to_string() };
    }
    let is_inside = |path: &String| {
        let below = crate::paths::absolute(scope.cwd(), path);
        below.is_some_and(|path| path.starts_with(crate::paths::WORKSPACE) || path.starts_with("/tmp"))
    };
    let inside = if roots.peek().is_none() || name == "git" { scope.cwd().is_some() } else { roots.all(is_inside) };
    let tag = if inside { INSIDE } else { outside(scope, args) };
    tag.to_string()
}

/// What is sought outside: all of a home only if nothing picks from it.
fn outside(scope: &Scope, args: &[String]) -> char {
    let picks = args.iter().any(|arg| arg == "-name" || arg == "-iname" || arg == "-path");
    let place = args.first().map(|root| crate::paths::place(scope.cwd(), root));
    match place {
        Some(Place::System | Place::InSystem) => OUTSIDE,
        Some(Place::Home) if !picks => OUTSIDE,
        Some(Place::Home) => INSIDE,
        Some(Place::Device | Place::Unknown | Place::Elsewhere) | None => UNKNOWN,
    }
}

fn echo(args: &[String]) -> String {
    let options = args.iter().take_while(|arg| matches!(arg.as_str(), "-e" | "-n" | "-E" | "-ne" | "-en")).count();
    let escapes = args[..options].iter().any(|arg| arg.contains('e'));
    let text = args[options..].join(" ");
    // Some shells' echo always reads escapes.
    let text = if escapes || text.contains("\\x") || text.contains("\\0") { escaped(&text) } else { text };
    format!("{text}\n")
}

/// What `printf` writes; a directive other than a text's or a number's is unknown.
pub(super) fn printf(args: &[String]) -> String {
    let args = if args.first().is_some_and(|arg| arg == "--") { &args[1..] } else { args };
    let Some((format, values)) = args.split_first() else { return String::new() };
    let mut values = values.iter();
    let mut out = String::new();
    loop {
        let before = values.len();
        let chars: Vec<char> = escaped(format).chars().collect();
        let mut at = 0;
        while at < chars.len() {
            if chars[at] != '%' {
                out.push(chars[at]);
                at += 1;
                continue;
            }
            let end = (at + 1..chars.len()).find(|n| chars[*n].is_ascii_alphabetic() || chars[*n] == '%');
            let value = |next: Option<&String>| next.cloned().unwrap_or_default();
            match end.map(|end| chars[end]) {
                Some('%') => out.push('%'),
                Some('s' | 'd' | 'i' | 'u' | 'q') => out.push_str(&value(values.next())),
                Some('b') => out.push_str(&escaped(&value(values.next()))),
                Some(_) | None => {
                    values.next();
                    out.push(UNKNOWN);
                }
            }
            at = end.map_or(chars.len(), |end| end + 1);
        }
        if values.len() == 0 || values.len() == before || out.len() > KNOWN_BYTES_MAX {
            return out;
        }
    }
}

fn escaped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    crate::words::unescape(&chars)
}
