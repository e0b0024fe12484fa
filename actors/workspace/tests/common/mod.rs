//! What the tests of the transactions share: a workspace with its store, and what a tree looks like.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod layer;
pub mod overlay;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use workspace::{Area, Effects, Hook, Key, Limits, Recovered};

/// A directory with a workspace and its store in it.
pub struct Home {
    /// Removed at the end.
    pub dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home::at(tempfile::tempdir().unwrap())
    }

    pub fn at(dir: tempfile::TempDir) -> Home {
        fs::create_dir(dir.path().join("workspace")).unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        Home { dir }
    }

    pub fn workspace(&self) -> PathBuf {
        self.dir.path().join("workspace")
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// A file or directory of the workspace.
    pub fn path(&self, path: &str) -> PathBuf {
        self.workspace().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    pub fn open(&self) -> Area {
        self.reopen().0
    }

    pub fn reopen(&self) -> (Area, Recovered) {
        self.open_with(Limits::default())
    }

    pub fn open_with(&self, limits: Limits) -> (Area, Recovered) {
        open(self.dir.path(), limits)
    }

    /// The workspace, and the directories beside it.
    pub fn look(&self) -> Tree {
        let mut all = look(&self.workspace());
        for directory in beside(self.dir.path()) {
            let name = Path::new("/directories").join(directory.file_name().unwrap());
            for (path, node) in look(&directory) {
                if !path.starts_with(workspace::STAGING) {
                    let same_as = name.join(&node.same_as);
                    all.insert(name.join(path), Node { same_as, ..node });
                }
            }
        }
        all
    }

    /// Makes a directory beside the workspace.
    pub fn beside(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join("beside").join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

/// The directories beside the workspace.
pub fn beside(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("beside")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Opens the area in `dir`.
pub fn open(dir: &Path, limits: Limits) -> (Area, Recovered) {
    open_on_point(dir, limits, None)
}

pub fn open_on_point(dir: &Path, limits: Limits, hook: Option<Hook>) -> (Area, Recovered) {
    Area::open_beside(&dir.join("workspace"), &beside(dir), &dir.join("store"), &key(), limits, hook).unwrap()
}

pub fn key() -> Key {
    Key::new([42; 32])
}

/// Everything about a node that the tests compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: &'static str,
    pub mode: u32,
    /// A file's bytes, a link's target.
    pub content: Vec<u8>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub mtime: (i64, i64),
    /// The first path of the same file.
    pub same_as: PathBuf,
}

/// A tree by path.
pub type Tree = BTreeMap<PathBuf, Node>;

/// What is in a directory, itself aside.
pub fn look(root: &Path) -> Tree {
    let (mut tree, mut inodes) = (Tree::new(), BTreeMap::new());
    walk(root, Path::new(""), &mut tree, &mut inodes);
    tree
}

fn walk(root: &Path, at: &Path, tree: &mut Tree, inodes: &mut BTreeMap<u64, PathBuf>) {
    let mut names: Vec<_> = fs::read_dir(root.join(at)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let path = at.join(name);
        let full = root.join(&path);
        let data = fs::symlink_metadata(&full).unwrap();
        let (kind, content) = match () {
            () if data.is_file() => ("file", fs::read(&full).unwrap()),
            () if data.is_dir() => ("directory", Vec::new()),
            () if data.is_symlink() => ("link", fs::read_link(&full).unwrap().as_os_str().as_bytes().to_vec()),
            () => ("special", Vec::new()),
        };
        let same_as = inodes.entry(data.ino()).or_insert_with(|| path.clone()).clone();
        let xattrs = if data.is_symlink() { BTreeMap::new() } else { xattrs(&full) };
        let mode = data.permissions().mode() & 0o7777;
        let node = Node { kind, mode, content, xattrs, mtime: (data.mtime(), data.mtime_nsec()), same_as };
        tree.insert(path.clone(), node);
        if data.is_dir() {
            walk(root, &path, tree, inodes);
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 4096];
    let used = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut found = BTreeMap::new();
    for name in names[..used].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user.")) {
        let mut value = vec![0; 70_000];
        let used = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value[..]).unwrap();
        found.insert(name.to_vec(), value[..used].to_vec());
    }
    found
}

pub fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The tree without times: what differs between two runs of the same.
pub fn timeless(tree: &Tree) -> Tree {
    tree.iter().map(|(path, node)| (path.clone(), Node { mtime: (0, 0), ..node.clone() })).collect()
}

/// What differs between two trees, for a person.
pub fn difference(left: &Tree, right: &Tree) -> String {
    let mut out = String::new();
    for path in left.keys().chain(right.keys().filter(|path| !left.contains_key(*path))) {
        if left.get(path) != right.get(path) {
            out.push_str(&format!("{}:\n   {:?}\n   {:?}\n", path.display(), left.get(path), right.get(path)));
        }
    }
    out
}

#[track_caller]
pub fn assert_same(left: &Tree, right: &Tree, what: &str) {
    assert!(left == right, "{what}:\n{}", difference(left, right));
}

/// The effects as lines: `+ file a`, `~ directory d`, `- link l`.
pub fn lines(effects: &Effects) -> Vec<String> {
    let mut lines = Vec::new();
    for effect in &effects.list {
        let sign = match effect.change {
            workspace::ChangeKind::Created => '+',
            workspace::ChangeKind::Changed => '~',
            workspace::ChangeKind::Deleted => '-',
        };
        let what = match effect.what {
            workspace::NodeKind::File => "file",
            workspace::NodeKind::Directory => "directory",
            workspace::NodeKind::Symlink => "link",
        };
        lines.push(format!("{sign} {what} {}", workspace::shown(&effect.path)));
    }
    lines
}
