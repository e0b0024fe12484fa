//! The hard rules: what nobody may have run, however it is spelt. One module a family, each a small table.

pub mod accounts;
pub mod credentials;
pub mod devices;
pub mod downloads;
pub mod firewall;
pub mod firmware;
pub mod forks;
pub mod history;
pub mod kernel;
pub mod miners;
pub mod persistence;
pub mod power;
pub mod reverse;
pub mod security;
mod table;
pub mod volumes;
pub mod wiping;

use crate::paths;

/// One of them.
#[derive(PartialEq, Eq, Debug)]
pub struct Rule {
    /// As decisions name it.
    pub id: &'static str,
    /// What it protects, in plain words.
    pub protects: &'static str,
    /// What a person may do instead.
    pub instead: &'static str,
}

/// All of them, as SECURITY.md lists them.
pub static ALL: [&Rule; 16] = [
    &devices::RULE,
    &wiping::RULE,
    &volumes::RULE,
    &firmware::RULE,
    &power::RULE,
    &kernel::RULE,
    &accounts::RULE,
    &firewall::RULE,
    &persistence::RULE,
    &security::RULE,
    &miners::RULE,
    &reverse::RULE,
    &downloads::RULE,
    &history::RULE,
    &credentials::RULE,
    &forks::RULE,
];

/// A simple command as the rules see it.
pub struct Call<'a> {
    /// The program's name, without directories.
    pub name: &'a str,
    /// Its arguments.
    pub args: &'a [String],
    /// Where it runs; `None`: anywhere.
    pub cwd: Option<&'a str>,
    /// What it reads.
    pub stdin: &'a str,
}

impl Call<'_> {
    /// Arguments that are no options.
    pub fn operands(&self) -> impl DoubleEndedIterator<Item = &str> {
        let end = self.args.iter().position(|arg| arg == "--").unwrap_or(self.args.len());
        let options =
            move |(n, arg): &(usize, &String)| *n > end || *n != end && !(arg.starts_with('-') && arg.len() > 1);
        self.args.iter().enumerate().filter(options).map(|(_, arg)| arg.as_str())
    }

    /// Whether an argument is one of these.
    pub fn has(&self, wanted: &[&str]) -> bool {
        self.args.iter().any(|arg| wanted.contains(&arg.as_str()))
    }

    /// Whether an option of one letter is there, alone or among others.
    pub fn has_letter(&self, letter: char) -> bool {
        self.args
            .iter()
            .take_while(|arg| *arg != "--")
            .any(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.contains(letter))
    }
}

/// What the rules say of a command.
pub enum Found {
    /// Nothing.
    Nothing,
    /// One is against it.
    Against(&'static Rule),
    /// It can't be told whether one is.
    Unclear(String),
}

/// Holds a command against every rule.
pub fn check(call: &Call<'_>) -> Found {
    if let Some(rule) = table::against(call) {
        return Found::Against(rule);
    }
    for look in [
        devices::look as fn(&Call<'_>) -> Found,
        history::look,
        wiping::look,
        persistence::look,
        reverse::look,
        miners::look,
        accounts::look,
        kernel::look,
        power::look,
        security::look,
        targets,
        credentials::look,
    ] {
        match look(call) {
            Found::Nothing => {}
            found => return found,
        }
    }
    Found::Nothing
}

/// Files that a command writes by naming them.
fn targets(call: &Call<'_>) -> Found {
    for target in table::written_by(call) {
        if let Some(rule) = written(call.cwd, &target) {
            return Found::Against(rule);
        }
    }
    Found::Nothing
}

/// The rule against writing to this path.
pub fn written(cwd: Option<&str>, path: &str) -> Option<&'static Rule> {
    let path = paths::absolute(cwd, path).unwrap_or_else(|| path.to_owned());
    let order: [fn(&str) -> Option<&'static Rule>; 8] = [
        reverse::written,
        devices::written,
        history::written,
        accounts::written,
        persistence::written,
        security::written,
        kernel::written,
        wiping::written,
    ];
    order.into_iter().find_map(|look| look(&path))
}

/// The rule against reading from this path.
pub fn read(cwd: Option<&str>, path: &str) -> Option<&'static Rule> {
    let path = paths::absolute(cwd, path).unwrap_or_else(|| path.to_owned());
    credentials::read(&path)
}

/// The rule against giving a variable this value.
pub fn assigned(name: &str, value: &str) -> Option<&'static Rule> {
    history::assigned(name, value)
}

/// The rule against a program of the workspace's own: by what it is told, or a name that only such programs have.
pub fn told(name: &str, args: &[String]) -> Option<&'static Rule> {
    match miners::look(&Call { name, args, cwd: None, stdin: "" }) {
        Found::Against(rule) => Some(rule),
        Found::Nothing | Found::Unclear(_) => None,
    }
}

/// Names that a pattern may stand for, of those that rules are about.
pub fn candidates(pattern: &str) -> impl Iterator<Item = &'static str> {
    table::names().filter(move |name| paths::matches(pattern, name))
}

/// Whether one of the paths is this directory or in it.
fn below(path: &str, directories: &[&str]) -> bool {
    directories.iter().any(|directory| {
        path.strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || directory.ends_with('/'))
    })
}

/// The part below a home, whoever's.
fn in_home(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("~/").or_else(|| path.strip_prefix("/root/")) {
        return Some(rest);
    }
    if let Some(rest) = path.strip_prefix("/workspace/") {
        return Some(rest);
    }
    path.strip_prefix("/home/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest)
}
