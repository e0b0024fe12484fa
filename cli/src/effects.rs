//! What an action did to the workspace, for a person and for `--json`.

use schema::effects::{Change, Effect, Effects, Kind, Side, Standing};
use schema::tool::ToolOutcome;
use serde::Serialize;

use crate::limits::EFFECTS_SHOWN;
use crate::screen::{Screen, Style};

/// What `--json` prints of effects.
#[derive(Serialize, Default)]
pub struct Shown<'a> {
    created: Vec<One<'a>>,
    changed: Vec<One<'a>>,
    deleted: Vec<One<'a>>,
    /// Whom it tried to reach, and could not.
    hosts: &'a [String],
    /// Hosts beyond those.
    more_hosts: u64,
    /// Effects beyond those listed.
    more: u64,
    /// Bytes of new content.
    bytes_written: u64,
    /// Whether it can be undone; null when there is nothing to undo.
    undoable: Option<bool>,
}

/// One change. What has no before or after was not there, or is not any more.
#[derive(Serialize)]
struct One<'a> {
    path: &'a str,
    kind: Kind,
    /// After it, bytes; before it where it is deleted.
    size: u64,
    size_before: Option<u64>,
    /// In octal; after it, before it where it is deleted.
    mode: String,
    mode_before: Option<String>,
    /// SHA-256, hexadecimal; null for a directory, which has no content of its own.
    before: Option<String>,
    after: Option<String>,
    /// For text within the limits.
    diff: Option<&'a str>,
    /// What a diff does not say, in words.
    summary: Option<String>,
}

impl<'a> Shown<'a> {
    /// All of it.
    pub fn of(effects: Option<&'a Effects>) -> Shown<'a> {
        let Some(effects) = effects else { return Shown::default() };
        let pick = |change| effects.list.iter().filter(|one| one.change == change).map(one).collect();
        Shown {
            created: pick(Change::Created),
            changed: pick(Change::Changed),
            deleted: pick(Change::Deleted),
            hosts: &effects.hosts.list,
            more_hosts: effects.hosts.more,
            more: effects.more,
            bytes_written: effects.bytes_written,
            undoable: (!effects.is_empty()).then_some(effects.undoable),
        }
    }
}

fn one(effect: &Effect) -> One<'_> {
    let side = effect.after.as_ref().or(effect.before.as_ref());
    let digest = |side: &Option<Side>| side.as_ref().and_then(digest);
    One {
        path: &effect.path,
        kind: effect.kind,
        size: side.map_or(0, |side| side.bytes),
        size_before: effect.before.as_ref().map(|side| side.bytes),
        mode: side.map_or_else(String::new, mode),
        mode_before: effect.before.as_ref().map(mode),
        before: digest(&effect.before),
        after: digest(&effect.after),
        diff: effect.diff.as_deref(),
        summary: summary(effect),
    }
}

fn mode(side: &Side) -> String {
    format!("{:04o}", side.mode)
}

