//! Reads a layer. The stream comes from where the command ran, so nothing in it is believed: every size has a limit that
//! is checked before anything is kept, and what `export` does not write is refused.

use std::io::Read;

use tar::{Archive, EntryType};

use super::{END, OPAQUE, ORIGIN, PAX_BYTES_MAX, SPARSE_BLOCKS, SPARSE_MAP, SPARSE_SIZE, XATTR, pax};
use crate::beneath::MODE_MASK;
use crate::change::well_formed;
use crate::content::Extent;
use crate::error::StageError;
use crate::limits::Limits;
use crate::node::{self, Meta, Time, Xattrs};

/// One entry of a layer.
pub struct Entry {
    /// From the workspace.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions, time and attributes.
    pub meta: Meta,
}

/// What an entry is.
pub enum Kind {
    /// What is below has no such name any more.
    Whiteout,
    /// A directory.
    Directory {
        /// It hides the directory below.
        opaque: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads: never followed, so anywhere.
        target: Vec<u8>,
    },
    /// One more name of a file that came before.
    Link {
        /// A name it had.
        to: Vec<u8>,
    },
    /// A file. Its data is to be read before the next entry.
    File {
        /// With its holes.
        length: u64,
        /// Its data.
        runs: Vec<Extent>,
        /// When it was read last.
        atime: Time,
        /// It is a copy of a file below that had one name.
        origin: bool,
    },
}

/// Calls `with` on each entry, in order, with its data. That the stream was whole is known at the end only.
pub fn read(
    layer: &mut impl Read,
    limits: &Limits,
    mut with: impl FnMut(Entry, &mut dyn Read) -> Result<(), StageError>,
) -> Result<(), StageError> {
    let refuse = |path: &[u8], why: &str| StageError::Layer { path: path.to_vec(), why: why.to_owned() };
    let broken = |error: std::io::Error| StageError::Layer { path: Vec::new(), why: error.to_string() };
    let mut archive = Archive::new(layer);
    let mut header: Option<Vec<u8>> = None;
    let (mut entries, mut ended) = (0_u64, false);
    for item in archive.entries().map_err(broken)?.raw(true) {
        let mut item = item.map_err(broken)?;
        if ended {
            return Err(refuse(b"", "there is more behind its end"));
        }
        let kind = item.header().entry_type();
        if matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader) {
            let bytes = small(&mut item).map_err(broken)?.ok_or_else(|| refuse(b"", "a header is too large"))?;
            if header.is_some() {
                return Err(refuse(b"", "a header stands for no entry"));
            }
            if kind == EntryType::XGlobalHeader {
                ended = is_end(&bytes, entries).then_some(true).ok_or_else(|| refuse(b"", "it has another end"))?;
            } else {
                header = Some(bytes);
            }
            continue;
        }
        entries += 1;
        if entries > limits.entries_max as u64 {
            return Err(StageError::Limit {
                what: "files of a layer",
                path: Vec::new(),
                limit: limits.entries_max as u64,
            });
        }
        let bytes = header.take().ok_or_else(|| refuse(b"", "an entry has no header"))?;
        let entry = parse(item.header(), &bytes, limits)?;
        with(entry, &mut item)?;
    }
    if ended { Ok(()) } else { Err(refuse(b"", "it was cut short")) }
}

/// All of a header's records.
fn small(item: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    item.take(PAX_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= PAX_BYTES_MAX).then_some(bytes))
}

fn is_end(bytes: &[u8], entries: u64) -> bool {
    pax::records(bytes).is_some_and(|records| records == [(END, entries.to_string().as_bytes())])
}

/// What an extended header says.
#[derive(Default)]
struct Said {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    mtime: Option<Time>,
    opaque: bool,
    atime: Option<Time>,
    origin: bool,
    xattrs: Xattrs,
    length: Option<u64>,
    blocks: Option<u64>,
    map: Option<Vec<Extent>>,
}

