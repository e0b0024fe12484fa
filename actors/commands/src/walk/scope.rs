//! What a shell knows at a place: variables, functions, aliases, where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rable::Node;

use crate::paths::{self, WORKSPACE};
use crate::text::{NUMBER, UNKNOWN};

/// A copy costs little: the maps are shared until one is changed.
#[derive(Clone)]
pub struct Scope {
    variables: Rc<BTreeMap<String, Vec<String>>>,
    functions: Rc<BTreeMap<String, Rc<Node>>>,
    called: Rc<BTreeSet<String>>,
    aliases: Rc<BTreeMap<String, String>>,
    arguments: Rc<Vec<String>>,
    /// Functions that are being called, outermost first.
    calls: Rc<Vec<Rc<Node>>>,
    /// `None`: anywhere.
    cwd: Option<String>,
    is_background: bool,
    is_endless: bool,
}

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            variables: Rc::default(),
            functions: Rc::default(),
            called: Rc::default(),
            aliases: Rc::default(),
            arguments: Rc::default(),
            calls: Rc::default(),
            cwd: Some(WORKSPACE.to_owned()),
            is_background: false,
            is_endless: false,
        }
    }
}

impl Scope {
    /// The values of a variable or special parameter; one that was never set is unknown.
    pub fn values(&self, name: &str) -> Vec<String> {
        if let Some(values) = self.variables.get(name) {
            return values.clone();
        }
        let value = match name {
            "@" | "*" => return self.arguments.to_vec(),
            "0" => "sh",
            "HOME" => paths::HOME,
            "PWD" => return vec![self.cwd.clone().unwrap_or_else(|| UNKNOWN.to_string())],
            "TMPDIR" | "TMP" | "TEMP" => "/tmp",
            "USER" | "LOGNAME" => "user",
            "IFS" => " ",
            "-" => "",
            "SHELL" | "BASH" => "/bin/sh",
            "PATH" => "/usr/bin:/bin",
            "#" | "?" | "$" | "!" | "RANDOM" | "SECONDS" | "UID" | "EUID" | "LINENO" | "PPID" | "COLUMNS" | "LINES" => {
                return vec![NUMBER.to_string()];
            }
            digits if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() => {
                let nth = digits.parse::<usize>().ok().and_then(|n| self.arguments.get(n.checked_sub(1)?));
                return vec![
                    nth.cloned()
                        .unwrap_or_else(|| if self.has_open_arguments() { UNKNOWN.to_string() } else { String::new() }),
                ];
            }
            _ => return vec![UNKNOWN.to_string()],
        };
        vec![value.to_owned()]
    }

    fn has_open_arguments(&self) -> bool {
        self.arguments.iter().any(|argument| *argument == UNKNOWN.to_string())
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, values: Vec<String>) {
        Rc::make_mut(&mut self.variables).insert(name.to_owned(), values);
    }

    /// Unsets it.
    pub fn unset(&mut self, name: &str) {
        Rc::make_mut(&mut self.variables).remove(name);
        Rc::make_mut(&mut self.functions).remove(name);
    }

    /// What an unquoted expansion is split at.
    pub fn separators(&self) -> String {
        let set = self.variables.get("IFS").and_then(|values| values.first());
        set.map_or_else(|| " \t\n".to_owned(), |set| if set == " " { " \t\n".to_owned() } else { set.clone() })
    }

    /// `$1` and so on.
    pub fn arguments(&self) -> Vec<String> {
        self.arguments.to_vec()
    }

    /// Sets them.
    pub fn set_arguments(&mut self, arguments: Vec<String>) {
        self.arguments = Rc::new(arguments);
    }

    /// Where it is.
    pub fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    /// Goes somewhere.
    pub fn go(&mut self, path: &str) {
        self.cwd = paths::absolute(self.cwd(), path).filter(|path| !path.contains(UNKNOWN));
    }

    /// Goes nobody knows where.
    pub fn go_anywhere(&mut self) {
        self.cwd = None;
    }

