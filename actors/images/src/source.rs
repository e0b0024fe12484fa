//! Where an image comes from: a layout directory or an archive of one. Opening it parses nothing but the archive's list
//! of files, and that only once somebody asks for a blob: root opens, and who may do nothing else reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::{ImportError, Refused, shown};
use crate::head::{self, Kind};
use crate::limits::{ARCHIVE_FILES, BLOBS, Limits};
use crate::{entry, tree};

/// The name of a layout's index.
pub const INDEX: &str = "index.json";
const BLOBS_AT: &str = "blobs/sha256";

/// An image's files, open.
#[derive(Debug)]
pub enum Opened {
    /// A layout directory: its index, and each blob by its digest in hexadecimal.
    Layout {
        /// `index.json`.
        index: File,
        /// `blobs/sha256`.
        blobs: BTreeMap<String, File>,
    },
    /// An archive.
    Archive(File),
}

fn reading(what: impl Into<String>) -> impl FnOnce(io::Error) -> ImportError {
    let what = what.into();
    move |error| ImportError::Read { what, error }
}

/// Whether that is a SHA-256 digest in hexadecimal.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Opens what is at `path`, a link to it followed; within it none is.
///
/// # Errors
/// When it is not there, or neither a directory with an index nor a file.
pub fn open(path: &Path) -> Result<Opened, ImportError> {
    let shown = path.display().to_string();
    let found = path.metadata().map_err(reading(&shown))?;
    if found.is_dir() {
        return open_layout(path);
    }
    if !found.is_file() {
        return Err(ImportError::NotLayout(format!("{shown} is neither a directory nor a file")));
    }
    File::open(path).map(Opened::Archive).map_err(reading(shown))
}

fn open_layout(path: &Path) -> Result<Opened, ImportError> {
    let shown = path.display().to_string();
    let real = path.canonicalize().map_err(reading(&shown))?;
    let dir = tree::open_directory(&real).map_err(|errno| reading(&shown)(errno.into()))?;
    let Some(index) = open_file(&dir, INDEX.as_bytes())? else {
        return Err(ImportError::NotLayout(format!("{shown} has no {INDEX}")));
    };
    let at = match tree::open_beneath(&dir, BLOBS_AT.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(at) => at,
        Err(errno) => return Err(reading(format!("{shown}/{BLOBS_AT}"))(errno.into())),
    };
    let mut blobs = BTreeMap::new();
    for name in tree::names(&at).map_err(|errno| reading(BLOBS_AT)(errno.into()))? {
        let Some(digest) = String::from_utf8(name).ok().filter(|name| is_digest(name)) else { continue };
        if blobs.len() == BLOBS {
            let why = format!("{shown} has more than {BLOBS} blobs: make an archive of the one image");
            return Err(ImportError::NotLayout(why));
        }
        if let Some(file) = open_file(&at, digest.as_bytes())? {
            blobs.insert(digest, file);
        }
    }
    Ok(Opened::Layout { index, blobs })
}

/// A regular file; `None` when there is none of the name.
fn open_file(dir: &OwnedFd, name: &[u8]) -> Result<Option<File>, ImportError> {
    let failed = |error: io::Error| reading(String::from_utf8_lossy(name).into_owned())(error);
    match tree::open_beneath(dir, name, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(fd) => {
            let file = File::from(fd);
            let is_file = file.metadata().map_err(failed)?.is_file();
            Ok(is_file.then_some(file))
        }
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(errno.into())),
    }
}

/// Where a file is within the opened ones.
struct Span {
    from: u64,
    bytes: u64,
}

/// An image's blobs, to be read.
pub enum Blobs {
    /// A file each.
    Files {
        /// The index.
        index: File,
        /// By digest.
        blobs: BTreeMap<String, File>,
    },
    /// Spans of one file.
    Spans(Archive),
}

/// An archive whose files are known.
pub struct Archive {
    file: File,
    index: Span,
    blobs: BTreeMap<String, Span>,
}

impl Blobs {
    /// Reads an archive's list of files.
    ///
    /// # Errors
    /// When it is no archive of a layout.
    pub fn of(opened: Opened, limits: &Limits) -> Result<Blobs, ImportError> {
        match opened {
            Opened::Layout { index, blobs } => Ok(Blobs::Files { index, blobs }),
            Opened::Archive(file) => list(file, limits).map(Blobs::Spans),
        }
    }

    /// The index, from its beginning.
    ///
    /// # Errors
    /// From the file.
    pub fn index(&self) -> io::Result<Take<File>> {
        match self {
            Blobs::Files { index, .. } => whole(index),
            Blobs::Spans(archive) => span(&archive.file, &archive.index),
        }
    }

    /// The blob of that digest, from its beginning; `None` when it is not there.
    ///
    /// # Errors
    /// From the file.
    pub fn blob(&self, digest: &str) -> io::Result<Option<Take<File>>> {
        match self {
            Blobs::Files { blobs, .. } => blobs.get(digest).map(whole).transpose(),
            Blobs::Spans(archive) => archive.blobs.get(digest).map(|found| span(&archive.file, found)).transpose(),
        }
    }
}

fn whole(file: &File) -> io::Result<Take<File>> {
    span(file, &Span { from: 0, bytes: u64::MAX })
}

fn span(file: &File, at: &Span) -> io::Result<Take<File>> {
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(at.from))?;
    Ok(file.take(at.bytes))
}

fn list(mut file: File, limits: &Limits) -> Result<Archive, ImportError> {
    refuse_packed(&mut file)?;
    let not = |why: String| ImportError::NotLayout(format!("the archive {why}"));
    let (mut index, mut blobs) = (None, BTreeMap::new());
    let mut archive = tar::Archive::new(file.try_clone().map_err(reading("the archive"))?);
    let mut entries = archive.entries_with_seek().map_err(reading("the archive"))?.raw(true);
    let wrong = |(path, why): (Vec<u8>, Refused)| not(format!("is none, or hostile: at {}: {why}", shown(&path)));
    let mut files = 0;
    while let Some((head, entry)) = head::next(&mut entries).map_err(wrong)? {
        if files == ARCHIVE_FILES {
            return Err(not(format!("has more than {ARCHIVE_FILES} files")));
        }
        files += 1;
        if head.kind != Kind::File {
            continue;
        }
        let found = Span { from: entry.raw_file_position(), bytes: entry.size() };
        let parts = entry::parts(&head.path, limits).map_err(|why| wrong((head.path, why)))?;
        let name = String::from_utf8_lossy(&entry::joined(&parts)).into_owned();
        if name == INDEX {
            index = Some(found);
        } else if let Some(digest) = name.strip_prefix(BLOBS_AT).and_then(|rest| rest.strip_prefix('/'))
            && is_digest(digest)
        {
            blobs.insert(digest.to_owned(), found);
        }
    }
    match index {
        Some(index) => Ok(Archive { file, index, blobs }),
        None => Err(not(format!("has no {INDEX}"))),
    }
}

/// Blobs are read by their place, which a packed archive has not.
fn refuse_packed(file: &mut File) -> Result<(), ImportError> {
    let mut first = [0; 4];
    let length = file.read(&mut first).map_err(reading("the archive"))?;
    file.rewind().map_err(reading("the archive"))?;
    match &first[..length] {
        [0x1f, 0x8b, ..] => Err(ImportError::NotLayout("the archive is packed: run gunzip first".to_owned())),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(ImportError::NotLayout("the archive is packed: run unzstd first".to_owned())),
        _ => Ok(()),
    }
}
