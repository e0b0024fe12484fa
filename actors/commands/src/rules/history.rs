//! What was done: histories of shells, logs of the system.

use super::table::{Row, When};
use super::{Call, Found, Rule, below};
use crate::paths;

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.history",
    protects: "the record of what was done: shells' histories and the system's logs",
    instead: "Look (journalctl, tail); remove records yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row { names: "journalctl", when: When::Begins("--vacuum --rotate --relinquish-var --setup-keys") },
    Row { names: "dmesg", when: When::With("-C -c --clear --read-clear -D --console-off") },
    Row { names: "history", when: When::With("-c -d -cw -w clear --clear -wc") },
    Row { names: "set", when: When::With("history") },
    Row { names: "logrotate", when: When::With("-f --force -vf -fv") },
    Row {
        names: "wevtutil utmpdump Clear-EventLog logtamper hidemyass",
        when: When::With("cl -r --reverse -rev clear-log"),
    },
];

const REMOVERS: [&str; 12] =
    ["rm", "shred", "unlink", "truncate", "srm", "wipe", "mv", "ln", "cp", "find", "sed", "chattr"];

pub(super) fn look(call: &Call<'_>) -> Found {
    if !REMOVERS.contains(&call.name) || call.name == "sed" && !call.args.iter().any(|arg| arg.starts_with("-i")) {
        return Found::Nothing;
    }
    let mut operands: Vec<&str> = call.operands().collect();
    match call.name {
        "cp" | "ln" => operands = operands.split_off(operands.len().saturating_sub(1)),
        "find" if !call.has(&["-delete", "rm", "shred"]) => return Found::Nothing,
        _ => {}
    }
    let held = |path: &&str| paths::absolute(call.cwd, path).is_some_and(|path| is_record(&path));
    if operands.iter().any(held) { Found::Against(&RULE) } else { Found::Nothing }
}

fn is_record(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_history = name.starts_with('.') && name.ends_with("_history") || name == ".history" || name == ".lesshst";
    is_history
        || below(path, &["/var/log", "/var/run/utmp", "/run/utmp", "/run/log", "/var/adm"])
        || matches!(name, "wtmp" | "btmp" | "lastlog" | "utmp") && path.starts_with("/var")
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    is_record(path).then_some(&RULE)
}

pub(super) fn assigned(name: &str, value: &str) -> Option<&'static Rule> {
    let off = match name {
        "HISTFILE" => value.is_empty() || value == "/dev/null",
        "HISTSIZE" | "HISTFILESIZE" | "SAVEHIST" => value == "0",
        "HISTCONTROL" | "HISTIGNORE" => value == "*" || value == "ignoreall",
        _ => false,
    };
    off.then_some(&RULE)
}
