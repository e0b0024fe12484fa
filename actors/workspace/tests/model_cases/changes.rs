//! The file tools' changes, done directly by the plainest calls.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use workspace::Change;

/// Whether a directory is there, and no link on the way to it.
fn is_dir(root: &Path, path: &Path) -> bool {
    let inner = path.ancestors().take_while(|path| *path != root);
    inner.into_iter().all(|path| fs::symlink_metadata(path).is_ok_and(|data| data.is_dir()))
}

/// Does a change as its description says. Whether it could be done.
pub fn apply(root: &Path, change: &Change) -> bool {
    let at = |path: &[u8]| root.join(OsStr::from_bytes(path));
    let fits = |path: &[u8]| is_dir(root, at(path).parent().unwrap());
    let is_there = |path: &[u8]| fits(path) && fs::symlink_metadata(at(path)).is_ok();
    match change {
        Change::Write { path, bytes, mode } => {
            let old = fs::symlink_metadata(at(path)).ok();
            if !fits(path) || old.as_ref().is_some_and(|old| !old.is_file()) {
                return false;
            }
            let had = old.map(|old| old.permissions().mode() & 0o1777);
            fs::write(at(path), bytes).unwrap();
            let mode = mode.or(had).unwrap_or(0o644);
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
            true
        }
        Change::Delete { path } if !fits(path) => false,
        Change::Delete { path } => match fs::symlink_metadata(at(path)) {
            Ok(data) if data.is_dir() => fs::remove_dir_all(at(path)).is_ok(),
            Ok(_) => fs::remove_file(at(path)).is_ok(),
            Err(_) => false,
        },
        Change::MakeDirectory { path } => {
            let made = fits(path) && fs::create_dir(at(path)).is_ok();
            made && fs::set_permissions(at(path), fs::Permissions::from_mode(0o755)).is_ok()
        }
        Change::Rename { from, to } => {
            let fine = fits(to) && is_there(from) && !is_there(to) && !at(to).starts_with(at(from));
            fine && fs::rename(at(from), at(to)).is_ok()
        }
    }
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "e"]);
    let path = prop::collection::vec(name, 1..=3).prop_map(|names| names.iter().collect::<PathBuf>());
    path.prop_map(|path| path.as_os_str().as_bytes().to_vec())
}

/// One change.
pub fn change() -> impl Strategy<Value = Change> {
    let mode = prop_oneof![3 => Just(None), 1 => prop::sample::select(vec![0o600, 0o644, 0o755]).prop_map(Some)];
    let bytes = (any::<u8>(), 0..6000_usize).prop_map(|(seed, bytes)| super::noise(seed, bytes));
    prop_oneof![
        4 => (path(), bytes, mode).prop_map(|(path, bytes, mode)| Change::Write { path, bytes, mode }),
        2 => path().prop_map(|path| Change::Delete { path }),
        2 => path().prop_map(|path| Change::MakeDirectory { path }),
        3 => (path(), path()).prop_map(|(from, to)| Change::Rename { from, to }),
    ]
}

/// What makes a tree, and a tool's changes to it.
pub fn tree_and_changes() -> impl Strategy<Value = (Vec<super::Op>, Vec<Change>)> {
    (prop::collection::vec(super::strategy::op(), 0..30), prop::collection::vec(change(), 1..10))
}
