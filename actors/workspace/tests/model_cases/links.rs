//! Which operations a rehearsal can do at all as a direct run would: in an overlay two names of one file of the workspace are
//! two files as soon as one of them is written or renamed. The engine makes them one again, where the command did one thing
//! to the file; where it did several, it refuses or keeps them apart, and those cases have tests of their own.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Op;

/// What was done so far to a file that has several names in the workspace.
enum Done {
    Nothing,
    /// Under this name.
    Written(PathBuf),
    Renamed,
}

/// The files of a workspace with several names.
pub struct Links(BTreeMap<u64, Done>);

impl Links {
    pub fn of(root: &Path) -> Links {
        let mut links = Links(BTreeMap::new());
        links.find(root);
        links
    }

    fn find(&mut self, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::symlink_metadata(&path).unwrap();
            if data.is_dir() {
                self.find(&path);
            } else if data.is_file() && data.nlink() > 1 {
                self.0.insert(data.ino(), Done::Nothing);
            }
        }
    }

    /// Whether the operation is one to hold the engine to. `root` is the tree of the direct run, as it is before it.
    pub fn allow(&mut self, root: &Path, op: &Op) -> bool {
        let data = |path: &Path| fs::symlink_metadata(root.join(path)).ok();
        let same = |one: &Path, other: &Path| matches!((data(one), data(other)), (Some(one), Some(other)) if one.is_file() && one.ino() == other.ino());
        match op {
            Op::Write { path, .. }
            | Op::WriteAt { path, .. }
            | Op::Truncate { path, .. }
            | Op::Chmod { path, .. }
            | Op::Xattr { path, .. }
            | Op::Mtime { path, .. } => data(path).is_none_or(|data| self.write(path, &data)),
            Op::Save { path, .. } => data(path).is_none_or(|data| self.rename(&root.join(path), &data)),
            // Of one file's names none replaces the other: nothing happens, but in an overlay, where they are two files.
            Op::Rename { from, to } | Op::Exchange { one: from, other: to } => {
                let tree = [from, to].map(|path| data(path).is_none_or(|data| self.rename(&root.join(path), &data)));
                !same(from, to) && tree == [true, true]
            }
            Op::Link { from, .. } => data(from).is_none_or(|data| self.link(&root.join(from), &data)),
            Op::Delete { .. } | Op::MakeDirectory { .. } | Op::Symlink { .. } => true,
        }
    }

    fn write(&mut self, path: &Path, data: &Metadata) -> bool {
        match self.0.get_mut(&data.ino()).filter(|_| data.is_file()) {
            None => true,
            Some(done @ Done::Nothing) => {
                *done = Done::Written(path.to_path_buf());
                true
            }
            Some(Done::Written(name)) => name == path,
            Some(Done::Renamed) => false,
        }
    }

    /// A new name is one more of the copy that was written, and of no other.
    fn link(&mut self, path: &Path, data: &Metadata) -> bool {
        match self.0.get(&data.ino()) {
            None | Some(Done::Nothing | Done::Renamed) => self.rename(path, data),
            Some(Done::Written(_)) => false,
        }
    }

    fn rename(&mut self, path: &Path, data: &Metadata) -> bool {
        if data.is_dir() {
            let inner = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            let all: Vec<bool> = inner.map(|path| self.rename(&path, &fs::symlink_metadata(&path).unwrap())).collect();
            return all.iter().all(|fine| *fine);
        }
        match self.0.get_mut(&data.ino()).filter(|_| data.is_file()) {
            None => true,
            Some(Done::Written(_)) => false,
            Some(done) => {
                *done = Done::Renamed;
                true
            }
        }
    }
}
