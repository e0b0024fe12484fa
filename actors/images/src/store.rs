//! The store: each image once, under its digest; names that lead to digests, in one file.
//!
//! ```text
//! STORE/names.json         name, digest, when imported
//! STORE/roots/DIGEST/      rootfs, and the environment beside it
//! STORE/tmp/               what is being unpacked or removed; emptied by the next import
//! ```
//! Who changes it holds the lock of its directory. Whose sandbox stands on an image holds a shared lock of that image's
//! directory; a removal takes that lock alone or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use schema::image::is_name;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::limits::{NAMED_IMAGES, NAMES_BYTES};
use crate::source::is_digest;
use crate::tree::{names, open_beneath, open_directory, remove_tree};
use crate::unpack::Unpacked;

const NAMES: &str = "names.json";
const NAMES_NEW: &str = "names.json.new";
const ROOTS: &str = "roots";
const TMP: &str = "tmp";
const IMPORT: &str = "import";
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// An image of the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Digest of its configuration, in hexadecimal.
    pub digest: String,
    /// When it was imported, seconds since 1970.
    pub imported_s: u64,
    /// Its layers.
    pub layers: usize,
    /// Bytes of them, unpacked.
    pub bytes: u64,
    /// Entries of them.
    pub entries: u64,
}

/// Images by name.
pub type Names = BTreeMap<String, Named>;

/// A store, to be read.
#[derive(Debug)]
pub struct Store {
    dir: OwnedFd,
    path: PathBuf,
}

fn io(step: &'static str, what: impl Into<String>) -> impl FnOnce(Errno) -> StoreError {
    let what = what.into();
    move |errno| StoreError::io(step, what, errno)
}

impl Store {
    /// The store at that path.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let dir = open_directory(path).map_err(io("opening the store of images", path.display().to_string()))?;
        Ok(Store { dir, path: path.to_path_buf() })
    }

    /// Every image by its name.
    ///
    /// # Errors
    /// When the list can't be read.
    pub fn list(&self) -> Result<Names, StoreError> {
        let shown = self.path.join(NAMES).display().to_string();
        let file = match open_beneath(&self.dir, NAMES.as_bytes(), OFlags::RDONLY) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(Names::new()),
            Err(errno) => return Err(io("opening", shown)(errno)),
        };
        let mut text = Vec::new();
        let read = file.take(NAMES_BYTES + 1).read_to_end(&mut text);
        read.map_err(|error| StoreError::io("reading", &shown, error))?;
        let names: Names = match serde_json::from_slice(&text) {
            Ok(names) if text.len() as u64 <= NAMES_BYTES => names,
            Ok(_) | Err(_) => return Err(StoreError::Names(shown)),
        };
        let sound = |(name, named): (&String, &Named)| is_name(name) && is_digest(&named.digest);
        if names.iter().all(sound) { Ok(names) } else { Err(StoreError::Names(shown)) }
    }

    /// The image of that name.
    ///
    /// # Errors
    /// When there is none; says which there are.
    pub fn find(&self, name: &str) -> Result<Named, StoreError> {
        if !is_name(name) {
            return Err(StoreError::Name(name.to_owned()));
        }
        let mut names = self.list()?;
        names.remove(name).ok_or_else(|| {
            let known: Vec<String> = names.into_keys().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            StoreError::Unknown { name: name.to_owned(), known }
        })
    }

    /// Holds the image of that name, so that nobody removes it meanwhile.
    ///
    /// # Errors
    /// When there is none, or it is being removed.
    pub fn hold(&self, name: &str) -> Result<Held, StoreError> {
        let named = self.find(name)?;
        let lock = self.lock_root(name, &named.digest, FlockOperation::NonBlockingLockShared)?;
        Ok(Held { digest: named.digest, _lock: lock })
    }

    fn lock_root(&self, name: &str, digest: &str, how: FlockOperation) -> Result<OwnedFd, StoreError> {
        let path = format!("{ROOTS}/{digest}");
        let open = || open_beneath(&self.dir, path.as_bytes(), DIRECTORY).map_err(io("opening", &path));
        let root = open()?;
        match rustix::fs::flock(&root, how) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StoreError::InUse(name.to_owned())),
            Err(errno) => return Err(io("locking", path)(errno)),
        }
        // What was locked may have gone, and another come, in between.
        let look = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
        if look(&root).ok() == look(&open()?).ok() { Ok(root) } else { Err(StoreError::InUse(name.to_owned())) }
    }

    /// Takes the store's lock, to change it.
    ///
    /// # Errors
    /// When somebody else has it.
    pub fn change(self) -> Result<Changing, StoreError> {
        match rustix::fs::flock(&self.dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StoreError::Busy),
            Err(errno) => return Err(io("locking", self.path.display().to_string())(errno)),
        }
        for (name, mode) in [(ROOTS, 0o755), (TMP, 0o700)] {
            match rustix::fs::mkdirat(&self.dir, name, Mode::from_raw_mode(mode)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(io("making", name)(errno)),
            }
        }
        let changing = Changing { store: self };
        changing.sweep()?;
        Ok(changing)
    }
}

