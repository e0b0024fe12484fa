//! Writes a layer. Runs in the sandbox's first process, when every other process of it is dead: nothing changes
//! underneath.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{FileType, Mode, Stat};
use tar::{EntryType, Header};

use super::{BLOCK_BYTES, END, OPAQUE, ORIGIN, SPARSE_BLOCKS, SPARSE_MAP, SPARSE_SIZE, XATTR, pax};
use crate::beneath;
use crate::content::{self, Extent};
use crate::error::{At, ExportError};
use crate::limits::{CHUNK_BYTES, Limits};
use crate::node;
use crate::planner::join;
use crate::roots::STAGING;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files, directories, links and whiteouts.
    pub entries: u64,
    /// Data of files.
    pub bytes: u64,
}

/// The overlay's own attributes.
const OVERLAY_OPAQUE: &[u8] = b"user.overlay.opaque";
const OVERLAY_ORIGIN: &[u8] = b"user.overlay.origin";
/// Ours to refuse: an unprivileged overlay makes none of them, and what they stand for is not in the layer.
const OVERLAY_ELSEWHERE: [(&[u8], &str); 2] = [
    (b"user.overlay.redirect", "a directory under another name"),
    (b"user.overlay.metacopy", "a file without its content"),
];

/// Writes what a sandbox's overlay has in its upper layer.
pub fn export(upper: BorrowedFd<'_>, to: &mut impl Write, limits: &Limits) -> Result<Exported, ExportError> {
    export_but(upper, None, to, limits)
}

/// The same of a directory beside the workspace, whose staging directory a whiteout has hidden from the sandbox.
pub fn export_beside(upper: BorrowedFd<'_>, to: &mut impl Write, limits: &Limits) -> Result<Exported, ExportError> {
    export_but(upper, Some(STAGING.as_bytes()), to, limits)
}

fn export_but(
    upper: BorrowedFd<'_>,
    hidden: Option<&'static [u8]>,
    to: &mut impl Write,
    limits: &Limits,
) -> Result<Exported, ExportError> {
    let mut export = Export { to, limits, hidden, links: BTreeMap::new(), done: Exported::default(), lengths: 0 };
    export.directory(upper, b"", 0)?;
    let mut end = Vec::new();
    pax::push(&mut end, END, export.done.entries.to_string().as_bytes());
    export.blob(EntryType::XGlobalHeader, &end)?;
    export.write(&[0; 2 * BLOCK_BYTES as usize])?;
    Ok(export.done)
}

struct Export<'a, W> {
    to: &'a mut W,
    limits: &'a Limits,
    /// A name at the top that was never to be seen.
    hidden: Option<&'static [u8]>,
    /// The first path of each file with several.
    links: BTreeMap<u64, Vec<u8>>,
    done: Exported,
    lengths: u64,
}

