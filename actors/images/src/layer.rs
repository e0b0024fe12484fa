//! A layer, applied over those below it.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use crate::document::Layer;
use crate::entry::{Place, joined, parts, place};
use crate::error::{ImportError, Refused};
use crate::head::{self, Head, Kind, is_target};
use crate::limits::Limits;
use crate::source::Blobs;
use crate::stream::{Bound, Bounded, Shared, Tallied, Unpacking};
use crate::tree::{Tree, set_time};

/// What all layers of an image share.
pub struct Applying<'a> {
    tree: &'a mut Tree,
    blobs: &'a Blobs,
    limits: Limits,
    /// What was applied so far.
    pub done: Done,
}

/// What was applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// Bytes of layers, unpacked.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
    /// Entries that had attributes or set-id bits, which are left out.
    pub stripped: u64,
}

impl<'a> Applying<'a> {
    /// Applies to that tree.
    pub fn new(tree: &'a mut Tree, blobs: &'a Blobs, limits: &Limits) -> Applying<'a> {
        Applying { tree, blobs, limits: *limits, done: Done::default() }
    }

    /// Applies the next layer. Its whiteouts go first, as if they stood at its front: they are of what is below it, and
    /// never of what it brings itself.
    ///
    /// # Errors
    /// An entry that is refused, a limit, a blob that is not what its digest says.
    pub fn layer(&mut self, layer: &Layer) -> Result<(), ImportError> {
        let bound = self.bound();
        let limits = self.limits;
        if layer.number > 1 {
            let tree = &mut *self.tree;
            walk(self.blobs, layer, bound, |head, _| hide(tree, head, &limits))?;
        }
        let (tree, done) = (&mut *self.tree, &mut self.done);
        let mut seen = Seen::default();
        let bytes = walk(self.blobs, layer, bound, |head, content| {
            done.entries += 1;
            if done.entries > limits.entries {
                return Err(Refused::Content(io::Error::other(format!(
                    "the image has more than {} entries, which is the limit",
                    limits.entries
                ))));
            }
            done.stripped += u64::from(head.stripped);
            put(tree, &mut seen, head, content, &limits)
        })?;
        self.done.bytes += bytes;
        Ok(())
    }

    fn bound(&self) -> Bound {
        let Limits { unpacked_bytes, ratio, ratio_free_bytes, .. } = self.limits;
        Bound { bytes: unpacked_bytes.saturating_sub(self.done.bytes), ratio, free_bytes: ratio_free_bytes }
    }
}

/// What a layer has said so far.
#[derive(Default)]
struct Seen {
    said: HashSet<Vec<u8>>,
    /// Directories above that.
    above: HashSet<Vec<u8>>,
}

impl Seen {
    fn say(&mut self, path: &[Vec<u8>], mark: &[u8], is_directory: bool) -> Result<(), Refused> {
        let key = [mark, &joined(path)].concat();
        if !is_directory && self.above.contains(&key) || !self.said.insert(key) {
            return Err(Refused::Duplicate);
        }
        for length in (1..path.len()).rev() {
            if !self.above.insert(joined(&path[..length])) {
                break;
            }
        }
        Ok(())
    }
}

/// Removes what an entry says is to go from the layers below. Where a link or file of theirs is on the way, there is
/// nothing of theirs to go.
fn hide(tree: &mut Tree, head: &Head, limits: &Limits) -> Result<(), Refused> {
    let hidden = match place(&head.path, limits)? {
        Place::At(_) => Ok(()),
        Place::Whiteout(path) => tree.remove(&path),
        Place::Opaque(path) => tree.empty(&path),
    };
    match hidden {
        Err(Refused::ThroughLink | Refused::ThroughFile) => Ok(()),
        other => other,
    }
}

fn put(tree: &mut Tree, seen: &mut Seen, head: &Head, content: &mut dyn Read, limits: &Limits) -> Result<(), Refused> {
    let path = match place(&head.path, limits)? {
        Place::At(path) => path,
        // Its part is done; it must still have been one, at a place that is.
        Place::Whiteout(path) => {
            seen.say(&path, b"without/", false)?;
            let (_, above) = path.split_last().ok_or(Refused::Whiteout)?;
            return whiteout(tree, head, above);
        }
        Place::Opaque(path) => {
            seen.say(&path, b"opaque/", false)?;
            return whiteout(tree, head, &path);
        }
    };
    seen.say(&path, b"", head.kind == Kind::Directory)?;
    if path.is_empty() && head.kind != Kind::Directory {
        return Err(Refused::Empty);
    }
    match head.kind {
        Kind::Directory => tree.put_directory(&path),
        Kind::Symlink if !is_target(&head.target) => Err(Refused::LinkText),
        Kind::Symlink => tree.put_symlink(&path, &head.target, head.mtime_s),
        Kind::HardLink => {
            let target = parts(&head.target, limits).map_err(|why| Refused::Target(Box::new(why)))?;
            tree.put_link(&path, &target)
        }
        Kind::File => {
            let mut file = tree.put_file(&path, head.runs)?;
            copy(content, &mut file).map_err(Refused::Content)?;
            Ok(set_time(&file, head.mtime_s)?)
        }
    }
}

