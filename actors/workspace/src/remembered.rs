//! Contents that were read or written a moment ago and are needed once more while an action is planned: for a diff, or to be
//! compared again. Bounded; what is not remembered is read again. A commit never relies on it: it reads for itself.

use std::collections::BTreeMap;

use rustix::fs::Stat;

use crate::limits::REMEMBERED_BYTES_MAX;
use crate::node::{self, Found, Image, Time};
use crate::plan::Slot;

/// What there is.
#[derive(Default)]
pub struct Remembered {
    bytes: usize,
    /// Contents of slots.
    slots: BTreeMap<Slot, Vec<u8>>,
    /// Files of the workspace.
    files: BTreeMap<Vec<u8>, Seen>,
}

/// A file as it was read.
struct Seen {
    image: Image,
    content: Vec<u8>,
    ctime: Time,
}

impl Remembered {
    fn has_room(&mut self, bytes: usize) -> bool {
        let all = self.bytes.saturating_add(bytes);
        let fits = all <= REMEMBERED_BYTES_MAX;
        if fits {
            self.bytes = all;
        }
        fits
    }

    /// What was just written into a slot.
    pub fn slot(&mut self, slot: Slot, content: Vec<u8>) {
        if self.has_room(content.len()) {
            self.slots.insert(slot, content);
        }
    }

    /// A slot's content.
    pub fn of_slot(&self, slot: Slot) -> Option<&[u8]> {
        self.slots.get(&slot).map(Vec::as_slice)
    }

    /// A small file that was just read.
    pub fn file(&mut self, path: &[u8], found: &Found) {
        if let Some(content) = &found.content
            && self.has_room(content.len() + path.len())
        {
            let seen = Seen { image: found.image.clone(), content: content.clone(), ctime: found.ctime };
            self.files.insert(path.to_vec(), seen);
        }
    }

    /// Whether it has the file.
    pub fn has(&self, path: &[u8]) -> bool {
        self.files.contains_key(path)
    }

    /// The file, as long as nothing about it has changed.
    pub fn of_file(&mut self, path: &[u8], stat: &Stat) -> Option<Found> {
        let Seen { image, content, ctime } = self.files.remove(path)?;
        let same = image.inode == stat.st_ino
            && image.links == stat.st_nlink
            && image.bytes == stat.st_size as u64
            && image.meta.mtime == node::mtime(stat)
            && ctime == node::ctime(stat);
        same.then(|| Found::read_before(image, content, ctime))
    }
}
