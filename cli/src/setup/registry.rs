//! The registry of roots: which block of ids belongs to which root directory. One line a root: `BASE COUNT ROOT`.
//!
//! Every change is made under a lock and written as a whole. A block is only ever another's after it was given back.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use roles::account::IdBlock;
use roles::limits::UID_BLOCK_IDS;

use super::SetupError;
use super::made::{Made, write_whole};

/// The registry.
pub const REGISTRY: &str = "/etc/chela/roots";
/// Taken while the registry is read and written.
const LOCK: &str = "/etc/chela/roots.lock";

/// A line of the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The root's block.
    pub block: IdBlock,
    /// The root directory.
    pub root: PathBuf,
}

/// What to do for a root that asks for its block.
#[derive(PartialEq, Eq, Debug)]
enum Choice {
    /// It has this one.
    Has(IdBlock),
    /// Its directory was renamed: the line of the old name is now its own.
    Moved { block: IdBlock, from: PathBuf },
    /// It gets this one.
    New(IdBlock),
    /// Its directory is a copy of that one, which is still there.
    CopyOf(PathBuf),
    /// None is left.
    Full,
}

/// Reads the lines of a registry. An error names the line.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            parse_line(line).ok_or_else(|| format!("line {} is not BASE COUNT ROOT: {line:?}", number + 1))
        })
        .collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let mut fields = line.splitn(3, ' ');
    let base = fields.next()?.parse().ok()?;
    let count = fields.next()?.parse().ok()?;
    let root = PathBuf::from(fields.next()?);
    root.is_absolute().then_some(Entry { block: IdBlock { base, count }, root })
}

fn print(entries: &[Entry]) -> Vec<u8> {
    let mut text =
        b"# Which block of user and group ids belongs to which root: BASE COUNT ROOT. Written by chela setup.\n"
            .to_vec();
    for entry in entries {
        text.extend(format!("{} {} ", entry.block.base, entry.block.count).bytes());
        text.extend(entry.root.as_os_str().as_bytes());
        text.push(b'\n');
    }
    text
}

fn overlap(a: IdBlock, b: IdBlock) -> bool {
    let end = |block: IdBlock| u64::from(block.base) + u64::from(block.count);
    u64::from(a.base) < end(b) && u64::from(b.base) < end(a)
}

/// Pure. `there` is the block that the root's own `etc/uids` names; `exists` tells whether another root is still there.
fn choose(
    entries: &[Entry],
    range: IdBlock,
    root: &Path,
    there: Option<IdBlock>,
    exists: impl Fn(&Path) -> bool,
) -> Choice {
    if let Some(own) = entries.iter().find(|e| e.root == root) {
        return Choice::Has(own.block);
    }
    if let Some(there) = there {
        match entries.iter().find(|e| overlap(e.block, there)) {
            Some(other) if exists(&other.root) => return Choice::CopyOf(other.root.clone()),
            Some(other) => {
                return Choice::Moved { block: other.block, from: other.root.clone() };
            }
            None => return Choice::New(there),
        }
    }
    let blocks = range.count / UID_BLOCK_IDS;
    (0..blocks)
        .map(|i| IdBlock { base: range.base + i * UID_BLOCK_IDS, count: UID_BLOCK_IDS })
        .find(|block| !entries.iter().any(|e| overlap(e.block, *block)))
        .map_or(Choice::Full, Choice::New)
}

/// Gives `root` its block, in the registry and in `ROOT/etc/uids`.
pub fn assign(root: &Path, range: IdBlock, made: &mut Made) -> Result<IdBlock, SetupError> {
    let _lock = lock()?;
    let mut entries = read()?;
    let there = read_uids(root)?;
    let block = match choose(&entries, range, root, there, Path::exists) {
        Choice::Has(block) => block,
        Choice::CopyOf(other) => {
            return Err(SetupError::Copied { root: root.to_path_buf(), other });
        }
        Choice::Full => {
            return Err(SetupError::RangeFull { base: range.base, count: range.count, registry: REGISTRY.to_string() });
        }
        Choice::Moved { block, from } => {
            entries.retain(|e| e.root != from);
            add(&mut entries, block, root)?;
            made.other(format!("{} was {} before", root.display(), from.display()), || {});
            block
        }
        Choice::New(block) => {
            add(&mut entries, block, root)?;
            let root = root.to_path_buf();
            made.other(format!("gave {} the ids from {} on", root.display(), block.base), move || drop(release(&root)));
            block
        }
    };
    if there != Some(block) {
        let uids = root.join("etc/uids");
        let text = format!("{} {}\n", block.base, block.count);
        // The registry says so already, so a failure here leaves a line there that `made` takes back.
        drop(_lock);
        made.file(&uids, &text, 0o644, 0)?;
    }
    Ok(block)
}

