//! What a node is: kind, permissions, times, attributes, and the digest of its content.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Mode, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::beneath::{self, MODE_MASK};
use crate::content;
use crate::effects::{NodeKind, Side};
use crate::error::{At, StageError};
use crate::limits::{NAMES_MAX, SMALL_BYTES_MAX};

/// A point in time as files carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Seconds since 1970, before it if negative.
    pub s: i64,
    /// And nanoseconds.
    pub ns: u32,
}

/// Names and values, sorted by name.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// What can be set on a node that stays the same node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Permissions.
    pub mode: u32,
    /// When its content was changed.
    pub mtime: Time,
    /// Its `user.` attributes, without the overlay's.
    pub xattrs: Xattrs,
}

/// A node, but for its content's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What it is.
    pub kind: NodeKind,
    /// What can be set on it.
    pub meta: Meta,
    /// Length of its content; of a link: of its target.
    pub bytes: u64,
    /// SHA-256 of its content; of a link: of its target; of a directory: zeros.
    pub digest: [u8; 32],
    /// A link's target.
    pub target: Vec<u8>,
    /// Inode number.
    pub inode: u64,
    /// Names of the file.
    pub links: u64,
}

impl Image {
    /// A directory.
    pub fn directory(meta: &Meta) -> Image {
        let meta = meta.clone();
        Image { kind: NodeKind::Directory, meta, bytes: 0, digest: [0; 32], target: Vec::new(), inode: 0, links: 0 }
    }

    /// A symbolic link.
    pub fn symlink(target: &[u8], mtime: Time) -> Image {
        Image {
            kind: NodeKind::Symlink,
            meta: Meta { mode: 0o777, mtime, xattrs: Vec::new() },
            bytes: target.len() as u64,
            digest: Sha256::digest(target).into(),
            target: target.to_vec(),
            inode: 0,
            links: 1,
        }
    }

    /// As effects show it.
    pub fn side(&self) -> Side {
        Side { bytes: self.bytes, mode: self.meta.mode, digest: self.digest }
    }

    /// The same kind, content and permissions: what a commit or an undo relies on.
    pub fn is_like(&self, other: &Image) -> bool {
        self.kind == other.kind && self.same_content(other) && self.meta.mode == other.meta.mode
    }

    /// The same content.
    pub fn same_content(&self, other: &Image) -> bool {
        self.bytes == other.bytes && self.digest == other.digest
    }
}

/// The time of a node's last change of content.
pub fn mtime(stat: &Stat) -> Time {
    Time { s: stat.st_mtime, ns: stat.st_mtime_nsec as u32 }
}

/// The time of a node's last change of anything.
pub fn ctime(stat: &Stat) -> Time {
    Time { s: stat.st_ctime, ns: stat.st_ctime_nsec as u32 }
}

/// The time of a node's last reading.
pub fn atime(stat: &Stat) -> Time {
    Time { s: stat.st_atime, ns: stat.st_atime_nsec as u32 }
}

/// Now, for directories whose new time nobody chose.
pub fn now() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time { s: now.as_secs() as i64, ns: now.subsec_nanos() }
}

/// Its kind, if it is one that a workspace may hold.
pub fn kind(stat: &Stat, path: &[u8]) -> Result<NodeKind, StageError> {
    match beneath::file_type(stat) {
        FileType::RegularFile => Ok(NodeKind::File),
        FileType::Directory => Ok(NodeKind::Directory),
        FileType::Symlink => Ok(NodeKind::Symlink),
        other => Err(StageError::Special { path: path.to_vec(), what: beneath::special(other) }),
    }
}

/// How much of a node is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing of its content.
    Node,
    /// The content of a small file; another's has no digest yet.
    Small,
    /// Its content.
    Whole,
}

