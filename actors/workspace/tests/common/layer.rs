//! Layers made by hand, entry by entry, as no `export` would write them.

use tar::{EntryType, Header};

/// A stream of tar.
#[derive(Default, Clone)]
pub struct Layer {
    bytes: Vec<u8>,
    entries: u64,
}

/// A record of an extended header.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| *length == rest + length.to_string().len()).unwrap();
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

impl Layer {
    /// Anything, in a header and padded data.
    pub fn raw(mut self, kind: EntryType, said_bytes: u64, data: &[u8]) -> Layer {
        let mut header = Header::new_ustar();
        header.set_path("entry").unwrap();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(said_bytes);
        if kind == EntryType::Char {
            header.set_device_major(0).unwrap();
            header.set_device_minor(0).unwrap();
        }
        header.set_cksum();
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// A header with any records, then an entry.
    pub fn entry(self, kind: EntryType, records: &[(&str, &[u8])], data: &[u8]) -> Layer {
        let pax: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        let mut layer = self.raw(EntryType::XHeader, pax.len() as u64, &pax).raw(kind, data.len() as u64, data);
        layer.entries += 1;
        layer
    }

    pub fn file(self, path: &[u8], data: &[u8]) -> Layer {
        self.entry(EntryType::Regular, &[("path", path), ("atime", b"1"), ("mtime", b"1")], data)
    }

    pub fn directory(self, path: &[u8]) -> Layer {
        self.entry(EntryType::Directory, &[("path", path), ("mtime", b"1")], b"")
    }

    pub fn whiteout(self, path: &[u8]) -> Layer {
        self.entry(EntryType::Char, &[("path", path), ("mtime", b"1")], b"")
    }

    pub fn link(self, kind: EntryType, path: &[u8], target: &[u8]) -> Layer {
        self.entry(kind, &[("path", path), ("linkpath", target), ("mtime", b"1")], b"")
    }

    /// The end as it belongs.
    pub fn end(self) -> Vec<u8> {
        let entries = self.entries;
        self.end_of(entries)
    }

    /// An end that says another number.
    pub fn end_of(self, entries: u64) -> Vec<u8> {
        let pax = record("CHELA.end", entries.to_string().as_bytes());
        self.raw(EntryType::XGlobalHeader, pax.len() as u64, &pax).cut()
    }

    /// No end but tar's own.
    pub fn cut(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 1024]);
        self.bytes
    }

    /// Not even that.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}