fn add(entries: &mut Vec<Entry>, block: IdBlock, root: &Path) -> Result<(), SetupError> {
    entries.push(Entry { block, root: root.to_path_buf() });
    entries.sort_by_key(|e| e.block.base);
    write_whole(Path::new(REGISTRY), &print(entries), 0o644, 0)
}

/// Takes the line of `root` out of the registry. Whether there was one.
pub fn release(root: &Path) -> Result<bool, SetupError> {
    let _lock = lock()?;
    let mut entries = read()?;
    let before = entries.len();
    entries.retain(|e| e.root != root);
    if entries.len() == before {
        return Ok(false);
    }
    write_whole(Path::new(REGISTRY), &print(&entries), 0o644, 0)?;
    Ok(true)
}

/// The block of `root`, as the registry has it.
pub fn block_of(root: &Path) -> Result<Option<IdBlock>, SetupError> {
    Ok(read()?.into_iter().find(|e| e.root == root).map(|e| e.block))
}

/// The block that `ROOT/etc/uids` names, if the file is there.
pub fn read_uids(root: &Path) -> Result<Option<IdBlock>, SetupError> {
    let file = root.join("etc/uids");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SetupError::io("reading", &file, e)),
    };
    IdBlock::parse(&text).map(Some).ok_or_else(|| SetupError::Malformed {
        problem: format!(
            "{text:?} is not BASE COUNT: delete it and run chela setup again, which writes what {REGISTRY} says"
        ),
        file,
    })
}

/// The roots that are set up.
pub fn read() -> Result<Vec<Entry>, SetupError> {
    let file = Path::new(REGISTRY);
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SetupError::io("reading", file, e)),
    };
    parse(&text).map_err(|problem| SetupError::Malformed {
        file: file.to_path_buf(),
        problem: format!("{problem}: mend or remove that line"),
    })
}

/// Every root that is set up.
pub fn roots() -> Result<Vec<PathBuf>, SetupError> {
    Ok(read()?.into_iter().map(|entry| entry.root).collect())
}

fn lock() -> Result<Flock<File>, SetupError> {
    let path = Path::new(LOCK);
    let dir = Path::new("/etc/chela");
    if !dir.is_dir() {
        fs::create_dir(dir).map_err(|e| SetupError::io("making the directory", dir, e))?;
    }
    let file = File::create(path).map_err(|e| SetupError::io("opening", path, e))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| SetupError::io("locking", path, e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: IdBlock = IdBlock { base: 1_000_000, count: 3 * UID_BLOCK_IDS };

    fn block(i: u32) -> IdBlock {
        IdBlock { base: RANGE.base + i * UID_BLOCK_IDS, count: UID_BLOCK_IDS }
    }

    fn entry(i: u32, root: &str) -> Entry {
        Entry { block: block(i), root: root.into() }
    }

    #[test]
    fn a_root_keeps_its_block() {
        let entries = [entry(0, "/a"), entry(1, "/b")];
        let choice = choose(&entries, RANGE, Path::new("/b"), None, |_| true);
        assert_eq!(choice, Choice::Has(block(1)));
    }

    #[test]
    fn a_new_root_gets_the_first_free_block() {
        let entries = [entry(0, "/a"), entry(2, "/c")];
        let choice = choose(&entries, RANGE, Path::new("/b"), None, |_| true);
        assert_eq!(choice, Choice::New(block(1)));
    }

    #[test]
    fn a_full_range_is_said_to_be_full() {
        let entries = [entry(0, "/a"), entry(1, "/b"), entry(2, "/c")];
        let choice = choose(&entries, RANGE, Path::new("/d"), None, |_| true);
        assert_eq!(choice, Choice::Full);
    }

    #[test]
    fn a_renamed_root_keeps_its_block_and_a_copy_does_not_get_it() {
        let entries = [entry(1, "/old")];
        let ask = |exists: bool| choose(&entries, RANGE, Path::new("/new"), Some(block(1)), move |_| exists);
        let from = PathBuf::from("/old");
        assert_eq!(ask(false), Choice::Moved { block: block(1), from: from.clone() });
        assert_eq!(ask(true), Choice::CopyOf(from));
    }

    #[test]
    fn blocks_that_overlap_in_part_are_not_given_twice() {
        let odd = Entry { block: IdBlock { base: RANGE.base + 100, count: UID_BLOCK_IDS }, root: "/odd".into() };
        let choice = choose(&[odd], RANGE, Path::new("/a"), None, |_| true);
        assert_eq!(choice, Choice::New(block(2)));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let entries = [entry(0, "/a"), entry(1, "/with a space/b")];
        let text = String::from_utf8(print(&entries)).unwrap_or_default();
        assert_eq!(parse(&text), Ok(entries.to_vec()));
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let error = parse("1 2 /a\n1 /b\n").err().unwrap_or_default();
        assert!(error.contains("line 2"), "{error}");
    }
}
