//! A file's content: its digest, and copies that keep its holes.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, SeekFrom, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::limits::{BLOCK_BYTES, CHUNK_BYTES, SMALL_BYTES_MAX};

/// A run of data in a file that may have holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Length and SHA-256 of a file, in one pass over what it has on disk; a hole is hashed as the zeros it reads as.
pub fn digest(file: impl AsFd) -> io::Result<(u64, [u8; 32])> {
    let mut hash = Sha256::new();
    let length = each_run(file, |run| {
        match run {
            Run::Data(bytes) => hash.update(bytes),
            Run::Hole(bytes) => zeros(bytes, |zeros| hash.update(zeros)),
        }
        Ok(())
    })?;
    Ok((length, hash.finalize().into()))
}

/// What [`each_run`] finds, in order.
pub enum Run<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// So many zeros that take no room.
    Hole(u64),
}

/// Calls `with` on all of a file, in order. The length that was seen: what is appended meanwhile is not waited for.
pub fn each_run(file: impl AsFd, mut with: impl FnMut(Run<'_>) -> io::Result<()>) -> io::Result<u64> {
    let stat = rustix::fs::fstat(&file)?;
    let (length, is_dense) = (stat.st_size as u64, is_dense(&stat));
    let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(length).unwrap_or(CHUNK_BYTES))];
    let mut at = 0;
    while at < length {
        let (start, end) = if is_dense { (at, length) } else { next_data(&file, at, length)? };
        if start > at {
            with(Run::Hole(start - at))?;
        }
        at = start;
        while at < end {
            let want = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let got = read_at(&file, &mut buffer[..want], at)?;
            if got == 0 {
                // It was cut short while it was read: whoever compares digests will notice.
                return Ok(at);
            }
            with(Run::Data(&buffer[..got]))?;
            at += got as u64;
        }
    }
    Ok(length)
}

/// A small file that has room on the disk for all of its length, so that no hole in it is worth looking for.
fn is_dense(stat: &Stat) -> bool {
    let length = stat.st_size as u64;
    length <= SMALL_BYTES_MAX && stat.st_blocks as u64 * BLOCK_BYTES >= length
}

/// The next run of data at or behind `at`; where there is none: the end, empty.
fn next_data(file: impl AsFd, at: u64, length: u64) -> io::Result<(u64, u64)> {
    let start = match rustix::fs::seek(&file, SeekFrom::Data(at)) {
        Ok(start) => start.min(length),
        Err(Errno::NXIO) => return Ok((length, length)),
        // A filesystem that knows no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok((at, length)),
        Err(errno) => return Err(errno.into()),
    };
    let end = match rustix::fs::seek(&file, SeekFrom::Hole(start)) {
        Ok(end) => end.min(length),
        Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => length,
        Err(errno) => return Err(errno.into()),
    };
    Ok((start, end.max(start)))
}

/// The runs of data of a file that `stat` is of, or `None` when it has more than `most`.
pub fn extents(file: &File, stat: &Stat, most: usize) -> io::Result<Option<Vec<Extent>>> {
    let length = stat.st_size as u64;
    if is_dense(stat) {
        return Ok(Some(if length > 0 { vec![Extent { offset: 0, bytes: length }] } else { Vec::new() }));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while at < length {
        let (start, end) = next_data(file, at, length)?;
        if end > start {
            if found.len() == most {
                return Ok(None);
            }
            found.push(Extent { offset: start, bytes: end - start });
        }
        at = end.max(at + 1);
    }
    Ok(Some(found))
}

/// Makes `to` hold what `from` does, holes included; `to` may have held anything.
pub fn copy(from: &File, to: &File) -> io::Result<()> {
    to.set_len(0)?;
    let mut at = 0;
    let length = each_run(from, |run| {
        match run {
            Run::Data(bytes) => {
                to.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
            }
            Run::Hole(bytes) => at += bytes,
        }
        Ok(())
    })?;
    to.set_len(length)
}

/// How far a piece of a copy has come.
pub struct Piece {
    /// Where to go on; `None`: all of it is copied.
    pub next: Option<u64>,
    /// Bytes that were copied.
    pub copied: u64,
}

/// Copies `from` into the empty or begun `to` from `at` on, at most about `most` bytes of data; holes stay holes.
pub fn copy_piece(from: &File, to: &File, at: u64, most: u64) -> io::Result<Piece> {
    let length = from.metadata()?.len();
    let (mut at, mut copied) = (at, 0);
    let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(length).unwrap_or(CHUNK_BYTES))];
    while at < length {
        let (start, end) = next_data(from, at, length)?;
        at = start;
        while at < end {
            if copied >= most {
                return Ok(Piece { next: Some(at), copied });
            }
            let want = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let got = read_at(from, &mut buffer[..want], at)?;
            if got == 0 {
                // It was cut short meanwhile.
                return Ok(Piece { next: None, copied });
            }
            to.write_all_at(&buffer[..got], at)?;
            at += got as u64;
            copied += got as u64;
        }
    }
    to.set_len(length)?;
    Ok(Piece { next: None, copied })
}

/// Makes `to` hold what `from` does without ever being shorter than both: the file of several names that is written in
/// place. Room is asked for first, so that a full disk is noticed before anything is written.
pub fn overwrite(from: &File, to: &File) -> io::Result<()> {
    let stat = rustix::fs::fstat(from)?;
    let length = stat.st_size as u64;
    if extents(from, &stat, 1)?.is_some_and(|runs| runs.iter().any(|run| run.bytes == length)) {
        match rustix::fs::fallocate(to, FallocateFlags::KEEP_SIZE, 0, length) {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let mut at = 0;
    each_run(from, |run| {
        match run {
            Run::Data(bytes) => {
                to.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
            }
            Run::Hole(bytes) => {
                clear(to, at, bytes)?;
                at += bytes;
            }
        }
        Ok(())
    })?;
    to.set_len(length)
}

/// Makes a range read as zeros.
fn clear(file: &File, at: u64, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, bytes) {
        Ok(()) => return Ok(()),
        Err(Errno::OPNOTSUPP) => {}
        Err(errno) => return Err(errno.into()),
    }
    let (mut result, mut offset) = (Ok(()), at);
    zeros(bytes, |piece| {
        if result.is_ok() {
            result = file.write_all_at(piece, offset);
            offset += piece.len() as u64;
        }
    });
    result
}

/// All of a file whose length is about `length`; `None` when it is longer than `most`.
pub fn small(file: impl AsFd, length: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
    if length > most {
        return Ok(None);
    }
    // One byte more than it should have: what is not filled shows the end, without another call to find it.
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0) + 1];
    let mut filled = 0;
    loop {
        let got = read_at(&file, &mut bytes[filled..], filled as u64)?;
        filled += got;
        if filled < bytes.len() {
            // A read of a file is short only where it ends.
            bytes.truncate(filled);
            return Ok(Some(bytes));
        }
        if filled as u64 > most {
            return Ok(None);
        }
        // It has grown meanwhile.
        bytes.resize(filled * 2, 0);
    }
}

/// One read at an offset that a signal does not end.
fn read_at(file: impl AsFd, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::io::pread(&file, &mut *buffer, at))?)
}

/// Calls `with` on `bytes` zeros, in pieces.
pub fn zeros(mut bytes: u64, mut with: impl FnMut(&[u8])) {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while bytes > 0 {
        let piece = ZEROS.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        with(&ZEROS[..piece]);
        bytes -= piece as u64;
    }
}
