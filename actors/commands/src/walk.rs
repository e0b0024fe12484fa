//! Goes through the syntax of a command as a shell would, without running anything: what is certain is kept, what
//! depends on something that isn't known becomes unknown. Every step is counted, and there are only so many.

use std::collections::BTreeMap;

use rable::{ListOperator, Node, NodeKind};

use crate::limits::{BYTES_A_STEP, DEPTH_MAX, LOOP_WORDS_MAX, STEPS_MAX};
use crate::rules::Rule;
use crate::text::{self, UNKNOWN};
use crate::{Verdict, bounds};

mod bombs;
mod builtins;
mod command;
mod dispatch;
mod output;
mod redirects;
mod scope;
mod shells;
mod wrappers;

pub use scope::Scope;

/// What has been found so far.
#[derive(Default)]
pub struct Walk {
    steps: usize,
    depth: usize,
    /// Above 0: only what is destructive is written down.
    quiet: usize,
    destructive: Option<(&'static Rule, String)>,
    unknown: Option<String>,
    /// Files that the command itself wrote, as far as their content is known.
    files: BTreeMap<String, String>,
    /// What process substitutions write.
    substitutions: Vec<String>,
}

/// Judges a whole text.
pub fn run(source: &str) -> (Verdict, usize) {
    if let Some(why) = bounds::refused(source) {
        return (Verdict::NotUnderstood { what: why.to_owned() }, 0);
    }
    let mut walk = Walk::default();
    let mut scope = Scope::default();
    walk.script(&mut scope, source, "");
    walk.uncalled(&scope);
    let steps = walk.steps.min(STEPS_MAX);
    let verdict = match (walk.destructive, walk.unknown) {
        (Some((rule, what)), _) => Verdict::Destructive { rule, what },
        (None, Some(what)) => Verdict::NotUnderstood { what },
        (None, None) => Verdict::Ordinary,
    };
    (verdict, steps)
}

impl Walk {
    /// Counts bytes that are read.
    pub fn spend(&mut self, bytes: usize) {
        self.steps += 1 + bytes / BYTES_A_STEP;
    }

    /// Nothing more is to be found, or may be looked for.
    pub fn is_over(&mut self) -> bool {
        if self.steps >= STEPS_MAX {
            self.not_understood("a command that takes more work to understand than is done");
        }
        self.destructive.is_some() || self.steps >= STEPS_MAX
    }

    fn not_understood(&mut self, what: impl Into<String>) {
        if self.unknown.is_none() && self.quiet == 0 {
            self.unknown = Some(what.into());
        }
    }

    fn destroys(&mut self, rule: &'static Rule, what: &str) {
        if self.destructive.is_none() {
            self.destructive = Some((rule, text::shown(what)));
        }
    }

    /// Looks for what is destructive only.
    fn quietly<T>(&mut self, look: impl FnOnce(&mut Walk) -> T) -> T {
        self.quiet += 1;
        let found = look(self);
        self.quiet -= 1;
        found
    }

    /// A word that stands for a process substitution with this output.
    pub fn substituted(&mut self, written: String) -> char {
        self.substitutions.push(written);
        text::substitution(self.substitutions.len() - 1)
    }

    /// A script: what it writes, as far as that is known.
    pub fn script(&mut self, scope: &mut Scope, source: &str, stdin: &str) -> String {
        self.spend(source.len());
        if self.is_over() || source.trim().is_empty() {
            return String::new();
        }
        if self.depth >= DEPTH_MAX {
            self.not_understood("scripts too deep within one another");
            return UNKNOWN.to_string();
        }
        // Unknown parts are reserved characters here, and were none in the command itself.
        let parts: String = source.chars().map(|c| if text::is_reserved(c) { 'x' } else { c }).collect();
        if let Some(why) = bounds::refused(&parts) {
            self.not_understood(why);
            return UNKNOWN.to_string();
        }
        self.depth += 1;
        let written = match rable::parse(source, false) {
            Ok(nodes) => self.nodes(scope, &nodes, stdin),
            Err(_) => {
                self.not_understood("text that is no shell command");
                UNKNOWN.to_string()
            }
        };
        self.depth -= 1;
        written
    }

    fn nodes(&mut self, scope: &mut Scope, nodes: &[Node], stdin: &str) -> String {
        nodes.iter().map(|node| self.node(scope, node, stdin)).collect()
    }

    fn node(&mut self, scope: &mut Scope, node: &Node, stdin: &str) -> String {
        self.spend(0);
        if self.is_over() {
            return String::new();
        }
        match &node.kind {
            NodeKind::Command { assignments, words, redirects } => {
                self.simple(scope, (assignments, words, redirects), stdin)
            }
            NodeKind::Pipeline { commands, .. } => self.pipeline(scope, commands, stdin),
            NodeKind::List { .. } => self.list(scope, node, stdin),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => self.node(scope, pipeline, stdin),
            NodeKind::Coproc { command, .. } => self.in_background(scope, command, stdin),
            NodeKind::Function { name, body } => {
                if bombs::is_bomb(name, body) {
                    self.destroys(&crate::rules::forks::RULE, name);
                }
                scope.define(name, body);
                String::new()
            }
            _ => self.compound(scope, node, stdin),
        }
    }

