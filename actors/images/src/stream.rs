//! Bytes as they pass: counted, digested, and stopped where they become more than they may be.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::limits::ZSTD_WINDOW_LOG_BYTES;

/// How a layer is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// As it is.
    Plain,
    /// By gzip.
    Gzip,
    /// By zstd.
    Zstd,
}

/// What passed.
#[derive(Default)]
pub struct Tally {
    hash: Sha256,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The digest of it, in hexadecimal.
    pub fn digest(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shared by who reads and who asks what was read.
pub type Shared = Rc<RefCell<Tally>>;

/// A reader whose bytes are tallied.
pub struct Tallied<R> {
    inner: R,
    tally: Shared,
}

impl<R: Read> Tallied<R> {
    /// Tallies into `tally`.
    pub fn new(inner: R, tally: &Shared) -> Tallied<R> {
        Tallied { inner, tally: Rc::clone(tally) }
    }
}

impl<R: Read> Read for Tallied<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.tally.borrow_mut().add(&buffer[..length]);
        Ok(length)
    }
}

/// How much a layer may unpack to.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes for each stored one.
    pub ratio: u64,
    /// Bytes whatever the ratio.
    pub free_bytes: u64,
}

/// A reader that fails beyond its bound.
pub struct Bounded<R> {
    inner: R,
    bound: Bound,
    stored: Shared,
    seen: u64,
}

impl<R: Read> Bounded<R> {
    /// `stored` says how many stored bytes were read so far.
    pub fn new(inner: R, bound: Bound, stored: &Shared) -> Bounded<R> {
        Bounded { inner, bound, stored: Rc::clone(stored), seen: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.seen += length as u64;
        let Bound { bytes, ratio, free_bytes } = self.bound;
        if self.seen > bytes {
            return Err(io::Error::other(format!(
                "the image unpacks to more than it may, {bytes} bytes more from here"
            )));
        }
        if self.seen > free_bytes && self.seen / ratio > self.stored.borrow().bytes {
            return Err(io::Error::other(format!("the layer unpacks to more than {ratio} times its size")));
        }
        Ok(length)
    }
}

/// What a packing unpacks.
pub enum Unpacking<R: BufRead> {
    /// Nothing to do.
    Plain(R),
    /// gzip, of any number of members.
    Gzip(Box<MultiGzDecoder<R>>),
    /// zstd, of any number of frames.
    Zstd(Box<zstd::Decoder<'static, R>>),
}

impl<R: Read> Unpacking<BufReader<R>> {
    /// Unpacks what `inner` reads.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(packing: Packing, inner: R) -> io::Result<Unpacking<BufReader<R>>> {
        const BUFFER_BYTES: usize = 128 << 10;
        let inner = BufReader::with_capacity(BUFFER_BYTES, inner);
        Ok(match packing {
            Packing::Plain => Unpacking::Plain(inner),
            Packing::Gzip => Unpacking::Gzip(Box::new(MultiGzDecoder::new(inner))),
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(inner)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_BYTES)?;
                Unpacking::Zstd(Box::new(decoder))
            }
        })
    }
}

impl<R: BufRead> Read for Unpacking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacking::Plain(inner) => inner.read(buffer),
            Unpacking::Gzip(inner) => inner.read(buffer),
            Unpacking::Zstd(inner) => inner.read(buffer),
        }
    }
}