/// An image that is in use.
#[derive(Debug)]
pub struct Held {
    /// Its digest, in hexadecimal.
    pub digest: String,
    _lock: OwnedFd,
}

/// A store that is being changed, by nobody else.
#[derive(Debug)]
pub struct Changing {
    store: Store,
}

/// What a removal did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    /// The digest that the name led to.
    pub digest: String,
    /// Other names that lead to it still; when there are any, the image stays.
    pub still: Vec<String>,
}

impl Changing {
    /// The store, to be read.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Removes what an import or removal that was killed has left, and images that no name leads to any more, unless a
    /// sandbox stands on one.
    fn sweep(&self) -> Result<(), StoreError> {
        let tmp = self.tmp()?;
        for name in names(&tmp).map_err(io("listing", TMP))? {
            remove_tree(&tmp, &name).map_err(io("emptying", TMP))?;
        }
        let named = self.store.list()?;
        for root in names(self.roots()?).map_err(io("listing", ROOTS))? {
            let root = String::from_utf8_lossy(&root).into_owned();
            if !leading_to(&named, &root).is_empty() {
                continue;
            }
            match self.store.lock_root(&root, &root, FlockOperation::NonBlockingLockExclusive) {
                Ok(_lock) => self.drop_root(&root)?,
                Err(StoreError::InUse(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn roots(&self) -> Result<OwnedFd, StoreError> {
        open_beneath(&self.store.dir, ROOTS.as_bytes(), DIRECTORY).map_err(io("opening", ROOTS))
    }

    fn tmp(&self) -> Result<OwnedFd, StoreError> {
        open_beneath(&self.store.dir, TMP.as_bytes(), DIRECTORY).map_err(io("opening", TMP))
    }

    /// An empty directory to unpack into, of that user and group where the caller may give it away.
    ///
    /// # Errors
    /// From the file system.
    pub fn begin(&self, owner: Option<(u32, u32)>) -> Result<OwnedFd, StoreError> {
        let tmp = self.tmp()?;
        rustix::fs::mkdirat(&tmp, IMPORT, Mode::from_raw_mode(0o700)).map_err(io("making", IMPORT))?;
        let into = open_beneath(&tmp, IMPORT.as_bytes(), DIRECTORY).map_err(io("opening", IMPORT))?;
        if let Some((uid, gid)) = owner {
            let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
            rustix::fs::fchown(&into, Some(user), Some(group)).map_err(io("giving away", IMPORT))?;
        }
        Ok(into)
    }

    /// Keeps what was unpacked into the directory of [`Changing::begin`], under its digest and that name.
    ///
    /// # Errors
    /// When the name is none, or from the file system; then nothing is kept.
    pub fn keep(&self, unpacked: &Unpacked, name: &str) -> Result<Named, StoreError> {
        let Unpacked { digest, layers, bytes, entries, .. } = unpacked;
        if !is_name(name) {
            return Err(StoreError::Name(name.to_owned()));
        }
        if !is_digest(digest) {
            return Err(StoreError::Digest(crate::error::shown(digest.as_bytes())));
        }
        let mut names = self.store.list()?;
        if names.len() >= NAMED_IMAGES && !names.contains_key(name) {
            return Err(StoreError::Full(NAMED_IMAGES));
        }
        let imported_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let same = names.values().find(|named| named.digest == *digest).cloned();
        let fresh = Named { digest: digest.clone(), imported_s, layers: *layers, bytes: *bytes, entries: *entries };
        let named = same.unwrap_or(fresh);
        if !unpacked.had {
            self.move_in(digest)?;
        }
        names.insert(name.to_owned(), named.clone());
        self.write(&names)?;
        Ok(named)
    }

    fn move_in(&self, digest: &str) -> Result<(), StoreError> {
        let tmp = self.tmp()?;
        let roots = self.roots()?;
        let new = open_beneath(&tmp, IMPORT.as_bytes(), DIRECTORY).map_err(io("opening", IMPORT))?;
        rustix::fs::fchmod(&new, Mode::from_raw_mode(0o755)).map_err(io("opening up", digest))?;
        rustix::fs::fsync(&new).map_err(io("writing", digest))?;
        rustix::fs::renameat(&tmp, IMPORT, &roots, digest).map_err(io("moving into place", digest))?;
        rustix::fs::fsync(&roots).map_err(io("writing", ROOTS))
    }

    /// Removes a name, and the image when no other name leads to it.
    ///
    /// # Errors
    /// When there is none of that name, or a sandbox stands on it.
    pub fn remove(&self, name: &str) -> Result<Removed, StoreError> {
        let named = self.store.find(name)?;
        let mut names = self.store.list()?;
        names.remove(name);
        let still = leading_to(&names, &named.digest);
        // Held from here until it is gone: no sandbox begins on it in between.
        let _lock = match still.is_empty() {
            true => Some(self.store.lock_root(name, &named.digest, FlockOperation::NonBlockingLockExclusive)?),
            false => None,
        };
        self.write(&names)?;
        if still.is_empty() {
            self.drop_root(&named.digest)?;
        }
        Ok(Removed { digest: named.digest, still })
    }

    fn drop_root(&self, digest: &str) -> Result<(), StoreError> {
        let tmp = self.tmp()?;
        let roots = self.roots()?;
        // In one step out of everybody's reach, then piece by piece.
        rustix::fs::renameat(&roots, digest, &tmp, digest).map_err(io("moving away", digest))?;
        rustix::fs::fsync(&roots).map_err(io("writing", ROOTS))?;
        remove_tree(&tmp, digest.as_bytes()).map_err(io("removing", digest))
    }

    fn write(&self, names: &Names) -> Result<(), StoreError> {
        let failed = |errno| io("writing", NAMES)(errno);
        let text = serde_json::to_vec_pretty(names).map_err(|error| StoreError::io("writing", NAMES, error))?;
        let dir = &self.store.dir;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, NAMES_NEW, flags, Mode::from_raw_mode(0o644)).map_err(failed)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o644)).map_err(failed)?;
        let mut file = File::from(fd);
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        let written = written.map_err(|error| StoreError::io("writing", NAMES, error));
        let renamed = written.and_then(|()| rustix::fs::renameat(dir, NAMES_NEW, dir, NAMES).map_err(failed));
        if renamed.is_err() {
            let _ = rustix::fs::unlinkat(dir, NAMES_NEW, AtFlags::empty());
        }
        renamed.and_then(|()| rustix::fs::fsync(dir).map_err(failed))
    }
}

impl Drop for Changing {
    /// What failed midway leaves nothing.
    fn drop(&mut self) {
        drop(self.sweep());
    }
}

fn leading_to(names: &Names, digest: &str) -> Vec<String> {
    names.iter().filter(|(_, named)| named.digest == *digest).map(|(name, _)| name.clone()).collect()
}