impl<W: Write> Export<'_, W> {
    fn directory(&mut self, dir: BorrowedFd<'_>, above: &[u8], depth: usize) -> Result<(), ExportError> {
        if depth > self.limits.depth_max {
            return Err(over("directories above a node", above, self.limits.depth_max as u64));
        }
        for name in beneath::names(dir).at("list", above)? {
            let path = join(above, &name);
            if depth == 0 && self.hidden == Some(&name[..]) {
                self.is_hidden(dir, &name)?;
                continue;
            }
            if self.done.entries as usize >= self.limits.entries_max {
                return Err(over("files of a layer", &path, self.limits.entries_max as u64));
            }
            if path.len() > self.limits.path_bytes_max {
                return Err(over("bytes of a path", above, self.limits.path_bytes_max as u64));
            }
            self.done.entries += 1;
            let stat = beneath::look(dir, &name).at("look at", &path)?;
            let stat = stat.ok_or(rustix::io::Errno::NOENT).at("look at", &path)?;
            self.node(dir, &name, &path, &stat, depth)?;
        }
        Ok(())
    }

    /// Whoever has made something of that name would have it refused anyway.
    fn is_hidden(&self, dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), ExportError> {
        let stat = beneath::look(dir, name).at("look at", name)?;
        match stat.filter(|stat| beneath::file_type(stat) != FileType::CharacterDevice) {
            None => Ok(()),
            Some(_) => Err(ExportError::Special { path: name.to_vec(), what: "a name that Chela keeps for itself" }),
        }
    }

    fn node(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
        depth: usize,
    ) -> Result<(), ExportError> {
        let mut pax = Vec::new();
        pax::push(&mut pax, b"path", path);
        match beneath::file_type(stat) {
            FileType::CharacterDevice if stat.st_rdev == 0 => self.entry(EntryType::Char, stat, &pax, 0),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new()).at("read the link", path)?;
                pax::push(&mut pax, b"linkpath", target.as_bytes());
                self.entry(EntryType::Symlink, stat, &pax, 0)
            }
            FileType::Directory => {
                let fd = beneath::open_owned(dir, name, stat).at("open", path)?;
                // Nobody uses this layer again, so a directory that had to be opened up stays so.
                if stat.st_mode & 0o500 != 0o500 {
                    rustix::fs::fchmod(&fd, Mode::RWXU).at("open up", path)?;
                }
                self.attributes(fd.as_fd(), path, &mut pax)?;
                self.entry(EntryType::Directory, stat, &pax, 0)?;
                self.directory(fd.as_fd(), path, depth + 1)
            }
            FileType::RegularFile => self.file(dir, name, path, stat, pax),
            other => Err(ExportError::Special { path: path.to_vec(), what: beneath::special(other) }),
        }
    }

    fn file(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
        mut pax: Vec<u8>,
    ) -> Result<(), ExportError> {
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&stat.st_ino) {
                pax::push(&mut pax, b"linkpath", first);
                return self.entry(EntryType::Link, stat, &pax, 0);
            }
            self.links.insert(stat.st_ino, path.to_vec());
        }
        let length = stat.st_size as u64;
        self.lengths = self.lengths.saturating_add(length);
        if length > self.limits.file_bytes_max {
            return Err(over("bytes of a file", path, self.limits.file_bytes_max));
        }
        if self.lengths > self.limits.length_bytes_max {
            return Err(over("bytes of all files, holes included,", path, self.limits.length_bytes_max));
        }
        let file = File::from(beneath::open_owned(dir, name, stat).at("open", path)?);
        self.attributes(file.as_fd(), path, &mut pax)?;
        pax::push(&mut pax, b"atime", pax::time(node::atime(stat)).as_bytes());
        let runs = content::extents(&file, stat, self.limits.extents_max).at("read", path)?;
        // A file in more pieces than the limit is written as one: its holes are filled.
        let runs = runs.unwrap_or_else(|| vec![Extent { offset: 0, bytes: length }]);
        let bytes: u64 = runs.iter().map(|run| run.bytes).sum();
        self.done.bytes = self.done.bytes.saturating_add(bytes);
        if self.done.bytes > self.limits.layer_bytes_max {
            return Err(over("bytes of a layer", path, self.limits.layer_bytes_max));
        }
        if bytes != length {
            let map: Vec<String> = runs.iter().map(|run| format!("{},{}", run.offset, run.bytes)).collect();
            pax::push(&mut pax, SPARSE_SIZE, length.to_string().as_bytes());
            pax::push(&mut pax, SPARSE_BLOCKS, runs.len().to_string().as_bytes());
            pax::push(&mut pax, SPARSE_MAP, map.join(",").as_bytes());
        }
        self.entry(EntryType::Regular, stat, &pax, bytes)?;
        runs.iter().try_for_each(|run| self.data(&file, path, *run))?;
        self.pad(bytes)
    }

    /// What a layer's attributes say. The overlay's own are knowledge, and never written to a workspace.
    fn attributes(&mut self, fd: BorrowedFd<'_>, path: &[u8], pax: &mut Vec<u8>) -> Result<(), ExportError> {
        let names = node::xattr_names(fd).at("read the attributes of", path)?;
        let value = |name: &[u8]| node::xattr(fd, name).at("read the attributes of", path);
        for (name, what) in OVERLAY_ELSEWHERE {
            if names.iter().any(|had| had == name) {
                return Err(ExportError::Special { path: path.to_vec(), what });
            }
        }
        // `y` in a directory that hides what is below; `x` and others mean something else.
        if names.iter().any(|name| name == OVERLAY_OPAQUE) && value(OVERLAY_OPAQUE)?.as_deref() == Some(b"y") {
            pax::push(pax, OPAQUE, b"1");
        }
        if names.iter().any(|name| name == OVERLAY_ORIGIN) {
            pax::push(pax, ORIGIN, b"1");
        }
        let xattrs = node::kept_xattrs(fd, names).at("read the attributes of", path)?;
        let bytes: usize = xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if xattrs.len() > self.limits.xattrs_max || bytes > self.limits.xattr_bytes_max {
            return Err(over("bytes of attributes", path, self.limits.xattr_bytes_max as u64));
        }
        for (name, value) in xattrs {
            pax::push(pax, &[XATTR, &pax::escape(&name)].concat(), &value);
        }
        Ok(())
    }

    fn data(&mut self, file: &File, path: &[u8], run: Extent) -> Result<(), ExportError> {
        let (mut at, end) = (run.offset, run.offset + run.bytes);
        let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(run.bytes).unwrap_or(CHUNK_BYTES))];
        while at < end {
            let piece = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            file.read_exact_at(&mut buffer[..piece], at).at("read", path)?;
            self.write(&buffer[..piece])?;
            at += piece as u64;
        }
        Ok(())
    }

    fn entry(&mut self, kind: EntryType, stat: &Stat, pax: &[u8], bytes: u64) -> Result<(), ExportError> {
        let mut records = pax.to_vec();
        pax::push(&mut records, b"mtime", pax::time(node::mtime(stat)).as_bytes());
        self.blob(EntryType::XHeader, &records)?;
        let mut header = header(kind, bytes)?;
        header.set_mode(stat.st_mode & 0o7777);
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
        if kind == EntryType::Char {
            header.set_device_major(0).map_err(ExportError::Write)?;
            header.set_device_minor(0).map_err(ExportError::Write)?;
        }
        header.set_cksum();
        self.write(header.as_bytes())
    }

    fn blob(&mut self, kind: EntryType, bytes: &[u8]) -> Result<(), ExportError> {
        let mut header = header(kind, bytes.len() as u64)?;
        header.set_cksum();
        self.write(header.as_bytes())?;
        self.write(bytes)?;
        self.pad(bytes.len() as u64)
    }

    fn pad(&mut self, bytes: u64) -> Result<(), ExportError> {
        let over = (bytes % BLOCK_BYTES) as usize;
        if over == 0 { Ok(()) } else { self.write(&[0; BLOCK_BYTES as usize][over..]) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.to.write_all(bytes).map_err(ExportError::Write)
    }
}

fn header(kind: EntryType, bytes: u64) -> Result<Header, ExportError> {
    let mut header = Header::new_ustar();
    header.set_path("entry").map_err(ExportError::Write)?;
    header.set_entry_type(kind);
    header.set_size(bytes);
    header.set_mode(0o600);
    Ok(header)
}

fn over(what: &'static str, path: &[u8], limit: u64) -> ExportError {
    ExportError::Limit { what, path: path.to_vec(), limit }
}