    /// What has a body and redirections of its own.
    fn compound(&mut self, scope: &mut Scope, node: &Node, stdin: &str) -> String {
        let (stdin, sent) = self.redirected(scope, redirects_of(node), stdin);
        let written = match &node.kind {
            NodeKind::Subshell { body, .. } => self.node(&mut scope.clone(), body, &stdin),
            NodeKind::BraceGroup { body, .. } => self.node(scope, body, &stdin),
            NodeKind::If { condition, then_body, else_body, .. } => {
                let mut written = self.node(scope, condition, &stdin);
                let mut other = scope.clone();
                written += &self.node(scope, then_body, &stdin);
                if let Some(body) = else_body {
                    written += &self.node(&mut other, body, &stdin);
                }
                scope.join(&other);
                written
            }
            NodeKind::While { condition, body, .. } => self.repeated(scope, (condition, body), &stdin, true),
            NodeKind::Until { condition, body, .. } => self.repeated(scope, (condition, body), &stdin, false),
            NodeKind::For { var, words, body, .. } | NodeKind::Select { var, words, body, .. } => {
                self.each(scope, (var, words.as_deref(), body), &stdin)
            }
            NodeKind::ForArith { init, cond, incr, body, .. } => {
                for part in [init, cond, incr] {
                    self.document(scope, part);
                }
                let is_endless = cond.trim().is_empty() || cond.trim() == "1";
                self.body(scope, body, &stdin, is_endless)
            }
            NodeKind::Case { word, patterns, .. } => {
                self.whole(scope, &raw(word));
                let before = scope.clone();
                let mut written = String::new();
                for pattern in patterns {
                    let mut branch = before.clone();
                    for word in &pattern.patterns {
                        self.whole(&mut branch, &raw(word));
                    }
                    if let Some(body) = &pattern.body {
                        written += &self.node(&mut branch, body, &stdin);
                    }
                    scope.join(&branch);
                }
                written
            }
            NodeKind::ArithmeticCommand { raw_content, .. } => {
                self.document(scope, raw_content);
                // To a shell without arithmetic these are two subshells.
                self.quietly(|walk| walk.script(&mut scope.clone(), raw_content, ""));
                String::new()
            }
            NodeKind::ConditionalExpr { body, .. } => {
                self.condition(scope, body, false);
                String::new()
            }
            NodeKind::Empty | NodeKind::Comment { .. } => String::new(),
            _ => {
                self.not_understood("syntax that is not known here");
                UNKNOWN.to_string()
            }
        };
        self.sent(scope, &sent, written)
    }

    /// `[[ … ]]`. To a shell without it, what stands behind `&&` and `||` in it is a command.
    fn condition(&mut self, scope: &mut Scope, node: &Node, is_second: bool) {
        match &node.kind {
            NodeKind::CondAnd { left, right } | NodeKind::CondOr { left, right } => {
                self.condition(scope, left, is_second);
                self.condition(scope, right, true);
            }
            NodeKind::CondNot { operand } => self.condition(scope, operand, is_second),
            NodeKind::CondParen { inner } => self.condition(scope, inner, true),
            NodeKind::BinaryTest { left, right, .. } => {
                self.condition(scope, left, is_second);
                self.condition(scope, right, false);
            }
            NodeKind::UnaryTest { operand, .. } => self.condition(scope, operand, is_second),
            NodeKind::CondTerm { value, .. } => {
                let word = self.whole(scope, value);
                if is_second {
                    self.quietly(|walk| walk.dispatch(&mut scope.clone(), vec![word], ""));
                }
            }
            _ => {}
        }
    }

    /// Stages run in shells of their own; each reads what the one before it writes.
    fn pipeline(&mut self, scope: &mut Scope, commands: &[Node], stdin: &str) -> String {
        let mut written = stdin.to_owned();
        for (n, command) in commands.iter().enumerate() {
            let mut inner = scope.clone();
            written = self.node(&mut inner, command, &written);
            // Some shells run the last stage themselves.
            if n + 1 == commands.len() {
                scope.join(&inner);
            }
        }
        written
    }

    fn in_background(&mut self, scope: &mut Scope, command: &Node, stdin: &str) -> String {
        if bombs::calls(command, "$0") {
            self.destroys(&crate::rules::forks::RULE, "a script that starts itself again in the background");
        }
        if scope.is_in_endless_loop() {
            self.destroys(&crate::rules::forks::RULE, "an endless loop that starts processes without waiting");
        }
        let mut inner = scope.clone();
        inner.goes_to_background();
        self.node(&mut inner, command, stdin)
    }

