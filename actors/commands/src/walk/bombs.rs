//! Fork bombs, by shape: a function that calls itself twice in a pipeline or in the background, and loops without end
//! that start processes and never wait.

use rable::{ListOperator, Node, NodeKind};

/// Whether the function multiplies itself.
pub fn is_bomb(name: &str, body: &Node) -> bool {
    any(body, &mut |node| match &node.kind {
        NodeKind::Pipeline { commands, .. } => commands.iter().filter(|command| calls(command, name)).count() > 1,
        NodeKind::List { items } => {
            let in_background = |operator| operator == Some(ListOperator::Background);
            items.iter().any(|item| in_background(item.operator) && calls(&item.command, name))
        }
        NodeKind::Coproc { command, .. } => calls(command, name),
        _ => false,
    })
}

/// Whether the function, or the script itself, is called in it.
pub fn calls(node: &Node, name: &str) -> bool {
    any(node, &mut |node| first_word(node).is_some_and(|word| word == name || word == "$0"))
}

/// Whether the loop's condition is always so.
pub fn is_constant(condition: &Node, wanted: bool) -> bool {
    match &condition.kind {
        NodeKind::Command { words, .. } => match (first_word(condition).as_deref(), words.len()) {
            (Some("true" | ":"), _) => wanted,
            (Some("false"), _) => !wanted,
            (Some("[" | "test"), 2 | 3) => wanted,
            _ => false,
        },
        NodeKind::ArithmeticCommand { raw_content, .. } => wanted && raw_content.trim() == "1",
        NodeKind::Negation { pipeline } => is_constant(pipeline, !wanted),
        _ => false,
    }
}

/// Whether something in it takes time or ends it.
pub fn waits(body: &Node) -> bool {
    const WAITING: [&str; 10] =
        ["sleep", "wait", "read", "break", "exit", "return", "inotifywait", "usleep", "timeout", "flock"];
    any(body, &mut |node| first_word(node).is_some_and(|word| WAITING.contains(&word.as_str())))
}

/// The name as it is written, without quotes.
fn first_word(node: &Node) -> Option<String> {
    let NodeKind::Command { words, .. } = &node.kind else { return None };
    let NodeKind::Word { value, .. } = &words.first()?.kind else { return None };
    Some(value.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect())
}

/// Whether it is so of a command in it, itself included.
fn any(node: &Node, is_so: &mut impl FnMut(&Node) -> bool) -> bool {
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        if is_so(node) {
            return true;
        }
        match &node.kind {
            NodeKind::Pipeline { commands, .. } => waiting.extend(commands),
            NodeKind::List { items } => waiting.extend(items.iter().map(|item| &item.command)),
            NodeKind::If { condition, then_body, else_body, .. } => {
                waiting.extend([&**condition, then_body]);
                waiting.extend(else_body.as_deref());
            }
            NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => {
                waiting.extend([&**condition, body]);
            }
            NodeKind::For { body, .. }
            | NodeKind::ForArith { body, .. }
            | NodeKind::Select { body, .. }
            | NodeKind::Subshell { body, .. }
            | NodeKind::BraceGroup { body, .. } => waiting.push(body),
            NodeKind::Case { patterns, .. } => {
                waiting.extend(patterns.iter().filter_map(|pattern| pattern.body.as_ref()));
            }
            NodeKind::Coproc { command, .. } => waiting.push(command),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => waiting.push(pipeline),
            _ => {}
        }
    }
    false
}
