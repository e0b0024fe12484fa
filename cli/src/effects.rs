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
    /// Whom it tried to reach: nobody can be reached from a sandbox so far.
    hosts: Vec<String>,
    /// Effects beyond those listed.
    more: u64,
    /// Whether it can be undone; null when there is nothing to undo.
    undoable: Option<bool>,
}

/// One change.
#[derive(Serialize)]
struct One<'a> {
    path: &'a str,
    kind: Kind,
    /// After it, bytes; before it where it is deleted.
    size: u64,
    /// In octal.
    mode: String,
    /// SHA-256, hexadecimal.
    before: Option<String>,
    after: Option<String>,
    diff: Option<&'a str>,
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
            hosts: Vec::new(),
            more: effects.more,
            undoable: (!effects.is_empty()).then_some(effects.undoable),
        }
    }
}

fn one(effect: &Effect) -> One<'_> {
    let side = effect.after.as_ref().or(effect.before.as_ref());
    One {
        path: &effect.path,
        kind: effect.kind,
        size: side.map_or(0, |side| side.bytes),
        mode: format!("{:04o}", side.map_or(0, |side| side.mode)),
        before: effect.before.as_ref().map(digest),
        after: effect.after.as_ref().map(digest),
        diff: effect.diff.as_deref(),
    }
}

fn digest(side: &Side) -> String {
    side.digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shows what was changed, and what became of it.
pub fn show(screen: &mut Screen, action: u64, outcome: &ToolOutcome) {
    let effects = &outcome.effects;
    for effect in effects.list.iter().take(EFFECTS_SHOWN) {
        let sign = match effect.change {
            Change::Created => '+',
            Change::Changed => '~',
            Change::Deleted => '-',
        };
        screen.line(Style::Dim, &format!("{sign} {}", effect.path));
        for line in effect.diff.iter().flat_map(|diff| diff.lines()) {
            screen.line(Style::Dim, &format!("    {line}"));
        }
    }
    let count = |change| effects.list.iter().filter(|one| one.change == change).count();
    let counted = format!(
        "{} changed, {} deleted, {} created{}",
        count(Change::Changed),
        count(Change::Deleted),
        count(Change::Created),
        if effects.more > 0 { format!(", {} more", effects.more) } else { String::new() }
    );
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
