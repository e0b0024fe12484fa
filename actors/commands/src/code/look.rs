//! What a program's text shows of what it would do.

use crate::paths::{self, Place, WORKSPACE};
use crate::rules::{self, Rule};

/// What a program would do.
pub enum Found {
    /// It gives this to a shell.
    Shell(String),
    /// It does what a rule is against.
    Against(&'static Rule, String),
    /// It can't be told what.
    Unclear(String),
}

/// What gives a text to a shell or starts a program; with `true`, one that can't be told matters.
const STARTS: [(&str, bool); 24] = [
    ("os.system", true),
    ("subprocess.run", true),
    ("subprocess.call", true),
    ("subprocess.Popen", true),
    ("subprocess.check_output", true),
    ("subprocess.check_call", true),
    ("subprocess.getoutput", true),
    ("os.popen", true),
    ("os.execute", true),
    ("io.popen", true),
    ("shell_exec", true),
    ("passthru", true),
    ("execSync", true),
    ("execFileSync", true),
    ("spawnSync", true),
    ("spawn", false),
    ("exec", false),
    ("execl", false),
    ("execlp", false),
    ("execv", false),
    ("execvp", false),
    ("system", false),
    ("popen", false),
    ("run", false),
];
/// What removes or empties what it is told.
const REMOVES: [&str; 18] = [
    "rmtree",
    "unlink",
    "remove",
    "removedirs",
    "rmSync",
    "rmdirSync",
    "unlinkSync",
    "rm_rf",
    "rm_r",
    "remove_tree",
    "remove_dir_all",
    "rmdir",
    "File.delete",
    "deleteTree",
    "truncate",
    "rimraf",
    "rm",
    "emptyDirSync",
];

/// What reads the path that it is told, unless more is said.
const READS: [&str; 14] = [
    "open(",
    "readFileSync(",
    "readFile(",
    "readdirSync(",
    "existsSync(",
    "statSync(",
    "file_get_contents(",
    "File.read(",
    "File.readlines(",
    "File.exist?(",
    "listdir(",
    "isfile(",
    "isdir(",
    "exists(",
];
/// What follows such a path then.
const AS_IT_IS: [&str; 12] = [
    ")",
    ", 'r')",
    ", \"r\")",
    ",'r')",
    ",\"r\")",
    ", 'rb')",
    ", \"rb\")",
    ",'rb')",
    ", encoding=",
    ", 'utf",
    ", \"utf",
    ",'utf",
];
/// And a path that is an object.
const OF_A_PATH: [&str; 4] = [").read_text(", ").read_bytes(", ").exists(", ").is_"];

/// Words between bars; a program has the shape when it has one of each line.
struct Shape {
    rule: &'static Rule,
    has: &'static [&'static str],
    lacks: &'static str,
}

const EVALUATES: &str = "exec(¦eval(¦eval ¦os.system(¦compile(¦instance_eval¦new Function¦| sh¦loadstring¦iex¦IEX";
const DECODES: &str =
    "b64decode¦fromhex¦decompress¦unhexlify¦atob(¦Buffer.from¦rot13¦base64¦chr(¦fromCharCode¦pack(¦marshal";
const WRITES: &str = "'w¦\"w¦'a'¦\"a\"¦write¦append¦'>¦\">¦copy¦symlink¦r+b";
const HOMES: &str = "Path.home())¦homedir())¦Dir.home)¦['HOME'])¦[\"HOME\"])¦('~'))¦(\"~\"))";

static SHAPES: [Shape; 4] = [
    Shape {
        rule: &rules::reverse::RULE,
        has: &[
            "socket¦Socket¦fsockopen¦net.connect¦/inet/tcp¦/dev/tcp",
            "dup2¦pty.spawn¦/bin/sh¦/bin/bash¦cmd.exe¦sh -i¦bash -i¦\"sh\"¦'sh'¦|&¦>&",
        ],
        lacks: "",
    },
    Shape { rule: &rules::forks::RULE, has: &["fork", "while¦for ¦for(¦loop¦until"], lacks: "wait¦exit¦join" },
    Shape {
        rule: &rules::downloads::RULE,
        has: &[
            EVALUATES,
            "urlopen¦requests.get¦urlretrieve¦http.get¦https.get¦LWP¦Net::HTTP¦open-uri¦URI.open¦'http¦\"http¦DownloadString",
        ],
        lacks: "",
    },
    Shape {
        rule: &rules::power::RULE, has: &["os.kill(1,¦os.kill(-1,¦process.kill(1¦kill 9, 1¦kill(9, 1"], lacks: ""
    },
];

fn has(text: &str, words: &str) -> bool {
    words.split('¦').any(|word| !word.is_empty() && text.contains(word))
}

/// Looks through a program's text.
pub fn look(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    started(text, &mut found);
    let against = |rule| Found::Against(rule, text.chars().take(60).collect());
    for shape in &SHAPES {
        if shape.has.iter().all(|words| has(text, words)) && !has(text, shape.lacks) {
            found.push(against(shape.rule));
        }
    }
    let removes = REMOVES.iter().any(|name| names(text, name));
    if removes && has(text, HOMES) {
        found.push(against(&rules::wiping::RULE));
    }
    let writes = has(text, WRITES);
    for literal in literals(text).iter().filter(|literal| !literal.contains(' ')) {
        let changes = !is_only_read(text, literal);
        found.extend(
            path(literal, removes && changes, writes && changes).map(|rule| Found::Against(rule, literal.clone())),
        );
    }
    if has(text, EVALUATES) && has(text, DECODES) {
        found.push(Found::Unclear("a program that decodes what it runs".to_owned()));
    }
    found
}

