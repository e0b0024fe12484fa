//! `move`, `delete` and `make_directory`: names are given and taken, and no content is looked at.
//!
//! They are staged by the transactions' engine itself, without a sandbox. An overlay without privilege refuses to rename a
//! directory of its lower layer (EXDEV); a tool in a sandbox would have to copy the whole tree into the layer's memory,
//! with attributes, links and holes, and only to have it copied out again. The engine moves a tree by naming its files
//! once more, so they stay the same files, of any size. What is untrusted here is a path: the engine opens each beneath
//! the workspace's descriptor, or that of a directory that was added, and follows no link. What moves from one of these to
//! another is copied by the engine.

use schema::tool::{Admitted, Ended, ToolOutcome};
use workspace::{Area, Change, DIRECTORIES, NodeKind, StageError};

use crate::area::staged;
use crate::ledger::failed;

/// Stages the call.
pub fn stage(area: &mut Area, action: u64, call: &Admitted) -> ToolOutcome {
    let changes = match call {
        Admitted::Move { from, to, overwrite } => moved(area, from, to, *overwrite),
        Admitted::Delete { path, recursive } => deleted(area, path, *recursive),
        Admitted::MakeDirectory { path } => made(area, path),
        Admitted::RunCommand { .. }
        | Admitted::ReadFile { .. }
        | Admitted::GetFile { .. }
        | Admitted::SearchFiles { .. }
        | Admitted::WriteFile { .. }
        | Admitted::PutFile { .. }
        | Admitted::EditFile { .. }
        | Admitted::ListFiles { .. }
        | Admitted::Undo { .. }
        | Admitted::Start { .. }
        | Admitted::Poll { .. }
        | Admitted::Input { .. }
        | Admitted::Stop { .. } => Err("this is not a matter of names".to_owned()),
    };
    let result = changes.and_then(|changes| area.stage_changes(action, &changes).map_err(|error| error.to_string()));
    match result.and_then(|effects| staged(area, action, &effects)) {
        Ok((effects, standing)) => ToolOutcome { effects, standing, ..ToolOutcome::of(Ended::Exited { code: 0 }) },
        Err(why) => failed(&why),
    }
}

/// A file with that content, new or rewritten, with the directories that are missing above it.
pub fn written(area: &Area, path: &str, content: &[u8]) -> Result<Vec<Change>, String> {
    let mut changes = match look(area, path)? {
        None => missing_above(area, path)?,
        Some(NodeKind::File) => Vec::new(),
        Some(NodeKind::Directory) => return Err(format!("{path:?} is a directory; name a file in it")),
        Some(NodeKind::Symlink) => {
            return Err(format!("{path:?} is a symbolic link, which is not followed; give the path behind it"));
        }
    };
    changes.push(Change::Write { path: bytes(path), bytes: content.to_vec(), mode: None });
    Ok(changes)
}

fn moved(area: &Area, from: &str, to: &str, overwrite: bool) -> Result<Vec<Change>, String> {
    let what = there(area, from)?;
    if to == from || to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
        return Err(format!("{from:?} can't be moved into itself; give another place as `to`"));
    }
    let mut changes = Vec::new();
    match look(area, to)? {
        None => changes.extend(missing_above(area, to)?),
        Some(NodeKind::Directory) => {
            return Err(format!("{to:?} is a directory; name what {from:?} is to become in it, or delete it first"));
        }
        Some(NodeKind::File | NodeKind::Symlink) if what == NodeKind::Directory => {
            return Err(format!("{to:?} is there, and no directory takes its place; delete it first"));
        }
        Some(NodeKind::File | NodeKind::Symlink) if overwrite => changes.push(Change::Delete { path: bytes(to) }),
        Some(NodeKind::File | NodeKind::Symlink) => {
            return Err(format!("{to:?} is there already; set overwrite to replace it, or give another name"));
        }
    }
    changes.push(Change::Rename { from: bytes(from), to: bytes(to) });
    Ok(changes)
}

fn deleted(area: &Area, path: &str, recursive: bool) -> Result<Vec<Change>, String> {
    if there(area, path)? == NodeKind::Directory && !recursive {
        return Err(format!("{path:?} is a directory; set recursive to delete it with all that is in it"));
    }
    Ok(vec![Change::Delete { path: bytes(path) }])
}

fn made(area: &Area, path: &str) -> Result<Vec<Change>, String> {
    match look(area, path)? {
        None => {
            let mut changes = missing_above(area, path)?;
            changes.push(Change::MakeDirectory { path: bytes(path) });
            Ok(changes)
        }
        Some(NodeKind::Directory) => Err(format!("{path:?} is there already, and is a directory: nothing to do")),
        Some(NodeKind::File) => Err(format!("{path:?} is there already, and is a file; give another name")),
        Some(NodeKind::Symlink) => Err(format!("{path:?} is there already, and is a link; give another name")),
    }
}

/// The directories that are missing above a path, from the top.
fn missing_above(area: &Area, path: &str) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    let top = top_bytes(path);
    for (at, _) in path.match_indices('/').filter(|(at, _)| *at > top) {
        let above = &path[..at];
        match look(area, above)? {
            None => changes.push(Change::MakeDirectory { path: bytes(above) }),
            Some(NodeKind::Directory) => {}
            Some(NodeKind::File) => return Err(format!("{above:?} is a file, not a directory; give another path")),
            Some(NodeKind::Symlink) => {
                return Err(format!("{above:?} is a symbolic link, which is not followed; give the path behind it"));
            }
        }
    }
    Ok(changes)
}

/// How much of a path names the directory that it is in, which was added and is there; 0: it is in the workspace.
fn top_bytes(path: &str) -> usize {
    let inner = path.strip_prefix(DIRECTORIES);
    inner.map_or(0, |inner| DIRECTORIES.len() + inner.find('/').unwrap_or(inner.len()))
}

fn there(area: &Area, path: &str) -> Result<NodeKind, String> {
    if let Some(kind) = look(area, path)? {
        return Ok(kind);
    }
    // Something on the way may be what is in the way.
    missing_above(area, path)?;
    Err(format!("there is no {path:?}; list_files shows what there is"))
}

fn look(area: &Area, path: &str) -> Result<Option<NodeKind>, String> {
    area.look(path.as_bytes()).map_err(|error: StageError| error.to_string())
}

fn bytes(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}