    fn list(&mut self, scope: &mut Scope, list: &Node, stdin: &str) -> String {
        let mut written = String::new();
        let mut chain = Vec::new();
        for (command, operator) in commands(list) {
            chain.push(command);
            let goes_on = matches!(operator, Some(ListOperator::And | ListOperator::Or));
            if !goes_on {
                let is_background = operator == Some(ListOperator::Background);
                written += &self.chain(scope, &std::mem::take(&mut chain), stdin, is_background);
            }
        }
        written + &self.chain(scope, &chain, stdin, false)
    }

    /// `a && b || c`: what follows the first may run or not.
    fn chain(&mut self, scope: &mut Scope, chain: &[&Node], stdin: &str, is_background: bool) -> String {
        let mut written = String::new();
        let mut after_first = None;
        for node in chain {
            written += &match is_background {
                true => self.in_background(scope, node, stdin),
                false => self.node(scope, node, stdin),
            };
            if after_first.is_none() && chain.len() > 1 {
                after_first = Some(scope.clone());
            }
        }
        if let Some(first) = after_first {
            scope.join(&first);
        }
        written
    }

    fn repeated(&mut self, scope: &mut Scope, (condition, body): (&Node, &Node), stdin: &str, wanted: bool) -> String {
        self.node(scope, condition, stdin);
        let is_endless = bombs::is_constant(condition, wanted);
        self.body(scope, body, stdin, is_endless)
    }

    /// A body that may run any number of times.
    fn body(&mut self, scope: &mut Scope, body: &Node, stdin: &str, is_endless: bool) -> String {
        let mut inner = scope.clone();
        if is_endless && !bombs::waits(body) {
            inner.loops_endlessly();
        }
        let written = self.node(&mut inner, body, stdin);
        // What the first round assigned, the second sees.
        if inner.differs(scope) {
            self.node(&mut inner, body, stdin);
        }
        scope.join(&inner);
        written
    }

    fn each(&mut self, scope: &mut Scope, (var, words, body): (&str, Option<&[Node]>, &Node), stdin: &str) -> String {
        let values = match words {
            None => scope.arguments(),
            Some(words) => words.iter().flat_map(|word| self.fields(scope, &raw(word))).collect(),
        };
        let mut written = String::new();
        let before = scope.clone();
        for value in values.iter().take(LOOP_WORDS_MAX) {
            scope.set(var, vec![value.clone()]);
            written += &self.node(scope, body, stdin);
        }
        if values.len() > LOOP_WORDS_MAX {
            scope.set(var, vec![UNKNOWN.to_string()]);
            written += &self.node(scope, body, stdin);
        }
        scope.join(&before);
        written
    }

    /// Functions that nobody called: a trap, a later command or another shell may.
    fn uncalled(&mut self, scope: &Scope) {
        for body in scope.never_called() {
            let mut inner = scope.clone();
            inner.set_arguments(vec![UNKNOWN.to_string()]);
            self.quietly(|walk| walk.node(&mut inner, &body, ""));
        }
    }
}

/// The commands of a list and what stands behind each. Lists are nested to the left, as deep as they are long.
fn commands(list: &Node) -> Vec<(&Node, Option<ListOperator>)> {
    let mut all = Vec::new();
    let (mut node, mut behind) = (list, None);
    while let NodeKind::List { items } = &node.kind
        && let Some((first, rest)) = items.split_first()
    {
        for (n, item) in rest.iter().enumerate().rev() {
            all.push((&item.command, item.operator.or(if n + 1 == rest.len() { behind } else { None })));
        }
        behind = first.operator.or(if rest.is_empty() { behind } else { None });
        node = &first.command;
    }
    all.push((node, behind));
    all.reverse();
    all
}

fn redirects_of(node: &Node) -> &[Node] {
    match &node.kind {
        NodeKind::Subshell { redirects, .. }
        | NodeKind::BraceGroup { redirects, .. }
        | NodeKind::If { redirects, .. }
        | NodeKind::While { redirects, .. }
        | NodeKind::Until { redirects, .. }
        | NodeKind::For { redirects, .. }
        | NodeKind::ForArith { redirects, .. }
        | NodeKind::Select { redirects, .. }
        | NodeKind::Case { redirects, .. }
        | NodeKind::ArithmeticCommand { redirects, .. }
        | NodeKind::ConditionalExpr { redirects, .. } => redirects,
        _ => &[],
    }
}

/// A word as it is written.
fn raw(node: &Node) -> String {
    match &node.kind {
        NodeKind::Word { value, .. } | NodeKind::WordLiteral { value } | NodeKind::CondTerm { value, .. } => {
            value.clone()
        }
        _ => UNKNOWN.to_string(),
    }
}
