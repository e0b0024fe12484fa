//! Encryption at rest: compressed, then sealed in chunks, each bound to its place, so that nothing can be cut, moved
//! or exchanged unnoticed.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

/// The key of a workspace's store.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(b"chela workspace ").chain_update(purpose).finalize().into()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Key")
    }
}

/// Plain bytes of a chunk.
const CHUNK_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;
/// Random, in front of each sealed stream. With a chunk's number and whether it is the last it makes the chunk's nonce.
const PREFIX_BYTES: usize = 19;

/// Seals and opens what the store keeps.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    names: [u8; 32],
}

impl Sealer {
    /// With keys of their own for contents and names.
    pub fn new(key: &Key) -> Sealer {
        let cipher = XChaCha20Poly1305::new(GenericArray::from_slice(&key.derive(b"contents")));
        Sealer { cipher, names: key.derive(b"names") }
    }

    /// The name a content has in the store: says nothing about it to who lacks the key.
    pub fn name(&self, digest: &[u8; 32]) -> String {
        let keyed = Sha256::new().chain_update(self.names).chain_update(digest).finalize();
        keyed.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A writer that seals what is written to it as `what`. Call [`Writer::finish`].
    pub fn writer<'a, W: Write>(&'a self, what: &'a [u8], to: W) -> io::Result<Writer<'a, W>> {
        let chunks = Chunks::begin(&self.cipher, what, to)?;
        Ok(Writer { zstd: zstd::stream::write::Encoder::new(chunks, zstd::DEFAULT_COMPRESSION_LEVEL)? })
    }

    /// A reader of what was sealed as `what`.
    pub fn reader<'a, R: Read + 'a>(&'a self, what: &'a [u8], mut from: R) -> io::Result<impl Read + 'a> {
        let mut prefix = [0; PREFIX_BYTES];
        from.read_exact(&mut prefix)?;
        let open =
            Opener { cipher: &self.cipher, what, prefix, from, number: 0, plain: Vec::new(), at: 0, last: false };
        let mut zstd = zstd::stream::read::Decoder::new(open)?;
        zstd.window_log_max(27)?;
        Ok(zstd)
    }
}

/// Compresses and seals.
pub struct Writer<'a, W: Write> {
    zstd: zstd::stream::write::Encoder<'static, Chunks<'a, W>>,
}

impl<W: Write> Writer<'_, W> {
    /// Writes what is left, marked as the last. What was written to.
    pub fn finish(self) -> io::Result<W> {
        self.zstd.finish()?.finish()
    }
}

impl<W: Write> Write for Writer<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.zstd.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.zstd.flush()
    }
}

struct Chunks<'a, W> {
    cipher: &'a XChaCha20Poly1305,
    what: &'a [u8],
    prefix: [u8; PREFIX_BYTES],
    number: u32,
    plain: Vec<u8>,
    to: W,
}

impl<'a, W: Write> Chunks<'a, W> {
    fn begin(cipher: &'a XChaCha20Poly1305, what: &'a [u8], mut to: W) -> io::Result<Chunks<'a, W>> {
        let mut prefix = [0; PREFIX_BYTES];
        getrandom::fill(&mut prefix).map_err(io::Error::other)?;
        to.write_all(&prefix)?;
        Ok(Chunks { cipher, what, prefix, number: 0, plain: Vec::new(), to })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let payload = Payload { msg: &self.plain, aad: self.what };
        let sealed = self.cipher.encrypt(&nonce(&self.prefix, self.number, last), payload);
        self.to.write_all(&sealed.map_err(|_| io::Error::other("a chunk could not be sealed"))?)?;
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("too much to seal"))?;
        self.plain.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Chunks<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.plain.len() == CHUNK_BYTES {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Opener<'a, R> {
    cipher: &'a XChaCha20Poly1305,
    what: &'a [u8],
    prefix: [u8; PREFIX_BYTES],
    from: R,
    number: u32,
    plain: Vec<u8>,
    at: usize,
    last: bool,
}

