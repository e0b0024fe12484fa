//! Programs in other languages that stand in a command: not understood as a language, but looked through for what they
//! would have run, removed, opened or connected to, as far as it stands there as text.

mod look;

pub use look::{Found, look};

/// Where an interpreter has its program from.
pub enum Program {
    /// Among its arguments.
    Inline(String),
    /// Its standard input.
    Stdin,
    /// A file.
    File(String),
}

struct Language {
    names: &'static [&'static str],
    /// Options whose value is the program; one letter stands last in a cluster too.
    inline: &'static [&'static str],
    /// Other options that take a value.
    valued: &'static [&'static str],
    /// The first word that is no option is the program.
    first_is_program: bool,
}

const LANGUAGES: [Language; 9] = [
    Language {
        names: &["python", "python2", "python3", "pypy", "pypy3", "ipython"],
        inline: &["-c"],
        valued: &["-m", "-W", "-X"],
        first_is_program: false,
    },
    Language { names: &["perl", "perl5"], inline: &["-e", "-E"], valued: &["-I", "-M"], first_is_program: false },
    Language { names: &["ruby", "irb", "jruby"], inline: &["-e"], valued: &["-I", "-r"], first_is_program: false },
    Language {
        names: &["node", "nodejs", "bun", "deno"],
        inline: &["-e", "-p", "--eval", "--print", "eval"],
        valued: &["-r", "--require"],
        first_is_program: false,
    },
    Language { names: &["php", "php8", "php7"], inline: &["-r"], valued: &["-d", "-c"], first_is_program: false },
    Language {
        names: &[
            "lua",
            "luajit",
            "lua5.1",
            "lua5.3",
            "lua5.4",
            "julia",
            "Rscript",
            "guile",
            "osascript",
            "elixir",
            "groovy",
            "scala",
            "gdb",
            "emacs",
            "pwsh",
            "powershell",
            "nvim",
            "vim",
            "ex",
            "vi",
        ],
        inline: &["-e", "-E", "-c", "-ex", "--eval", "--cmd", "-Command"],
        valued: &["-l"],
        first_is_program: false,
    },
    Language {
        names: &["awk", "gawk", "mawk", "nawk", "original-awk"],
        inline: &["-e", "--source"],
        valued: &["-F", "-v", "-f", "-i"],
        first_is_program: true,
    },
    Language {
        names: &["sed", "gsed"],
        inline: &["-e", "--expression"],
        valued: &["-f", "-l"],
        first_is_program: true,
    },
    Language { names: &["tclsh", "expect", "wish"], inline: &["-c"], valued: &[], first_is_program: false },
];

/// The program of an interpreter; `None` when the command is none.
pub fn of(name: &str, args: &[String]) -> Option<Program> {
    let is_named = |known: &&str| name == *known || known.starts_with("python") && versioned(name);
    let language = LANGUAGES.iter().find(|language| language.names.iter().any(is_named))?;
    let mut inline = Vec::new();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let cluster = !arg.starts_with("--") && arg.starts_with('-') && arg.len() > 2 && arg.len() < 8;
        let last = arg.chars().last().map(|c| format!("-{c}")).unwrap_or_default();
        if language.inline.contains(&arg.as_str()) || cluster && language.inline.contains(&last.as_str()) {
            inline.extend(args.get(at + 1).cloned());
            at += 2;
        } else if arg == "-m" && name.starts_with(['p', 'i']) {
            // A module that is installed.
            return None;
        } else if language.valued.contains(&arg.as_str()) {
            at += 2;
        } else if arg.starts_with('-') && arg.len() > 1 {
            // -c'…' in one word.
            let attached = arg.get(..2).filter(|start| language.inline.contains(start)).map(|_| arg[2..].to_owned());
            inline.extend(attached);
            at += 1;
        } else {
            break;
        }
    }
    if !inline.is_empty() {
        return Some(Program::Inline(inline.join("\n")));
    }
    let file_given = args.iter().any(|arg| arg == "-f") && language.first_is_program;
    match args.get(at) {
        Some(text) if language.first_is_program && !file_given => Some(Program::Inline(text.clone())),
        Some(_) if file_given => None,
        Some(path) if path != "-" => Some(Program::File(path.clone())),
        Some(_) | None => Some(Program::Stdin),
    }
}

fn versioned(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}
