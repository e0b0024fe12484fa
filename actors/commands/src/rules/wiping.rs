//! Wiping of the system's or a home's directories, in any spelling of their paths.

use super::{Call, Found, Rule};
use crate::paths::{self, Place, is_inside};
use crate::text;

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.wipe",
    protects: "the system's directories and everybody's home",
    instead: "Name what is to go in the workspace, by a path that stays in it.",
};

pub(super) fn look(call: &Call<'_>) -> Found {
    match call.name {
        "rm" | "unlink" | "rmdir" | "srm" | "shred" | "wipe" | "grm" | "rimraf" | "scrub" | "trash" | "trash-put"
        | "del" | "secure-delete" => removed(call),
        "truncate" => any(call, call.operands(), &[Place::System, Place::InSystem]),
        "mv" => moved(call),
        "find" | "gfind" | "fd" | "fdfind" => sought(call),
        "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" | "chcon" => {
            let is_deep = call.has_letter('R') || call.has(&["--recursive"]) || call.name == "chattr";
            let places: &[Place] =
                if is_deep { &[Place::System, Place::InSystem, Place::Home] } else { &[Place::System] };
            any(call, call.operands().skip(1), places)
        }
        "rsync" if call.args.iter().any(|arg| arg.starts_with("--delete") || arg.starts_with("--del")) => {
            any(call, call.operands().last().into_iter(), &[Place::System, Place::InSystem, Place::Home])
        }
        "tar" if call.has(&["--remove-files"]) => {
            any(call, call.operands(), &[Place::System, Place::InSystem, Place::Home])
        }
        "cp" | "install" | "rsync" => copied(call),
        "git" if call.has(&["clean"]) => match call.args.iter().position(|arg| arg == "-C") {
            Some(at) => any(call, call.args.get(at + 1).map(String::as_str).into_iter(), &[Place::System, Place::Home]),
            None => Found::Nothing,
        },
        _ => Found::Nothing,
    }
}

fn any<'a>(call: &Call<'_>, mut paths: impl Iterator<Item = &'a str>, places: &[Place]) -> Found {
    if paths.any(|path| places.contains(&paths::place(call.cwd, path))) {
        Found::Against(&RULE)
    } else {
        Found::Nothing
    }
}

fn removed(call: &Call<'_>) -> Found {
    if call.has(&["--no-preserve-root"]) {
        return Found::Against(&RULE);
    }
    let is_deep = call.has_letter('r') || call.has_letter('R') || call.has(&["--recursive"]) || call.name == "rimraf";
    let mut unclear = None;
    for path in call.operands() {
        match paths::place(call.cwd, path) {
            Place::System | Place::InSystem => return Found::Against(&RULE),
            Place::Home if is_deep || path.contains('*') => return Found::Against(&RULE),
            Place::Unknown if is_deep && !is_inside(path) => unclear = Some(path),
            Place::Home | Place::Device | Place::Unknown | Place::Elsewhere => {}
        }
    }
    match unclear {
        Some(path) => Found::Unclear(format!("what is removed ({}) can't be told", text::shown(path))),
        None => Found::Nothing,
    }
}

fn moved(call: &Call<'_>) -> Found {
    let operands: Vec<&str> = call.operands().collect();
    let Some((to, from)) = operands.split_last() else { return Found::Nothing };
    if *to == "/dev/null" {
        return Found::Against(&RULE);
    }
    any(call, from.iter().copied(), &[Place::System, Place::InSystem, Place::Home])
}

/// Copying over what is there is as good as removing it.
fn copied(call: &Call<'_>) -> Found {
    let operands: Vec<&str> = call.operands().collect();
    match operands.as_slice() {
        ["/dev/null" | "/dev/zero" | "/dev/urandom", to] => {
            any(call, [*to].into_iter(), &[Place::System, Place::InSystem])
        }
        _ => Found::Nothing,
    }
}

fn sought(call: &Call<'_>) -> Found {
    let removes = |arg: &String| {
        matches!(arg.rsplit('/').next(), Some("-delete" | "rm" | "shred" | "unlink" | "chmod" | "chown" | "mv"))
    };
    if !call.args.iter().any(removes) {
        return Found::Nothing;
    }
    // What is picked by its name is not all of it.
    let picks = |arg: &String| {
        matches!(
            arg.as_str(),
            "-name" | "-iname" | "-path" | "-mtime" | "-mmin" | "-size" | "-regex" | "-newer" | "-empty"
        )
    };
    let is_picked = call.args.iter().any(picks) && !call.has(&["*"]);
    let roots = call.args.iter().map(String::as_str).take_while(|arg| !arg.starts_with(['-', '(', '!']));
    for root in roots {
        match paths::place(call.cwd, root) {
            Place::System | Place::InSystem => return Found::Against(&RULE),
            Place::Home if !is_picked => return Found::Against(&RULE),
            Place::Unknown if !is_picked => {
                return Found::Unclear(format!("where things are removed ({}) can't be told", text::shown(root)));
            }
            Place::Home | Place::Device | Place::Unknown | Place::Elsewhere => {}
        }
    }
    Found::Nothing
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    matches!(paths::place(Some("/"), path), Place::System | Place::InSystem).then_some(&RULE)
}
