//! The headers of a layer's tar: what an entry is, its extended headers read within bounds.

use std::io::Read;

use tar::{Entries, EntryType};

use crate::error::{Refused, shown};
use crate::limits::{EXTENDED_HEADER_BYTES, TARGET_BYTES};

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A second name of what is there.
    HardLink,
}

/// An entry's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its path, as it stands there.
    pub path: Vec<u8>,
    /// What it leads to; empty when it is no link.
    pub target: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Whether anybody may run it.
    pub runs: bool,
    /// When it was changed, seconds.
    pub mtime_s: i64,
    /// Whether it had attributes, owners' rights or set-id bits that are left out.
    pub stripped: bool,
}

/// One that is refused: its path, and why.
pub type Wrong = (Vec<u8>, Refused);

/// What extended headers say of the entry that follows.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    mtime_s: Option<i64>,
    size: Option<u64>,
    attributes: bool,
}

/// The next entry and its content; `None` at the end.
///
/// # Errors
/// An entry that a layer can't have.
pub fn next<'a, R: Read>(entries: &mut Entries<'a, R>) -> Result<Option<(Head, tar::Entry<'a, R>)>, Wrong> {
    let mut extended = Extended::default();
    loop {
        let Some(entry) = entries.next() else { return Ok(None) };
        let mut entry = entry.map_err(|error| (Vec::new(), Refused::Content(error)))?;
        let own = entry.header().path_bytes().into_owned();
        match entry.header().entry_type() {
            EntryType::GNULongName => extended.path = Some(long(&mut entry).map_err(|why| (own, why))?),
            EntryType::GNULongLink => extended.target = Some(long(&mut entry).map_err(|why| (own, why))?),
            EntryType::XHeader => read_records(&mut entry, &mut extended).map_err(|why| (own, why))?,
            EntryType::XGlobalHeader => {
                let mut global = Extended::default();
                read_records(&mut entry, &mut global).map_err(|why| (own.clone(), why))?;
                if global.path.is_some() || global.target.is_some() || global.size.is_some() {
                    return Err((own, Refused::Extended("names every entry that follows")));
                }
            }
            _ => return head(&entry, own, extended).map(|head| Some((head, entry))),
        }
    }
}

fn head<R: Read>(entry: &tar::Entry<'_, R>, own: Vec<u8>, extended: Extended) -> Result<Head, Wrong> {
    let header = entry.header();
    let path = extended.path.unwrap_or(own);
    let kind = match kind(header, &path) {
        Ok(kind) => kind,
        Err(why) => return Err((path, why)),
    };
    if extended.size.is_some_and(|size| size != entry.size()) {
        return Err((path, Refused::Extended("says another size than its header")));
    }
    let own_target = header.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
    let mode = header.mode().unwrap_or(0);
    Ok(Head {
        path,
        target: extended.target.unwrap_or(own_target),
        kind,
        runs: mode & 0o111 != 0,
        mtime_s: extended
            .mtime_s
            .unwrap_or_else(|| header.mtime().ok().and_then(|s| i64::try_from(s).ok()).unwrap_or(0)),
        stripped: extended.attributes || mode & 0o6000 != 0,
    })
}

fn kind(header: &tar::Header, path: &[u8]) -> Result<Kind, Refused> {
    match header.entry_type() {
        // Before there was a kind for directories they were files with a slash.
        EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => Ok(Kind::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File),
        EntryType::Directory => Ok(Kind::Directory),
        EntryType::Symlink => Ok(Kind::Symlink),
        EntryType::Link => Ok(Kind::HardLink),
        EntryType::Char | EntryType::Block => Err(Refused::Device),
        EntryType::Fifo => Err(Refused::Pipe),
        EntryType::GNUSparse => Err(Refused::Kind("a file with holes".to_owned())),
        other => Err(Refused::Kind(shown(&[other.as_byte()]))),
    }
}

fn bounded(entry: &mut impl Read) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    entry.take(EXTENDED_HEADER_BYTES + 1).read_to_end(&mut bytes).map_err(Refused::Content)?;
    if bytes.len() as u64 > EXTENDED_HEADER_BYTES {
        return Err(Refused::Extended("is longer than any path"));
    }
    Ok(bytes)
}

fn long(entry: &mut impl Read) -> Result<Vec<u8>, Refused> {
    let mut bytes = bounded(entry)?;
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

fn read_records(entry: &mut impl Read, into: &mut Extended) -> Result<(), Refused> {
    let bytes = bounded(entry)?;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (key, value, behind) = record(rest).ok_or(Refused::Extended("is no list of records"))?;
        match key {
            b"path" => into.path = Some(value.to_vec()),
            b"linkpath" => into.target = Some(value.to_vec()),
            b"size" => into.size = Some(number(value).ok_or(Refused::Extended("has a size that is no number"))?),
            b"mtime" => into.mtime_s = Some(seconds(value).ok_or(Refused::Extended("has a time that is none"))?),
            key if key.starts_with(b"GNU.sparse.") => return Err(Refused::Kind("a file with holes".to_owned())),
            key if key.starts_with(b"SCHILY.xattr.") || key.starts_with(b"LIBARCHIVE.xattr.") => into.attributes = true,
            // Owners, other times, comments.
            _ => {}
        }
        rest = behind;
    }
    Ok(())
}

/// `length key=value\n`, the length counting itself: key, value, and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const DIGITS: usize = 20;
    let space = bytes.iter().take(DIGITS).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&bytes[..space])?).ok()?;
    if length <= space || length > bytes.len() {
        return None;
    }
    let (record, behind) = bytes.split_at(length);
    let record = record[space + 1..].strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], behind))
}

fn number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().all(u8::is_ascii_digit).then_some(bytes)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A time's whole seconds.
fn seconds(bytes: &[u8]) -> Option<i64> {
    let whole = bytes.split(|byte| *byte == b'.').next()?;
    std::str::from_utf8(whole).ok()?.parse().ok()
}

/// Whether a symbolic link may have this target. Where it leads is nobody's business: nothing follows it but a command,
/// whose root the image is.
pub fn is_target(target: &[u8]) -> bool {
    !target.is_empty() && target.len() <= TARGET_BYTES && !target.contains(&0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn records_are_read_and_anything_else_is_not() {
        let mut extended = Extended::default();
        let text = b"14 path=a\nb=c\n17 mtime=-17.123\n10 size=7\n27 SCHILY.xattr.user.a=xyz\n";
        read_records(&mut &text[..], &mut extended).unwrap();
        assert_eq!(extended.path.as_deref(), Some(&b"a\nb=c"[..]));
        assert_eq!((extended.mtime_s, extended.size, extended.attributes), (Some(-17), Some(7), true));
        for bad in [&b"x"[..], b"5 a=b", b"6 a=b\n6", b"99 a=b\n", b"2 \n", b"0 a=b\n", b"8 size=x", b"9 size=x\n"] {
            assert!(read_records(&mut &bad[..], &mut Extended::default()).is_err(), "{}", bad.escape_ascii());
        }
    }
}