fn whiteout(tree: &Tree, head: &Head, above: &[Vec<u8>]) -> Result<(), Refused> {
    if head.kind != Kind::File {
        return Err(Refused::Whiteout);
    }
    tree.directory(above).map(drop)
}

fn copy(from: &mut dyn Read, to: &mut impl Write) -> io::Result<()> {
    const BUFFER_BYTES: usize = 128 << 10;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length])?,
        }
    }
}

/// Every entry of a layer, in order; then its digests. How many bytes it unpacks to.
fn walk(
    blobs: &Blobs,
    layer: &Layer,
    bound: Bound,
    each: impl FnMut(&Head, &mut dyn Read) -> Result<(), Refused>,
) -> Result<u64, ImportError> {
    let stored = Shared::default();
    let unpacked = Shared::default();
    let passed = pass(blobs, layer, bound, (&stored, &unpacked), each);
    if let Err(ImportError::Entry { .. } | ImportError::Layer { .. }) = &passed {
        // What is damaged makes no sense either: say that rather than where it stopped to.
        checked(layer, &whole(blobs, layer)?, None)?;
    }
    passed?;
    checked(layer, &stored, Some(&unpacked))?;
    let bytes = unpacked.borrow().bytes;
    Ok(bytes)
}

fn pass(
    blobs: &Blobs,
    layer: &Layer,
    bound: Bound,
    (stored, unpacked): (&Shared, &Shared),
    mut each: impl FnMut(&Head, &mut dyn Read) -> Result<(), Refused>,
) -> Result<(), ImportError> {
    let broken = |error: io::Error| ImportError::Layer { layer: layer.number, why: error.to_string() };
    let stream = Tallied::new(open(blobs, layer)?, stored);
    let stream = Unpacking::new(layer.packing, stream).map_err(broken)?;
    let mut stream = Tallied::new(Bounded::new(stream, bound, stored), unpacked);
    let mut archive = tar::Archive::new(&mut stream);
    let mut entries = archive.entries().map_err(broken)?.raw(true);
    let entry = |entry: Vec<u8>, why: Refused| match why {
        Refused::Content(error) if entry.is_empty() => broken(error),
        why => ImportError::Entry { layer: layer.number, entry, why },
    };
    while let Some((head, content)) = head::next(&mut entries).map_err(|(path, why)| entry(path, why))? {
        let size = content.size();
        let mut content = Exactly { inner: content, left: size };
        each(&head, &mut content).map_err(|why| entry(head.path, why))?;
    }
    // Whatever follows the end counts for the digests.
    io::copy(&mut stream, &mut io::sink()).map_err(broken).map(drop)
}

/// Content that is as long as its header says, or an error.
struct Exactly<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if length == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the layer ends in the middle of it"));
        }
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}

fn open(blobs: &Blobs, layer: &Layer) -> Result<impl Read + use<>, ImportError> {
    let missing = || ImportError::Blob { digest: layer.digest.clone(), why: "it is not there".to_owned() };
    let read = |error| ImportError::Read { what: format!("layer {}", layer.number), error };
    Ok(blobs.blob(&layer.digest).map_err(read)?.ok_or_else(missing)?.take(layer.bytes + 1))
}

fn whole(blobs: &Blobs, layer: &Layer) -> Result<Shared, ImportError> {
    let tally = Shared::default();
    let mut stream = Tallied::new(open(blobs, layer)?, &tally);
    let read = |error| ImportError::Read { what: format!("layer {}", layer.number), error };
    io::copy(&mut stream, &mut io::sink()).map_err(read)?;
    Ok(tally)
}

fn checked(layer: &Layer, stored: &Shared, unpacked: Option<&Shared>) -> Result<(), ImportError> {
    let wrong = |why: &str| Err(ImportError::Blob { digest: layer.digest.clone(), why: why.to_owned() });
    if stored.borrow().bytes != layer.bytes {
        return wrong("its size is not what its descriptor says");
    }
    if stored.borrow().digest() != layer.digest {
        return wrong("its content is not what its digest says");
    }
    match unpacked {
        Some(unpacked) if unpacked.borrow().digest() != layer.unpacked_digest => {
            wrong("what it unpacks to is not what the configuration says")
        }
        Some(_) | None => Ok(()),
    }
}