/// Whether each place where the path stands reads it by itself, whatever else the program writes.
fn is_only_read(text: &str, literal: &str) -> bool {
    let mut places = text.match_indices(literal).peekable();
    places.peek().is_some()
        && places.all(|(at, _)| {
            let before = text[..at].strip_suffix(['"', '\'']);
            let after = text[at + literal.len()..].strip_prefix(['"', '\'']);
            let (Some(before), Some(after)) = (before, after) else { return false };
            let begins = |starts: &[&str]| starts.iter().any(|start| after.starts_with(start));
            READS.iter().any(|call| before.ends_with(call)) && begins(&AS_IT_IS)
                || before.ends_with("Path(") && begins(&OF_A_PATH)
        })
}

/// The rule against what a program that removes or writes does with a path that stands in it.
fn path(literal: &str, removes: bool, writes: bool) -> Option<&'static Rule> {
    let is_path = literal.starts_with(['/', '~']);
    let against = match paths::place(Some(WORKSPACE), literal) {
        Place::Device => Some(&rules::devices::RULE),
        Place::System | Place::InSystem | Place::Home if removes && is_path => Some(&rules::wiping::RULE),
        Place::System | Place::InSystem | Place::Home | Place::Unknown | Place::Elsewhere => {
            rules::written(Some(WORKSPACE), literal).filter(|_| writes && is_path)
        }
    };
    against.or_else(|| rules::read(Some(WORKSPACE), literal))
}

/// What it gives to a shell.
fn started(text: &str, found: &mut Vec<Found>) {
    for (name, matters) in STARTS {
        for after in calls(text, name) {
            let argument = after.trim_start_matches(['(', ' ', '[', '\n']);
            let texts = literals_of_call(argument);
            if texts.is_empty() {
                if matters {
                    found.push(Found::Unclear(format!("a program that starts another ({name}) which can't be told")));
                }
            } else {
                found.push(Found::Shell(texts.join(" ")));
            }
        }
    }
    // Perl, Ruby, PHP: backquotes and qx; awk: a text before or after a bar; sed: `e`.
    for (open, close) in [
        ("`", '`'),
        ("qx(", ')'),
        ("qx{", '}'),
        ("qx/", '/'),
        ("%x(", ')'),
        ("%x{", '}'),
        ("!sh ", '\n'),
        (":!", '\n'),
        ("shell ", '\n'),
    ] {
        let mut rest = text;
        while let Some(at) = rest.find(open) {
            let after = &rest[at + open.len()..];
            let end = after.find(close).unwrap_or(after.len());
            let is_template = after[..end].contains("${");
            if !is_template && end > 0 {
                found.push(Found::Shell(after[..end].to_owned()));
            }
            rest = after.get(end + 1..).unwrap_or("");
        }
    }
    for bar in text.match_indices('|').map(|(at, _)| at) {
        let (before, after) = (text[..bar].trim_end(), text[bar + 1..].trim_start());
        if after.starts_with('"') {
            found.extend(literals_of_call(after).into_iter().next().map(Found::Shell));
        } else if before.ends_with('"') && after.starts_with("getline") {
            let inner = before[..before.len() - 1].rsplit('"').next().unwrap_or("");
            found.push(Found::Shell(inner.to_owned()));
        }
    }
    if let Some(command) =
        text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '$' || c == '{').strip_prefix("e ")
    {
        found.push(Found::Shell(command.to_owned()));
    }
}

/// Whether the name stands there as a word.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_part(text[..at].chars().next_back()) && !is_part(text[at + name.len()..].chars().next())
    })
}

/// What follows each call of `name`, from its bracket or first argument.
fn calls<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(name).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let is_call = after.starts_with('(')
            || after.starts_with(" (")
            || after.starts_with([' ', '\t']) && after.trim_start().starts_with(['"', '\'']);
        (begins && is_call).then_some(after)
    })
}

/// The texts that an argument list begins with.
fn literals_of_call(argument: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = argument.trim_start_matches(['f', 'r', 'b', 'u']);
    while let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
        let (text, after) = literal(&rest[1..], quote);
        texts.push(text);
        rest = after.trim_start_matches([',', ' ', '+', '\n', '[', '.']);
        if texts.len() > 32 {
            break;
        }
    }
    texts
}

/// Every text in the program.
fn literals(program: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = program;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = if rest[at..].starts_with('"') { '"' } else { '\'' };
        let (text, after) = literal(&rest[at + 1..], quote);
        texts.push(text);
        rest = after;
        if texts.len() > 256 {
            break;
        }
    }
    // sed and awk, and Perl's quotes, name paths without any.
    texts.extend(
        program
            .split(|c: char| c.is_whitespace() || "\"'(),;{}<>".contains(c))
            .filter(|word| word.starts_with("/dev/"))
            .take(16)
            .map(str::to_owned),
    );
    texts
}

fn literal(rest: &str, quote: char) -> (String, &str) {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return (text, &rest[at + c.len_utf8()..]);
        }
        match c {
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, c)) => text.push(c),
                None => {}
            },
            c => text.push(c),
        }
    }
    (text, "")
}
