//! The same work twice: in a sandbox and committed, and without one. Both must leave the same.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use schema::effects::Standing;
use schema::tool::Ended;

use super::world::{World, show};
use super::{Verdict, ensure};

/// A node, with all that must be equal.
#[derive(PartialEq, Eq, Clone)]
pub struct Node {
    kind: &'static str,
    mode: u32,
    content: Vec<u8>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The first path of the same file.
    same_as: PathBuf,
    /// Of files: a directory's is that of the last work in it.
    pub mtime: (i64, i64),
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = String::from_utf8_lossy(&self.content[..self.content.len().min(200)]).into_owned();
        let Node { kind, mode, xattrs, same_as, mtime, .. } = self;
        write!(f, "{kind} {mode:o} {content:?} {xattrs:?} as {} {mtime:?}", same_as.display())
    }
}

impl Node {
    /// As if it stood elsewhere.
    pub fn with_place(mut self, from: &str, to: &str) -> Node {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let (mut content, mut rest) = (Vec::new(), self.content.as_slice());
        while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
            content.extend_from_slice(&rest[..at]);
            content.extend_from_slice(to);
            rest = &rest[at + from.len()..];
        }
        content.extend_from_slice(rest);
        self.content = content;
        self
    }
}

pub type Tree = BTreeMap<PathBuf, Node>;

/// All below `top`.
pub fn tree(top: &Path) -> Result<Tree, String> {
    let (mut tree, mut first) = (Tree::new(), BTreeMap::new());
    look(top, Path::new(""), &mut tree, &mut first).map_err(|error| format!("{}: {error}", top.display()))?;
    Ok(tree)
}

fn look(top: &Path, below: &Path, tree: &mut Tree, first: &mut BTreeMap<(u64, u64), PathBuf>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(top.join(below))?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), below.join(entry.file_name()));
        let info = path.symlink_metadata()?;
        let (kind, content) = match info.file_type() {
            kind if kind.is_symlink() => ("link", fs::read_link(&path)?.as_os_str().as_bytes().to_vec()),
            kind if kind.is_dir() => ("directory", Vec::new()),
            kind if kind.is_file() => ("file", fs::read(&path)?),
            kind if kind.is_fifo() => ("pipe", Vec::new()),
            _ => ("special", Vec::new()),
        };
        let is_directory = kind == "directory";
        let same_as = first.entry((info.dev(), info.ino())).or_insert_with(|| name.clone()).clone();
        let mtime = if is_directory { (0, 0) } else { (info.mtime(), info.mtime_nsec()) };
        let xattrs = if kind == "link" { Vec::new() } else { xattrs(&path)? };
        tree.insert(name.clone(), Node { kind, mode: info.mode(), content, xattrs, same_as, mtime });
        if is_directory {
            look(top, &name, tree, first)?;
        }
    }
    Ok(())
}

fn xattrs(path: &Path) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; 64 << 10];
    let length = rustix::fs::listxattr(path, &mut list)?;
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut all: Vec<_> = names
        .map(|name| {
            let mut value = vec![0; 64 << 10];
            let bytes = rustix::fs::getxattr(path, name, &mut value)?;
            Ok((name.to_vec(), value[..bytes].to_vec()))
        })
        .collect::<std::io::Result<_>>()?;
    all.sort();
    Ok(all)
}

/// The first differences of two trees.
pub fn differences(sandboxed: &Tree, direct: &Tree) -> Vec<String> {
    let paths: std::collections::BTreeSet<&PathBuf> = sandboxed.keys().chain(direct.keys()).collect();
    paths
        .into_iter()
        .filter(|path| sandboxed.get(*path) != direct.get(*path))
        .take(8)
        .map(|path| {
            format!("{}: in the sandbox {:?}, without {:?}", path.display(), sandboxed.get(path), direct.get(path))
        })
        .collect()
}

/// What both have run in, and what each left and said.
pub struct Both {
    pub sandboxed: PathBuf,
    pub direct: PathBuf,
    pub said: [String; 2],
}

/// Runs `make` without a sandbox in two places, then `work` in the one with and in the other without. Scripts find
/// their place as the working directory.
pub async fn run(world: &World, name: &str, make: &str, work: &str) -> Result<Both, String> {
    let sandboxed = world.workspace().join(name);
    let direct = world.workspace().with_file_name("direct").join(name);
    for place in [&sandboxed, &direct] {
        fs::create_dir_all(place).map_err(|error| format!("{}: {error}", place.display()))?;
        script(place, make)?;
    }
    let before = tree(&sandboxed)?;
    let outcome = world.sh_for(&format!("set -e; cd {name}\n{work}"), 120_000).await;
    ensure(outcome.ended == (Ended::Exited { code: 0 }), || format!("{name}: {}", show(&outcome)))?;
    let changed = tree(&sandboxed)? != before;
    ensure(!changed || outcome.standing == Standing::Committed, || format!("{name}: {:?}", outcome.standing))?;
    let said = [String::from_utf8_lossy(&outcome.stdout).into_owned(), script(&direct, work)?];
    Ok(Both { sandboxed, direct, said })
}

/// As [`run`]; what is left and said must be equal, times aside.
pub async fn same(world: &World, name: &str, make: &str, work: &str) -> Verdict {
    let both = run(world, name, make, work).await?;
    ensure(both.said[0] == both.said[1], || format!("{name}: said {:?}", both.said))?;
    let [sandboxed, direct] = [tree(&both.sandboxed)?, tree(&both.direct)?].map(timeless);
    let differences = differences(&sandboxed, &direct);
    ensure(differences.is_empty(), || format!("{name}: {differences:#?}"))
}

/// The tree without times.
pub fn timeless(mut tree: Tree) -> Tree {
    tree.values_mut().for_each(|node| node.mtime = (0, 0));
    tree
}

/// Runs it as a command's shell would, without a sandbox.
pub fn script(place: &Path, text: &str) -> Result<String, String> {
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("umask 022; set -e; cd {}\n{text}", place.display())])
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"), ("LANG", "C.UTF-8")])
        .envs([("HOME", place.parent().unwrap_or(place)), ("TMPDIR", Path::new("/tmp"))])
        .output()
        .map_err(|error| format!("sh: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure(output.status.success(), || format!("without a sandbox: {}", text(&output.stderr)))?;
    Ok(text(&output.stdout))
}
