//! How the tables of the families are read: programs that are refused by their name, or by it and a word or two.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{
    Call, Rule, accounts, credentials, devices, downloads, firewall, firmware, history, kernel, miners, persistence,
    power, reverse, security, volumes,
};

/// A row: programs, and when they are refused.
pub struct Row {
    /// Names, with blanks between them.
    pub names: &'static str,
    /// When.
    pub when: When,
}

/// When a program is refused. Words stand with blanks between them.
pub enum When {
    /// Always.
    Always,
    /// With one of these words, wherever it stands.
    With(&'static str),
    /// Unless one of these words is there.
    Unless(&'static str),
    /// As `Unless`, and something has to be there at all.
    SomeUnless(&'static str),
    /// With a word that begins so.
    Begins(&'static str),
}

/// What only shows.
pub const HELP: &str = "--help --version";

/// The families that have a table.
const TABLES: [(&Rule, &[Row]); 14] = [
    (&devices::RULE, devices::ROWS),
    (&volumes::RULE, volumes::ROWS),
    (&firmware::RULE, firmware::ROWS),
    (&power::RULE, power::ROWS),
    (&kernel::RULE, kernel::ROWS),
    (&accounts::RULE, accounts::ROWS),
    (&firewall::RULE, firewall::ROWS),
    (&persistence::RULE, persistence::ROWS),
    (&security::RULE, security::ROWS),
    (&miners::RULE, miners::ROWS),
    (&reverse::RULE, reverse::ROWS),
    (&downloads::RULE, downloads::ROWS),
    (&history::RULE, history::ROWS),
    (&credentials::RULE, credentials::ROWS),
];

/// The rows of each program.
static ROWS: LazyLock<HashMap<&str, Vec<(&Rule, &When)>>> = LazyLock::new(|| {
    let mut rows: HashMap<&str, Vec<(&Rule, &When)>> = HashMap::new();
    for (rule, table) in TABLES {
        for row in table {
            for name in row.names.split_whitespace() {
                rows.entry(name).or_default().push((rule, &row.when));
            }
        }
    }
    rows
});

impl When {
    fn is_so(&self, call: &Call<'_>) -> bool {
        let has = |words: &str| words.split_whitespace().any(|word| call.args.iter().any(|arg| arg == word));
        match self {
            When::Always => true,
            When::With(words) => has(words),
            When::Unless(words) => !has(words),
            When::SomeUnless(words) => !call.args.is_empty() && !has(words),
            When::Begins(starts) => call.args.iter().any(|arg| {
                let last = arg.rsplit('.').next().unwrap_or(arg);
                starts.split_whitespace().any(|start| arg.starts_with(start) || last == start)
            }),
        }
    }
}

/// The rule against the command, by its name and words.
pub fn against(call: &Call<'_>) -> Option<&'static Rule> {
    if volumes::is_of_an_image(call) {
        return None;
    }
    if call.name.starts_with("mkfs.") || call.name.starts_with("fsck.") {
        return Some(&volumes::RULE);
    }
    if call.name == "getent" && call.has(&["shadow", "gshadow"]) {
        return Some(&credentials::RULE);
    }
    let rows = ROWS.get(call.name)?;
    rows.iter().find(|(_, when)| when.is_so(call)).map(|(rule, _)| *rule)
}

/// Every name in the table, and those that modules look for themselves.
pub fn names() -> impl Iterator<Item = &'static str> {
    const OTHERS: [&str; 22] = [
        "rm", "dd", "shred", "chmod", "chown", "find", "mv", "cp", "tee", "truncate", "cat", "nc", "socat", "curl",
        "wget", "bash", "sh", "dash", "python3", "perl", "kill", "unlink",
    ];
    ROWS.keys().copied().chain(OTHERS)
}

/// Files that a command writes by naming them.
pub fn written_by(call: &Call<'_>) -> Vec<String> {
    let owned = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect();
    match call.name {
        "tee" | "truncate" | "touch" | "sponge" | "ed" | "split" => owned(call.operands().collect()),
        "cp" | "mv" | "install" | "ln" | "rsync" | "scp" | "link" => match after(call, &["-t", "--target-directory"]) {
            Some(directory) => call.operands().map(|from| joined(&directory, from)).collect(),
            None => {
                let paths: Vec<&str> = call.operands().collect();
                let Some((to, from)) = paths.split_last() else { return Vec::new() };
                let within = from.iter().map(|from| joined(to, from));
                within.chain([(*to).to_owned()]).collect()
            }
        },
        "sed" | "perl" | "gsed" | "ruby"
            if call.args.iter().any(|arg| {
                arg.starts_with("-i") || arg.starts_with("--in-place") || arg.starts_with("-pi") || arg == "-ni"
            }) =>
        {
            owned(call.operands().collect())
        }
        "dd" => call.args.iter().filter_map(|arg| arg.strip_prefix("of=")).map(str::to_owned).collect(),
        "curl" | "wget" | "sort" | "gcc" | "cc" | "openssl" | "ssh-keygen" | "patch" | "tar" | "unzip" => {
            let out = ["-o", "-O", "--output", "--output-document", "-out"];
            after(call, &out).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// `to/NAME`: where a file goes that is put into a directory.
fn joined(to: &str, from: &str) -> String {
    let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or(from);
    format!("{}/{name}", to.trim_end_matches('/'))
}

fn after(call: &Call<'_>, options: &[&str]) -> Option<String> {
    let at = call.args.iter().position(|arg| options.contains(&arg.as_str()))?;
    call.args.get(at + 1).cloned()
}