/// A node as it was read, open unless it is a link.
pub struct Found {
    /// What it is.
    pub image: Image,
    /// A small file's content, if it was read.
    pub content: Option<Vec<u8>>,
    /// When anything of it was changed.
    pub ctime: Time,
    /// A file or directory.
    pub fd: Option<OwnedFd>,
    /// Holds a directory open to its owner while it is looked at.
    _widened: Option<Widened>,
}

/// A directory whose permissions had to be widened: they are put back when this goes.
pub struct Widened {
    dir: OwnedFd,
    mode: u32,
}

impl Widened {
    /// Nothing, if the mode is what the directory has.
    pub fn from_mode(dir: &OwnedFd, mode: u32) -> Result<Option<Widened>, Errno> {
        if rustix::fs::fstat(dir)?.st_mode & 0o7777 == mode {
            return Ok(None);
        }
        Ok(Some(Widened { dir: rustix::io::fcntl_dupfd_cloexec(dir, 0)?, mode }))
    }
}

/// Opens a file or directory that its owner may have denied itself. A directory stays open to its owner as long as the
/// second is kept.
pub fn open(dir: impl AsFd, name: &[u8], stat: &Stat) -> Result<(OwnedFd, Option<Widened>), Errno> {
    let fd = beneath::open_owned(dir, name, stat)?;
    let is_dir = beneath::file_type(stat) == FileType::Directory;
    let widened = if is_dir { Widened::from_mode(&fd, stat.st_mode & 0o7777)? } else { None };
    Ok((fd, widened))
}

impl Drop for Widened {
    fn drop(&mut self) {
        // There is nobody to tell, and a mode that is too wide is seen and can be corrected.
        let _ = rustix::fs::fchmod(&self.dir, Mode::from_raw_mode(self.mode));
    }
}

impl Found {
    /// A file that was read before and need not be open.
    pub fn read_before(image: Image, content: Vec<u8>, ctime: Time) -> Found {
        Found { image, content: Some(content), ctime, fd: None, _widened: None }
    }

    /// A directory's permissions.
    pub fn dir_mode(&self) -> Option<u32> {
        (self.image.kind == NodeKind::Directory).then_some(self.image.meta.mode)
    }
}

/// Reads a node.
pub fn read(dir: impl AsFd, name: &[u8], path: &[u8], look: Look) -> Result<Option<Found>, StageError> {
    let Some(stat) = beneath::look(&dir, name).at("look at", path)? else { return Ok(None) };
    let kind = kind(&stat, path)?;
    if kind == NodeKind::Symlink {
        let target = rustix::fs::readlinkat(&dir, name, Vec::new()).at("read the link", path)?.into_bytes();
        let image = Image { inode: stat.st_ino, links: stat.st_nlink, ..Image::symlink(&target, mtime(&stat)) };
        return Ok(Some(Found { image, content: None, ctime: ctime(&stat), fd: None, _widened: None }));
    }
    let meta = Meta { mode: stat.st_mode & MODE_MASK, mtime: mtime(&stat), xattrs: Vec::new() };
    let mut image = Image { kind, inode: stat.st_ino, links: stat.st_nlink, ..Image::directory(&meta) };
    let (fd, widened) = open(&dir, name, &stat).at("open", path)?;
    image.meta.xattrs = xattrs(&fd).at("read the attributes of", path)?;
    let mut content = None;
    if kind == NodeKind::File {
        image.bytes = stat.st_size as u64;
        if look != Look::Node {
            content = content::small(&fd, image.bytes, SMALL_BYTES_MAX).at("read", path)?;
        }
        match &content {
            Some(content) => (image.bytes, image.digest) = (content.len() as u64, Sha256::digest(content).into()),
            None if look == Look::Whole => (image.bytes, image.digest) = content::digest(&fd).at("read", path)?,
            None => {}
        }
    }
    Ok(Some(Found { image, content, ctime: ctime(&stat), fd: Some(fd), _widened: widened }))
}

/// The attributes that are kept: `user.`, without the overlay's own.
pub fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
}

