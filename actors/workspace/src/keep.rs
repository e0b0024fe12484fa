//! What an undo needs: the old nodes of a commit, their content deduplicated by digest, compressed and sealed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::AtFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::beneath;
use crate::content::{self, Run};
use crate::error::{At, Failed};
use crate::limits::{BLOCK_BYTES, INLINE_BYTES_MAX, INLINE_TOTAL_BYTES_MAX};
use crate::node::Found;
use crate::record::Content;
use crate::store::{Store, made_dir, remove_file, rename_new};

/// The file with an undo's record, in the action's directory.
pub const RECORD: &str = "record";

/// In the action's directory: one more name of an old file whose other names stayed in the workspace.
pub fn link_name(number: u64) -> String {
    format!("link-{number}")
}

/// A sealed content's name in its own header: its name in the store says which it is, and the digest is checked.
pub const CONTENT: &[u8] = b"content";

/// Keeps old content for one action.
pub struct Keeper<'a> {
    store: &'a Store,
    dir: OwnedFd,
    inline_left: u64,
    /// New contents, to be synced.
    pub written: Vec<File>,
    /// What those take on disk.
    pub bytes: u64,
}

impl<'a> Keeper<'a> {
    /// Makes the action's directory.
    pub fn begin(store: &'a Store, action: u64) -> Result<Keeper<'a>, Failed> {
        forget(store, action)?;
        let dir = made_dir(&store.undo, action.to_string().as_bytes())?;
        Ok(Keeper { store, dir, inline_left: INLINE_TOTAL_BYTES_MAX, written: Vec::new(), bytes: 0 })
    }

    /// The action's directory.
    pub fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// The same, when nothing more is to be kept.
    pub fn into_dir(self) -> OwnedFd {
        self.dir
    }

    /// Keeps the content of a file that was read as far as it is small. The digest of what was read, and how it is kept.
    pub fn keep(&mut self, found: &mut Found, digest: &[u8; 32]) -> Result<([u8; 32], Content), Failed> {
        if let Some(small) = found.content.take_if(|small| small.len() as u64 <= INLINE_BYTES_MAX.min(self.inline_left))
        {
            self.inline_left -= small.len() as u64;
            let kept = if small.is_empty() { Content::Nothing } else { Content::Inline(small) };
            return Ok((found.image.digest, kept));
        }
        let Some(file) = &found.fd else { return Ok((found.image.digest, Content::Nothing)) };
        let name = self.store.sealer.name(digest);
        let (found, kept) =
            if beneath::look(&self.store.contents, name.as_bytes()).at("look at", name.as_bytes())?.is_some() {
                (content::digest(file).at("read", b"an old content")?.1, true)
            } else {
                self.write(file, digest, &name)?
            };
        if kept && found == *digest {
            self.link(&name)?;
        }
        Ok((found, Content::Stored))
    }

    fn write(&mut self, file: &OwnedFd, digest: &[u8; 32], name: &str) -> Result<([u8; 32], bool), Failed> {
        let temporary = format!("{name}.new");
        remove_file(&self.store.contents, temporary.as_bytes())?;
        let new = beneath::create(&self.store.contents, temporary.as_bytes()).at("create", temporary.as_bytes())?;
        let (new, found) = match self.seal(file, new) {
            Ok(done) => done,
            Err(error) => {
                remove_file(&self.store.contents, temporary.as_bytes())?;
                return Err(error).at("keep", b"an old content");
            }
        };
        if found != *digest {
            remove_file(&self.store.contents, temporary.as_bytes())?;
            return Ok((found, false));
        }
        rename_new(&self.store.contents, temporary.as_bytes(), &self.store.contents, name.as_bytes())
            .at("name", name.as_bytes())?;
        self.bytes += disk_bytes(&self.store.contents, name.as_bytes())?;
        self.written.push(new);
        Ok((found, true))
    }

    fn seal(&self, file: &OwnedFd, to: File) -> io::Result<(File, [u8; 32])> {
        let mut hash = Sha256::new();
        let mut writer = self.store.sealer.writer(CONTENT, to)?;
        // As runs: one byte and a length in front of each, so that holes are holes again.
        content::each_run(file, |run| match run {
            Run::Data(bytes) => {
                hash.update(bytes);
                writer.write_all(&[1])?;
                writer.write_all(&(bytes.len() as u64).to_le_bytes())?;
                writer.write_all(bytes)
            }
            Run::Hole(bytes) => {
                content::zeros(bytes, |zeros| hash.update(zeros));
                writer.write_all(&[0])?;
                writer.write_all(&bytes.to_le_bytes())
            }
        })?;
        Ok((writer.finish()?, hash.finalize().into()))
    }

    fn link(&self, name: &str) -> Result<(), Failed> {
        match rustix::fs::linkat(&self.store.contents, name, &self.dir, name, AtFlags::empty()) {
            // The action has this content already, under another path.
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => {
                drop_unneeded(self.store, name.as_bytes())?;
                Err(errno).at("link", name.as_bytes())
            }
        }
    }
}

/// Forgets what an undo of this action needs, and contents that no other action needs. The bytes that this gave back.
pub fn forget(store: &Store, action: u64) -> Result<u64, Failed> {
    let name = action.to_string();
    let dir = match beneath::open_dir(&store.undo, name.as_bytes()) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(0),
        Err(errno) => return Err(errno).at("open", name.as_bytes()),
    };
    // The record goes first: without it the action can't be undone, whatever is left of the rest.
    let mut freed = disk_bytes(&dir, RECORD.as_bytes())?;
    remove_file(&dir, RECORD.as_bytes())?;
    let names = beneath::names(&dir).at("list", name.as_bytes())?;
    beneath::remove_tree(&store.undo, name.as_bytes())?;
    for name in names {
        freed += drop_unneeded(store, &name)?;
    }
    Ok(freed)
}

/// Removes a content that has no name but its own. The bytes that this gave back.
pub fn drop_unneeded(store: &Store, name: &[u8]) -> Result<u64, Failed> {
    match beneath::look(&store.contents, name).at("look at", name)? {
        Some(stat) if stat.st_nlink == 1 => {
            remove_file(&store.contents, name)?;
            Ok(stat.st_blocks as u64 * BLOCK_BYTES)
        }
        _ => Ok(0),
    }
}

/// What a file takes on disk.
pub fn disk_bytes(dir: impl AsFd, name: &[u8]) -> Result<u64, Failed> {
    Ok(beneath::look(dir, name).at("look at", name)?.map_or(0, |stat| stat.st_blocks as u64 * BLOCK_BYTES))
}

/// What the undo store takes on disk.
pub fn total_bytes(store: &Store) -> Result<u64, Failed> {
    let mut total = 0;
    for name in beneath::names(&store.contents).at("list", b"contents")? {
        total += disk_bytes(&store.contents, &name)?;
    }
    for name in beneath::names(&store.undo).at("list", b"undo")? {
        if name != b"contents" {
            let dir = beneath::open_dir(&store.undo, &name).at("open", &name)?;
            total += disk_bytes(dir, RECORD.as_bytes())?;
        }
    }
    Ok(total)
}
