//! The whole of an import but its being kept: done by who has nothing but the image's files and one empty directory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::document::{Image, find};
use crate::error::ImportError;
use crate::layer::Applying;
use crate::limits::{ENVIRONMENT_BYTES, Limits, VARIABLES};
use crate::ready;
use crate::source::{Blobs, Opened};
use crate::tree::{Tree, open_beneath};

/// The tree, below an image's directory.
pub const ROOTFS: &str = "rootfs";
/// The environment, beside it: `NAME=value`, each ended by a zero byte.
pub const ENVIRONMENT: &str = "environment";

/// What is wanted of an unpacking.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// Which image of the layout.
    pub reference: Option<String>,
    /// Images that are there already, by digest: nothing is unpacked for those.
    pub have: BTreeSet<String>,
}

/// What was unpacked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unpacked {
    /// Digest of the image's configuration, in hexadecimal.
    pub digest: String,
    /// What the layout calls it.
    pub reference: Option<String>,
    /// It was there already.
    pub had: bool,
    /// Layers.
    pub layers: usize,
    /// Bytes of them, unpacked.
    pub bytes: u64,
    /// Entries of them.
    pub entries: u64,
    /// What was left out, for a person.
    pub notes: Vec<String>,
}

/// Unpacks the image into the empty directory `into`.
///
/// # Errors
/// See [`ImportError`]. What is in the directory then is of no use.
pub fn unpack(opened: Opened, into: BorrowedFd<'_>, wanted: &Wanted, limits: &Limits) -> Result<Unpacked, ImportError> {
    let blobs = Blobs::of(opened, limits)?;
    let image = find(&blobs, wanted.reference.as_deref(), limits)?;
    let mut unpacked = Unpacked {
        digest: image.digest.clone(),
        reference: image.reference.clone(),
        had: wanted.have.contains(&image.digest),
        layers: image.layers.len(),
        bytes: 0,
        entries: 0,
        notes: Vec::new(),
    };
    if unpacked.had {
        return Ok(unpacked);
    }
    let write = |what: &str| {
        let what = what.to_owned();
        move |errno: rustix::io::Errno| ImportError::Write { what, error: errno.into() }
    };
    rustix::fs::mkdirat(into, ROOTFS, Mode::from_raw_mode(0o755)).map_err(write(ROOTFS))?;
    let root = open_beneath(into, ROOTFS.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY).map_err(write(ROOTFS))?;
    let mut tree = Tree::new(root);
    let mut applying = Applying::new(&mut tree, &blobs, limits);
    for layer in &image.layers {
        applying.layer(layer)?;
    }
    let done = applying.done;
    ready::make(&mut tree)?;
    let dropped = environment(into, &image)?;
    rustix::fs::syncfs(into).map_err(write("the image to the disk"))?;
    (unpacked.bytes, unpacked.entries) = (done.bytes, done.entries);
    if done.stripped > 0 {
        let note = format!("{} entries had set-id bits or extended attributes, which are left out", done.stripped);
        unpacked.notes.push(note);
    }
    if dropped > 0 {
        unpacked.notes.push(format!("{dropped} variables of its environment are none, and are left out"));
    }
    Ok(unpacked)
}

/// Writes the environment. How many variables were left out.
fn environment(into: BorrowedFd<'_>, image: &Image) -> Result<usize, ImportError> {
    if image.environment.len() > VARIABLES {
        return Err(ImportError::Limit { what: "variables of the environment".to_owned(), limit: VARIABLES as u64 });
    }
    let (good, bad): (Vec<_>, Vec<_>) = image.environment.iter().partition(|variable| is_variable(variable));
    let text: Vec<u8> = good.iter().flat_map(|variable| [variable.as_bytes(), b"\0"].concat()).collect();
    if text.len() > ENVIRONMENT_BYTES {
        return Err(ImportError::Limit {
            what: "bytes of the environment".to_owned(),
            limit: ENVIRONMENT_BYTES as u64,
        });
    }
    let failed = |error: std::io::Error| ImportError::Write { what: ENVIRONMENT.to_owned(), error };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let file = rustix::fs::openat(into.as_fd(), ENVIRONMENT, flags, mode).map_err(|errno| failed(errno.into()))?;
    File::from(file).write_all(&text).map_err(failed)?;
    Ok(bad.len())
}

/// `NAME=value`, without a zero byte.
fn is_variable(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let named = |name: &str| name.bytes().all(plain) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    !text.contains('\0') && text.split_once('=').is_some_and(|(name, _)| named(name))
}