/// A node's attributes that are kept, sorted.
pub fn xattrs(fd: impl AsFd) -> Result<Xattrs, Errno> {
    let names = xattr_names(&fd)?;
    kept_xattrs(fd, names)
}

/// Those of its attributes that are kept, sorted.
pub fn kept_xattrs(fd: impl AsFd, names: Vec<Vec<u8>>) -> Result<Xattrs, Errno> {
    let mut found = Vec::new();
    for name in names {
        if is_kept(&name)
            && let Some(value) = xattr(&fd, &name)?
        {
            found.push((name, value));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Names of all attributes that this process may see. A filesystem without attributes has none.
pub fn xattr_names(fd: impl AsFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut room: Vec<u8> = Vec::with_capacity(1 << 10);
    loop {
        match rustix::fs::flistxattr(&fd, rustix::buffer::spare_capacity(&mut room)) {
            Ok(_) => break,
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(Errno::RANGE) if room.capacity() < NAMES_MAX => room.reserve(room.capacity() * 2),
            Err(errno) => return Err(errno),
        }
    }
    Ok(room.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

/// One attribute's value; `None` when it has none of this name (any more).
pub fn xattr(fd: impl AsFd, name: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    let mut room: Vec<u8> = Vec::with_capacity(256);
    loop {
        match rustix::fs::fgetxattr(&fd, name, rustix::buffer::spare_capacity(&mut room)) {
            Ok(_) => return Ok(Some(room)),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(Errno::RANGE) if room.capacity() <= 64 << 10 => room.reserve(room.capacity() * 2),
            Err(errno) => return Err(errno),
        }
    }
}

/// As [`set_meta`], of a file that was just made with [`beneath::create`], so that it has no attributes.
pub fn set_new_meta(fd: impl AsFd, meta: &Meta) -> Result<(), Errno> {
    for (name, value) in &meta.xattrs {
        rustix::fs::fsetxattr(&fd, &name[..], value, XattrFlags::empty())?;
    }
    rustix::fs::futimens(&fd, &timestamps(meta.mtime))?;
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(meta.mode))
}

/// Makes an open file or directory carry `meta`. The time comes last, and so does the mode, which may deny the rest.
pub fn set_meta(fd: impl AsFd, meta: &Meta) -> Result<(), Errno> {
    let has = xattrs(&fd)?;
    for (name, _) in has.iter().filter(|(name, _)| meta.xattrs.iter().all(|(wanted, _)| wanted != name)) {
        rustix::fs::fremovexattr(&fd, &name[..])?;
    }
    for (name, value) in meta.xattrs.iter().filter(|pair| !has.contains(pair)) {
        rustix::fs::fsetxattr(&fd, &name[..], value, XattrFlags::empty())?;
    }
    rustix::fs::futimens(&fd, &timestamps(meta.mtime))?;
    let stat = rustix::fs::fstat(&fd)?;
    // A directory's setgid bit says whose its files are; it is the filesystem's matter.
    let stays = if beneath::file_type(&stat) == FileType::Directory { stat.st_mode & 0o6000 } else { 0 };
    if stat.st_mode & 0o7777 == meta.mode | stays {
        return Ok(());
    }
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(meta.mode | stays))
}

/// Sets a file's or directory's time of the last reading.
pub fn set_read_time(fd: impl AsFd, atime: Time) -> Result<(), Errno> {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let last_access = Timespec { tv_sec: atime.s, tv_nsec: atime.ns.into() };
    rustix::fs::futimens(&fd, &Timestamps { last_access, last_modification: omit })
}

/// Sets a link's time.
pub fn set_link_time(dir: impl AsFd, name: &[u8], mtime: Time) -> Result<(), Errno> {
    rustix::fs::utimensat(dir, name, &timestamps(mtime), AtFlags::SYMLINK_NOFOLLOW)
}

fn timestamps(mtime: Time) -> Timestamps {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    Timestamps { last_access: omit, last_modification: Timespec { tv_sec: mtime.s, tv_nsec: mtime.ns.into() } }
}
