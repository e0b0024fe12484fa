//! The principal's workspace and the store beside it, as the executor's own: staged, committed, undone.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use schema::effects::{Change, Effect, Effects, Kind, Side, Standing};
use schema::label::Label;
use schema::tool::{Ended, ToolOutcome};
use workspace::{Area, AreaError, ChangeKind, CommitError, Conflict, Key, Limits, NodeKind, State, shown};

use crate::labels;
use crate::ledger::failed;
use crate::limits::EFFECTS_BYTES;
use crate::taken_back;

/// Where the table puts the principal's directory.
pub const PRINCIPAL: &str = "/principal";
/// Where, below it, the engine makes copies of the workspace.
pub const COPIES: &str = "store/frozen";

/// Why there is no workspace.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory or the key.
    #[error("{what}: {error}: it must be the executor's own to read and write")]
    Io {
        /// Which.
        what: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The store.
    #[error("{0}")]
    Area(#[from] AreaError),
}

fn at(what: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let what = what.to_path_buf();
    move |error| OpenError::Io { what, error }
}

/// Makes workspace and store below `principal`, where they are not there.
///
/// # Errors
/// See [`OpenError`].
pub fn make(principal: &Path) -> Result<(), OpenError> {
    for dir in ["workspace", "store", COPIES].map(|name| principal.join(name)) {
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(&dir)(error)),
        }
    }
    Ok(())
}

/// Opens workspace and store, with directories `beside` that may be changed too, and finishes or takes back what a crash left.
///
/// # Errors
/// See [`OpenError`].
pub fn open(principal: &Path, beside: &[PathBuf]) -> Result<Area, OpenError> {
    let (workspace, store) = (principal.join("workspace"), principal.join("store"));
    let key = key(&principal.join("store.key"))?;
    let (mut area, recovered) = Area::open_beside(&workspace, beside, &store, &key, Limits::default(), None)?;
    for action in area.unstage_all()? {
        tracing::warn!(
            "action {action}: it was rehearsed and not settled: it is forgotten, and rehearsed again when asked for"
        );
    }
    for action in &recovered.finished {
        tracing::warn!("action {action}: its commit was interrupted, and is finished now");
    }
    for action in &recovered.rolled_back {
        tracing::warn!("action {action}: its commit was interrupted, and is taken back");
    }
    Ok(area)
}

/// The key of the undo store, made at the first start.
fn key(path: &Path) -> Result<Key, OpenError> {
    const KEY_BYTES: usize = 32;
    let mut bytes = [0; KEY_BYTES];
    match File::open(path) {
        Ok(mut file) => file.read_exact(&mut bytes).map_err(at(path))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            getrandom::fill(&mut bytes).map_err(|error| at(path)(io::Error::other(error)))?;
            let part = path.with_extension("part");
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
            let written = file.as_mut().map_err(|e| io::Error::from(e.kind())).and_then(|file| {
                file.write_all(&bytes)?;
                file.sync_all()
            });
            written.and_then(|()| fs::rename(&part, path)).map_err(at(path))?;
        }
        Err(error) => return Err(at(path)(error)),
    }
    Ok(Key::new(bytes))
}

/// Stages what a sandbox's layer holds; the outcome then shows it.
pub fn stage(area: &mut Area, action: u64, layer: &mut impl Read) -> Result<Effects, String> {
    if is_bare(layer)? {
        return Ok(Effects::default());
    }
    let effects = area.stage_layers(action, layer).map_err(|error| error.to_string())?;
    staged(area, action, &effects).map(|(effects, _)| effects)
}

/// Whether the layers, which come next, hold nothing. A sandbox that hides what they hold has it forgotten.
fn is_bare(layer: &mut impl Read) -> Result<bool, String> {
    let mut is_bare = [0];
    layer.read_exact(&mut is_bare).map_err(|error| format!("whether it changed anything: {error}"))?;
    Ok(is_bare != [0])
}

/// What was staged, as the outcome shows it; what changes nothing does not stay staged.
pub fn staged(area: &mut Area, action: u64, staged: &workspace::Effects) -> Result<(Effects, Standing), String> {
    if !staged.is_empty() {
        return Ok((effects(staged), Standing::Staged));
    }
    area.unstage(action).map_err(|error| error.to_string())?;
    Ok((effects(staged), Standing::Nothing))
}

/// What a layer over a copy of the workspace changes, and where the workspace is not what the copy was.
pub struct Since {
    /// As they are shown.
    pub effects: Effects,
    /// With any, it must not be committed.
    pub conflicts: Vec<Conflict>,
}

/// Stages what the sandbox of a command in the background holds.
pub fn stage_since(area: &mut Area, action: u64, layer: &mut impl Read) -> Result<Since, String> {
    if is_bare(layer)? {
        return Ok(Since { effects: Effects::default(), conflicts: Vec::new() });
    }
    let since = area.stage_since(action, layer).map_err(|error| error.to_string())?;
    if since.effects.is_empty() {
        area.unstage(action).map_err(|error| error.to_string())?;
    }
    Ok(Since { effects: effects(&since.effects), conflicts: since.conflicts })
}