    /// Defines a function.
    pub fn define(&mut self, name: &str, body: &Node) {
        Rc::make_mut(&mut self.functions).insert(name.to_owned(), Rc::new(body.clone()));
    }

    /// Defines an alias.
    pub fn alias(&mut self, name: &str, value: &str) {
        Rc::make_mut(&mut self.aliases).insert(name.to_owned(), value.to_owned());
    }

    /// The text of an alias, which is gone in the scope that it is read in.
    pub fn take_alias(&mut self, name: &str) -> Option<String> {
        self.aliases.get(name)?;
        Rc::make_mut(&mut self.aliases).remove(name)
    }

    /// The body of a function and the scope of a call.
    pub fn call(&mut self, name: &str, arguments: &[String]) -> Option<(Rc<Node>, Scope)> {
        let body = self.functions.get(name)?.clone();
        if !self.called.contains(name) {
            Rc::make_mut(&mut self.called).insert(name.to_owned());
        }
        let mut inner = self.clone();
        Rc::make_mut(&mut inner.calls).push(body.clone());
        inner.arguments = Rc::new(arguments.to_vec());
        inner.is_background = false;
        Some((body, inner))
    }

    /// Whether it is being called already, as it is defined now.
    pub fn is_within(&self, name: &str) -> bool {
        let body = self.functions.get(name);
        body.is_some_and(|body| self.calls.iter().any(|call| Rc::ptr_eq(call, body)))
    }

    /// A call is over: what it assigned stays.
    pub fn returned(&mut self, inner: Scope) {
        let (arguments, calls, is_background) = (self.arguments.clone(), self.calls.clone(), self.is_background);
        *self = Scope { arguments, calls, is_background, ..inner };
    }

    /// Functions that nobody called.
    pub fn never_called(&self) -> Vec<Rc<Node>> {
        let never = self.functions.iter().filter(|(name, _)| !self.called.contains(*name));
        never.map(|(_, body)| body.clone()).collect()
    }

    /// Of what is different in the other one, nobody knows which it is.
    pub fn join(&mut self, other: &Scope) {
        if !Rc::ptr_eq(&self.variables, &other.variables) && self.variables != other.variables {
            let names: BTreeSet<String> = self.variables.keys().chain(other.variables.keys()).cloned().collect();
            let variables = Rc::make_mut(&mut self.variables);
            for name in names {
                if variables.get(&name) != other.variables.get(&name) {
                    variables.insert(name, vec![UNKNOWN.to_string()]);
                }
            }
        }
        for (name, body) in
            other.functions.iter().filter(|(name, _)| !self.functions.contains_key(*name)).collect::<Vec<_>>()
        {
            Rc::make_mut(&mut self.functions).insert(name.clone(), body.clone());
        }
        for name in other.called.iter().filter(|name| !self.called.contains(*name)).collect::<Vec<_>>() {
            Rc::make_mut(&mut self.called).insert(name.clone());
        }
        for (name, value) in
            other.aliases.iter().filter(|(name, _)| !self.aliases.contains_key(*name)).collect::<Vec<_>>()
        {
            Rc::make_mut(&mut self.aliases).insert(name.clone(), value.clone());
        }
        if self.cwd != other.cwd {
            self.cwd = None;
        }
        if self.arguments != other.arguments {
            self.arguments = Rc::new(vec![UNKNOWN.to_string()]);
        }
    }

    /// Whether a variable or the working directory is another.
    pub fn differs(&self, other: &Scope) -> bool {
        self.cwd != other.cwd || self.variables != other.variables
    }

    /// Variables are as they were.
    pub fn keep_variables_of(&mut self, before: &Scope) {
        self.variables = before.variables.clone();
    }

    /// From here on nobody waits for it.
    pub fn goes_to_background(&mut self) {
        self.is_background = true;
    }

    /// Whether nobody waits for it.
    pub fn is_background(&self) -> bool {
        self.is_background
    }

    /// From here on it is in a loop without end or pause.
    pub fn loops_endlessly(&mut self) {
        self.is_endless = true;
    }

    /// Whether it is in such a loop.
    pub fn is_in_endless_loop(&self) -> bool {
        self.is_endless
    }
}