fn digest(side: &Side) -> Option<String> {
    let is_given = side.digest != [0; 32];
    is_given.then(|| side.digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a diff does not say: sizes of what has none, what a link is to, a mode that changes.
fn summary(effect: &Effect) -> Option<String> {
    let (before, after) = (effect.before.as_ref(), effect.after.as_ref());
    let mut parts = Vec::new();
    match effect.kind {
        Kind::Directory => parts.push("directory".to_owned()),
        Kind::Symlink => {
            let target = effect.target.as_deref();
            parts.push(target.map_or_else(|| "symlink".to_owned(), |target| format!("symlink to {target}")));
        }
        Kind::File if effect.diff.is_none() => {
            parts.extend(effect.binary.then(|| "binary".to_owned()));
            parts.extend(content(before, after));
        }
        Kind::File => {}
    }
    if let (Some(before), Some(after)) = (before, after)
        && before.mode != after.mode
    {
        parts.push(format!("mode {} to {}", mode(before), mode(after)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Sizes of a content that is not shown: binary, or too large.
fn content(before: Option<&Side>, after: Option<&Side>) -> Option<String> {
    match (before, after) {
        (Some(before), Some(after)) if before.digest == after.digest => None,
        (Some(before), Some(after)) => Some(format!("{} to {}", size(before.bytes), size(after.bytes))),
        (None, Some(side)) | (Some(side), None) => Some(size(side.bytes)),
        (None, None) => None,
    }
}

/// A size for a person, in decimal units.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            if tenths < 100 {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            } else {
                format!("{} {name}", tenths / 10)
            }
        }
        None => format!("{bytes} bytes"),
    }
}

/// Shows each change, with its diff, and whom it tried to reach.
pub fn list(screen: &mut Screen, effects: &Effects) {
    for effect in effects.list.iter().take(EFFECTS_SHOWN) {
        let sign = match effect.change {
            Change::Created => '+',
            Change::Changed => '~',
            Change::Deleted => '-',
        };
        let words = summary(effect).map_or_else(String::new, |words| format!("  ({words})"));
        screen.line(Style::Dim, &format!("{sign} {}{words}", effect.path));
        for line in effect.diff.iter().flat_map(|diff| diff.lines()) {
            screen.line(Style::Dim, &format!("    {line}"));
        }
    }
    let left_out = effects.list.len().saturating_sub(EFFECTS_SHOWN);
    if left_out > 0 {
        screen.line(Style::Dim, &format!("… {left_out} more of these: --json lists them"));
    }
    if let Some(reached) = reached(effects) {
        screen.line(Style::Warn, &reached);
    }
}

/// How much was changed, in words.
pub fn counted(effects: &Effects) -> String {
    let count = |change| effects.list.iter().filter(|one| one.change == change).count();
    format!(
        "{} changed, {} deleted, {} created{}",
        count(Change::Changed),
        count(Change::Deleted),
        count(Change::Created),
        if effects.more > 0 { format!(", {} more", effects.more) } else { String::new() }
    )
}

/// Whom it tried to reach, in words.
fn reached(effects: &Effects) -> Option<String> {
    let more = (effects.hosts.more > 0).then(|| format!("{} more", effects.hosts.more));
    let hosts: Vec<&str> = effects.hosts.list.iter().map(String::as_str).chain(more.as_deref()).collect();
    (!hosts.is_empty()).then(|| format!("wants to reach {}; commands have no network", hosts.join(", ")))
}

/// Shows what was changed, and what became of it.
pub fn show(screen: &mut Screen, action: u64, outcome: &ToolOutcome) {
    let effects = &outcome.effects;
    list(screen, effects);
    let counted = counted(effects);
    match &outcome.standing {
        Standing::Nothing => {}
        Standing::Committed => {
            screen.line(Style::Dim, &format!("{counted}; committed as action {action} (chela undo {action})"));
        }
        Standing::Staged => screen.line(Style::Warn, &format!("{counted}; nothing of it is real")),
        Standing::Discarded { reason } => {
            screen.line(Style::Warn, &format!("{counted}; nothing was changed: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(bytes: u64, mode: u32) -> Side {
        Side { bytes, mode, digest: [u8::try_from(bytes % 251).unwrap_or(1); 32] }
    }

    fn effect(kind: Kind, before: Option<Side>, after: Option<Side>) -> Effect {
        Effect {
            path: "p".to_owned(),
            change: Change::Changed,
            kind,
            before,
            after,
            diff: None,
            binary: false,
            target: None,
        }
    }

    #[test]
    fn what_has_no_diff_is_summed_up() {
        let file = |before, after| summary(&effect(Kind::File, before, after)).unwrap_or_default();
        assert_eq!(file(Some(side(12_400, 0o644)), Some(side(14_000, 0o644))), "12 kB to 14 kB");
        assert_eq!(file(None, Some(side(1_500_000, 0o644))), "1.5 MB");
        assert_eq!(file(Some(side(7, 0o644)), Some(side(7, 0o755))), "mode 0644 to 0755");
        assert_eq!(file(Some(side(7, 0o644)), Some(side(900, 0o600))), "7 bytes to 900 bytes, mode 0644 to 0600");
        let mut binary = effect(Kind::File, Some(side(12_400, 0o644)), Some(side(14_000, 0o644)));
        binary.binary = true;
        assert_eq!(summary(&binary).as_deref(), Some("binary, 12 kB to 14 kB"));
        let mut link = effect(Kind::Symlink, None, Some(side(1, 0o777)));
        link.target = Some("x".to_owned());
        assert_eq!(summary(&link).as_deref(), Some("symlink to x"));
        assert_eq!(summary(&effect(Kind::Directory, None, Some(side(0, 0o755)))).as_deref(), Some("directory"));
        let mut shown = effect(Kind::File, Some(side(1, 0o644)), Some(side(2, 0o644)));
        shown.diff = Some("diff".to_owned());
        assert_eq!(summary(&shown), None, "the diff says it all");
    }
}