fn parse(header: &tar::Header, bytes: &[u8], limits: &Limits) -> Result<Entry, StageError> {
    let said = said(bytes, limits).map_err(|why| StageError::Layer { path: Vec::new(), why: why.to_owned() })?;
    let path = said.path.clone().unwrap_or_default();
    let refuse = |why: &str| StageError::Layer { path: path.clone(), why: why.to_owned() };
    well_formed(&path, limits).map_err(refuse)?;
    let mode = header.mode().map_err(|_| refuse("its mode is no number"))? & MODE_MASK;
    let size = header.entry_size().map_err(|_| refuse("its size is no number"))?;
    let kind = header.entry_type();
    let file_only = size > 0 || said.length.is_some() || said.atime.is_some();
    if kind != EntryType::Regular && (file_only || said.origin && kind != EntryType::Directory) {
        return Err(refuse("it has data and is no file"));
    }
    if said.opaque && kind != EntryType::Directory
        || said.target.is_some() != (kind.is_symlink() || kind.is_hard_link())
    {
        return Err(refuse("its header is another kind's"));
    }
    let kind = match kind {
        EntryType::Char => match (header.device_major(), header.device_minor()) {
            (Ok(Some(0)), Ok(Some(0))) => Kind::Whiteout,
            _ => return Err(StageError::Special { path, what: "a device" }),
        },
        EntryType::Directory => Kind::Directory { opaque: said.opaque },
        EntryType::Symlink => Kind::Symlink { target: said.target.clone().unwrap_or_default() },
        EntryType::Link => Kind::Link { to: said.target.clone().unwrap_or_default() },
        EntryType::Regular => {
            let (length, runs) = runs(&said, size, limits).map_err(refuse)?;
            let atime = said.atime.ok_or_else(|| refuse("it has no time of reading"))?;
            Kind::File { length, runs, atime, origin: said.origin }
        }
        EntryType::Block => return Err(StageError::Special { path, what: "a device" }),
        EntryType::Fifo => return Err(StageError::Special { path, what: "a pipe" }),
        _ => return Err(refuse("it is of a kind that is not used")),
    };
    if let Kind::Symlink { target } = &kind
        && (target.is_empty() || target.len() > 4095 || target.contains(&0))
    {
        return Err(refuse("its target is none that a link can have"));
    }
    let mtime = said.mtime.ok_or_else(|| refuse("it has no time"))?;
    Ok(Entry { path, kind, meta: Meta { mode, mtime, xattrs: said.xattrs } })
}

fn said(bytes: &[u8], limits: &Limits) -> Result<Said, &'static str> {
    let mut said = Said::default();
    let (mut last, mut xattr_bytes) = (Vec::new(), 0);
    for (key, value) in pax::records(bytes).ok_or("a header is malformed")? {
        let twice = match key {
            b"path" => said.path.replace(value.to_vec()).is_some(),
            b"linkpath" => said.target.replace(value.to_vec()).is_some(),
            b"mtime" => said.mtime.replace(pax::parse_time(value).ok_or("a time is none")?).is_some(),
            b"atime" => said.atime.replace(pax::parse_time(value).ok_or("a time is none")?).is_some(),
            key if key == OPAQUE => std::mem::replace(&mut said.opaque, value == b"1"),
            key if key == ORIGIN => std::mem::replace(&mut said.origin, value == b"1"),
            key if key == SPARSE_SIZE => said.length.replace(pax::decimal(value).ok_or("a size is none")?).is_some(),
            key if key == SPARSE_BLOCKS => {
                said.blocks.replace(pax::decimal(value).ok_or("a number is none")?).is_some()
            }
            key if key == SPARSE_MAP => said.map.replace(map(value, limits).ok_or("a map is malformed")?).is_some(),
            key => {
                let name = pax::unescape(key.strip_prefix(XATTR).ok_or("a header has a record that is not used")?);
                if !node::is_kept(&name) || name.len() > 255 || name.len() <= 5 || name.contains(&0) {
                    return Err("an attribute is of a kind that is not kept");
                }
                xattr_bytes += name.len() + value.len();
                // Sorted by name, as the other side writes them: so none comes twice.
                let order = name <= last;
                last.clone_from(&name);
                said.xattrs.push((name, value.to_vec()));
                order
            }
        };
        if twice {
            return Err("a header says something twice");
        }
    }
    if said.xattrs.len() > limits.xattrs_max || xattr_bytes > limits.xattr_bytes_max {
        return Err("there are too many attributes");
    }
    Ok(said)
}

fn map(value: &[u8], limits: &Limits) -> Option<Vec<Extent>> {
    let mut runs = Vec::new();
    if value.is_empty() {
        return Some(runs);
    }
    let mut numbers = value.split(|byte| *byte == b',');
    while let Some(offset) = numbers.next() {
        if runs.len() == limits.extents_max {
            return None;
        }
        runs.push(Extent { offset: pax::decimal(offset)?, bytes: pax::decimal(numbers.next()?)? });
    }
    Some(runs)
}

/// A file's length and runs of data: in order, apart, within the length, and as much as the entry has.
fn runs(said: &Said, size: u64, limits: &Limits) -> Result<(u64, Vec<Extent>), &'static str> {
    let (length, runs) = match (said.length, &said.map) {
        (Some(length), Some(map)) => (length, map.clone()),
        (None, None) => (size, if size == 0 { Vec::new() } else { vec![Extent { offset: 0, bytes: size }] }),
        _ => return Err("its map is incomplete"),
    };
    if said.length.is_some() && said.blocks != Some(runs.len() as u64) {
        return Err("its map has another number of runs");
    }
    if length > limits.file_bytes_max {
        return Err("it is larger than a file may be");
    }
    let (mut end, mut total) = (0_u64, 0_u64);
    for run in &runs {
        let behind = run.offset.checked_add(run.bytes).ok_or("its map leads beyond any file")?;
        if run.offset < end || run.bytes == 0 || behind > length {
            return Err("its map is not in order");
        }
        (end, total) = (behind, total + run.bytes);
    }
    if total == size { Ok((length, runs)) } else { Err("its map is not what its data is") }
}
