//! The store's directories and files.
//!
//! `staging/N` holds an action's new nodes and its plan; `journal/N` the steps of a commit that has begun; `actions/N`
//! (or `N-U`, when it takes back U) the record of a committed action; `actions/N.discarded` says what it says;
//! `undo/N` has what an undo of N needs, among it a hard link to each old content in `undo/contents`: when no action
//! needs a content any more, it has one name left. `frozen/N` is a copy of the workspace that command N works over.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::beneath;
use crate::error::{AreaError, At, Failed};
use crate::limits::SYNC_ONE_BY_ONE_MAX;
use crate::plan::{Plan, Slot};
use crate::record::{self, Line};
use crate::seal::{Key, Sealer};

/// The store's open directories.
pub struct Store {
    /// The store itself.
    pub root: OwnedFd,
    /// A directory an action.
    pub staging: OwnedFd,
    /// A file a commit that has begun.
    pub journal: OwnedFd,
    /// A file a committed action.
    pub actions: OwnedFd,
    /// A directory an action that can be undone.
    pub undo: OwnedFd,
    /// Old contents.
    pub contents: OwnedFd,
    /// A copy of the workspace for each command that runs in the background.
    pub frozen: OwnedFd,
    /// Seals and opens.
    pub sealer: Sealer,
    /// Locked while this process has the store open. A lock of the process: what it forks does not hold it.
    _lock: File,
}

/// Sealed with the store's key.
const KEY_CHECK: &str = "key-check";

impl Store {
    /// Opens it, makes what is missing.
    pub fn open(path: &Path, key: &Key) -> Result<Store, AreaError> {
        let name = path.as_os_str().as_encoded_bytes();
        let root = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).at("open", name)?;
        let flags = OFlags::RDWR | OFlags::CREATE;
        let lock = File::from(beneath::open(&root, b"lock", flags, Mode::RUSR | Mode::WUSR).at("open", b"lock")?);
        match rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Err(AreaError::Busy),
            Err(errno) => return Err(Failed::new("lock", b"lock", errno).into()),
        }
        let sealer = Sealer::new(key);
        check_key(&root, &sealer)?;
        let dir = |parent: &OwnedFd, name: &[u8]| made_dir(parent, name);
        let undo = dir(&root, b"undo")?;
        let store = Store {
            staging: dir(&root, b"staging")?,
            journal: dir(&root, b"journal")?,
            actions: dir(&root, b"actions")?,
            contents: dir(&undo, b"contents")?,
            frozen: dir(&root, b"frozen")?,
            undo,
            root,
            sealer,
            _lock: lock,
        };
        store.sync_all(&[store.root.as_fd(), store.undo.as_fd()])?;
        Ok(store)
    }

    /// An action's staging directory.
    pub fn staged(&self, action: u64) -> Result<OwnedFd, Failed> {
        let name = action.to_string();
        beneath::open_dir(&self.staging, name.as_bytes()).at("open the staging directory of action", name.as_bytes())
    }

    /// Writes lines into a new file `name` of `dir`, which must not be there.
    pub fn write(
        &self,
        dir: impl AsFd,
        name: &str,
        what: &str,
        lines: impl Iterator<Item = Line>,
    ) -> Result<File, Failed> {
        let file = beneath::create(dir, name.as_bytes()).at("create", name.as_bytes())?;
        record::write(&self.sealer, what, file, lines).at("write", name.as_bytes())
    }

    /// Reads the lines of a file; `None` when there is no such file.
    pub fn read(
        &self,
        dir: impl AsFd,
        name: &str,
        what: &str,
        with: impl FnMut(Line),
    ) -> Result<Option<()>, AreaError> {
        let file = match beneath::open_read(dir, name.as_bytes()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Failed::new("open", name.as_bytes(), errno).into()),
        };
        record::read(&self.sealer, what, file, with)
            .map(Some)
            .map_err(|error| AreaError::Damaged { what: what.to_owned(), why: error.to_string() })
    }

    /// Reads a plan, or a journal, and what the file holds beside it.
    pub fn read_plan(&self, dir: impl AsFd, name: &str, what: &str) -> Result<Option<(Plan, Vec<Line>)>, AreaError> {
        let (mut plan, mut other) = (Plan::default(), Vec::new());
        let found = self.read(dir, name, what, |line| record::collect(&mut plan, line, &mut other))?;
        Ok(found.map(|()| (plan, other)))
    }

    /// Waits until the filesystem has all that was written.
    pub fn sync_whole(&self) -> Result<(), Failed> {
        rustix::fs::syncfs(&self.root).at("sync", b"the filesystem")
    }

    /// Waits until these are on the disk; many of them: with their filesystem.
    pub fn sync_all(&self, what: &[BorrowedFd<'_>]) -> Result<(), Failed> {
        if what.len() > SYNC_ONE_BY_ONE_MAX {
            return self.sync_whole();
        }
        what.iter().try_for_each(|fd| rustix::fs::fsync(fd).at("sync", b"a file"))
    }
}

/// The name of a slot's node.
pub fn slot_name(slot: Slot) -> String {
    slot.to_string()
}

/// Opens a directory, makes it first where there is none.
pub fn made_dir(parent: impl AsFd, name: &[u8]) -> Result<OwnedFd, Failed> {
    match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).at("make the directory", name),
    }
    beneath::open_dir(parent, name).at("open", name)
}

/// Renames, and nothing that is there is replaced.
pub fn rename_new(from: impl AsFd, name: &[u8], to: impl AsFd, new: &[u8]) -> Result<(), Errno> {
    rustix::fs::renameat_with(from, name, to, new, RenameFlags::NOREPLACE)
}

fn check_key(root: &OwnedFd, sealer: &Sealer) -> Result<(), AreaError> {
    match beneath::open_read(root, KEY_CHECK.as_bytes()) {
        Ok(file) => record::read(sealer, KEY_CHECK, file, |_| ()).map_err(|_| AreaError::WrongKey),
        Err(Errno::NOENT) => {
            let temporary: &[u8] = b"key-check.new";
            beneath::remove_tree(root, temporary)?;
            let file = beneath::create(root, temporary).at("create", temporary)?;
            let written: io::Result<File> = record::write(sealer, KEY_CHECK, file, std::iter::empty());
            rustix::fs::fsync(written.at("write", temporary)?).at("sync", temporary)?;
            rustix::fs::renameat(root, temporary, root, KEY_CHECK).at("name", KEY_CHECK.as_bytes())?;
            Ok(())
        }
        Err(errno) => Err(Failed::new("open", KEY_CHECK.as_bytes(), errno).into()),
    }
}

/// Removes a file; nothing there is no error.
pub fn remove_file(dir: impl AsFd, name: &[u8]) -> Result<(), Failed> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).at("remove", name),
    }
}