/// Stages the inverse of action `of`.
pub fn stage_undo(area: &mut Area, action: u64, of: u64) -> ToolOutcome {
    let undo = match area.stage_undo(of, action) {
        Ok(undo) => undo,
        Err(error) => return failed(&taken_back::why_not(of, &error)),
    };
    if !undo.conflicts.is_empty() {
        let listed = taken_back::conflicts(area, of, &undo.conflicts);
        let text = taken_back::conflicts_text(of, undo.conflicts.len(), &listed);
        return ToolOutcome { reads: labels::all(area), ..failed(&text) };
    }
    let effects = effects(&undo.effects);
    let standing = if effects.is_empty() { Standing::Nothing } else { Standing::Staged };
    ToolOutcome { effects, standing, ..ToolOutcome::of(Ended::Exited { code: 0 }) }
}

/// Makes it real, with that label and `note` beside it, or forgets it (no label). Said again, it changes nothing and has the same answer.
///
/// # Errors
/// When it would have to be rehearsed again, since the workspace was changed: in words why. It is staged still.
pub fn try_settle(area: &mut Area, action: u64, label: Option<Label>, note: &[u8]) -> Result<Standing, String> {
    match area.state(action) {
        State::Committed { .. } | State::Undone { .. } => return Ok(Standing::Committed),
        State::Discarded => return Ok(Standing::Discarded { reason: "it was decided against".to_owned() }),
        State::Unknown => return Ok(Standing::Discarded { reason: "nothing is staged of it".to_owned() }),
        State::Staged => {}
    }
    let Some(label) = label else {
        return Ok(match area.discard(action) {
            Ok(()) => Standing::Discarded { reason: "it was decided against".to_owned() },
            Err(error) => Standing::Discarded { reason: error.to_string() },
        });
    };
    match area.commit_as(action, note, label) {
        Ok(_) => Ok(Standing::Committed),
        Err(error @ (CommitError::Outdated { .. } | CommitError::Conflict(_))) => Err(reason(&error)),
        Err(error) => {
            tracing::warn!("action {action}: {error}");
            Ok(discarded(area, action, reason(&error)))
        }
    }
}

/// As [`try_settle`], for what can't be rehearsed again: it is forgotten.
pub fn settle(area: &mut Area, action: u64, label: Option<Label>, note: &[u8]) -> Standing {
    try_settle(area, action, label, note).unwrap_or_else(|reason| {
        tracing::warn!("action {action}: {reason}");
        discarded(area, action, reason)
    })
}

fn discarded(area: &mut Area, action: u64, reason: String) -> Standing {
    if let Err(error) = area.discard(action) {
        tracing::error!("action {action}: {error}");
    }
    Standing::Discarded { reason }
}

fn reason(error: &CommitError) -> String {
    match error {
        CommitError::Area(AreaError::Torn { .. }) => error.to_string(),
        _ => format!("{error}; nothing was changed: ask again"),
    }
}

/// What is staged, as it is told: within a frame, however long the names are; the rest is counted.
pub fn effects(staged: &workspace::Effects) -> Effects {
    let mut left_bytes = EFFECTS_BYTES;
    let mut list = Vec::new();
    for one in staged.list.iter().map(effect) {
        let bytes = size_of::<Effect>() + one.path.len() + one.diff.as_ref().map_or(0, String::len);
        let Some(left) = left_bytes.checked_sub(bytes) else { break };
        left_bytes = left;
        list.push(one);
    }
    let left_out = &staged.list[list.len()..];
    let deleted = left_out.iter().filter(|one| one.change == ChangeKind::Deleted).count();
    Effects {
        more: staged.more + left_out.len() as u64,
        more_deleted: staged.more_deleted + deleted as u64,
        list,
        bytes_written: staged.bytes_written,
        undoable: staged.undoable,
        hosts: Box::default(),
    }
}

fn effect(one: &workspace::Effect) -> Effect {
    let side = |side: &Option<workspace::Side>| {
        side.as_ref().map(|side| Side { bytes: side.bytes, mode: side.mode, digest: side.digest })
    };
    Effect {
        path: shown(&one.path),
        change: match one.change {
            ChangeKind::Created => Change::Created,
            ChangeKind::Changed => Change::Changed,
            ChangeKind::Deleted => Change::Deleted,
        },
        kind: match one.what {
            NodeKind::File => Kind::File,
            NodeKind::Directory => Kind::Directory,
            NodeKind::Symlink => Kind::Symlink,
        },
        before: side(&one.before),
        after: side(&one.after),
        diff: one.diff.clone(),
        binary: one.binary,
        target: one.target.as_deref().map(shown),
    }
}