impl<R: Read> Opener<'_, R> {
    fn open(&mut self) -> io::Result<()> {
        let mut sealed = Vec::with_capacity(CHUNK_BYTES + TAG_BYTES);
        self.from.by_ref().take((CHUNK_BYTES + TAG_BYTES) as u64).read_to_end(&mut sealed)?;
        let payload = || Payload { msg: &sealed, aad: self.what };
        let try_as = |last| self.cipher.decrypt(&nonce(&self.prefix, self.number, last), payload());
        // A short chunk can only be the last; a full one may be either.
        let (plain, last) = match try_as(sealed.len() < CHUNK_BYTES + TAG_BYTES) {
            Ok(plain) => (plain, sealed.len() < CHUNK_BYTES + TAG_BYTES),
            Err(_) => (try_as(true).map_err(|_| io::Error::other("it was changed, or cut short"))?, true),
        };
        (self.plain, self.at, self.last) = (plain, 0, last);
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("too much to open"))?;
        Ok(())
    }
}

impl<R: Read> Read for Opener<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() {
            if self.last {
                return Ok(0);
            }
            self.open()?;
        }
        let taken = into.len().min(self.plain.len() - self.at);
        into[..taken].copy_from_slice(&self.plain[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

fn nonce(prefix: &[u8; PREFIX_BYTES], number: u32, last: bool) -> XNonce {
    let mut nonce = [0; 24];
    nonce[..PREFIX_BYTES].copy_from_slice(prefix);
    nonce[PREFIX_BYTES..23].copy_from_slice(&number.to_be_bytes());
    nonce[23] = u8::from(last);
    XNonce::from(nonce)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn seal(sealer: &Sealer, what: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut writer = sealer.writer(what, Vec::new()).unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    fn open(sealer: &Sealer, what: &[u8], sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        sealer.reader(what, sealed)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    /// Bytes that don't compress, so that the chunks are as many as they look.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut noise = vec![0; bytes];
        getrandom::fill(&mut noise).unwrap();
        noise
    }

    #[test]
    fn what_was_sealed_opens_at_every_length_near_a_chunk() {
        let sealer = Sealer::new(&Key::new([7; 32]));
        for bytes in [0, 1, CHUNK_BYTES - 40, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5] {
            let plain = noise(bytes);
            assert_eq!(open(&sealer, b"a", &seal(&sealer, b"a", &plain)).unwrap(), plain, "{bytes} bytes");
        }
    }

    #[test]
    fn what_was_changed_cut_or_is_something_else_does_not_open() {
        let sealer = Sealer::new(&Key::new([7; 32]));
        let sealed = seal(&sealer, b"a", &noise(2 * CHUNK_BYTES));
        assert!(open(&sealer, b"b", &sealed).is_err(), "sealed as something else");
        assert!(open(&Sealer::new(&Key::new([8; 32])), b"a", &sealed).is_err(), "another key");
        for at in [0, PREFIX_BYTES, PREFIX_BYTES + CHUNK_BYTES, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&sealer, b"a", &changed).is_err(), "changed at {at}");
        }
        for bytes in [0, PREFIX_BYTES, PREFIX_BYTES + CHUNK_BYTES + TAG_BYTES, sealed.len() - 1] {
            assert!(open(&sealer, b"a", &sealed[..bytes]).is_err(), "cut to {bytes}");
        }
        let chunk = CHUNK_BYTES + TAG_BYTES;
        let mut moved = sealed.clone();
        moved[PREFIX_BYTES..PREFIX_BYTES + chunk]
            .copy_from_slice(&sealed[PREFIX_BYTES + chunk..PREFIX_BYTES + 2 * chunk]);
        assert!(open(&sealer, b"a", &moved).is_err(), "a chunk moved");
    }

    #[test]
    fn names_depend_on_the_key() {
        let name = |key| Sealer::new(&Key::new([key; 32])).name(&[1; 32]);
        assert_ne!(name(1), name(2));
    }
}
