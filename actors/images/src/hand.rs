//! What root hands to the process that unpacks: the image's open files, one directory, and what is wanted, over a socket
//! of packets. A packet is a label, with a descriptor or without.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};

use crate::limits::{ANSWER_BYTES, BLOBS};
use crate::source::{Opened, is_digest};
use crate::unpack::Wanted;

const INTO: &str = "into";
const ARCHIVE: &str = "archive";
const INDEX: &str = "index";
const BLOB: &str = "blob ";
const WANTED: &str = "wanted ";

/// All that is handed over.
#[derive(Debug)]
pub struct Handed {
    /// The image's files.
    pub opened: Opened,
    /// The empty directory.
    pub into: OwnedFd,
    /// What is wanted.
    pub wanted: Wanted,
}

/// The two ends.
///
/// # Errors
/// From the system.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Hands it over.
///
/// # Errors
/// When the other end is gone.
pub fn send(socket: impl AsFd, opened: &Opened, into: BorrowedFd<'_>, wanted: &Wanted) -> io::Result<()> {
    let socket = socket.as_fd();
    packet(socket, INTO, Some(into))?;
    match opened {
        Opened::Archive(file) => packet(socket, ARCHIVE, Some(file.as_fd()))?,
        Opened::Layout { index, blobs } => {
            packet(socket, INDEX, Some(index.as_fd()))?;
            for (digest, file) in blobs {
                packet(socket, &format!("{BLOB}{digest}"), Some(file.as_fd()))?;
            }
        }
    }
    let wanted = serde_json::to_string(wanted).map_err(io::Error::other)?;
    packet(socket, &format!("{WANTED}{wanted}"), None)
}

fn packet(socket: BorrowedFd<'_>, label: &str, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> = descriptor.into_iter().collect();
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    let parts = [IoSlice::new(label.as_bytes())];
    rustix::net::sendmsg(socket, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes it.
///
/// # Errors
/// When what comes is something else.
pub fn receive(socket: impl AsFd) -> io::Result<Handed> {
    let nonsense = || io::Error::new(io::ErrorKind::InvalidData, "what was handed over is not an image");
    let (mut into, mut archive, mut index, mut blobs) = (None, None, None, BTreeMap::new());
    let mut buffer = vec![0; ANSWER_BYTES as usize];
    loop {
        let (length, descriptor) = next(socket.as_fd(), &mut buffer)?;
        let label = std::str::from_utf8(&buffer[..length]).map_err(|_| nonsense())?;
        match (label, descriptor) {
            (INTO, Some(fd)) => into = Some(fd),
            (ARCHIVE, Some(fd)) => archive = Some(File::from(fd)),
            (INDEX, Some(fd)) => index = Some(File::from(fd)),
            (label, Some(fd)) => {
                let digest = label.strip_prefix(BLOB).filter(|digest| is_digest(digest)).ok_or_else(nonsense)?;
                if blobs.len() == BLOBS {
                    return Err(nonsense());
                }
                blobs.insert(digest.to_owned(), File::from(fd));
            }
            (label, None) => {
                let wanted = label.strip_prefix(WANTED).ok_or_else(nonsense)?;
                let wanted = serde_json::from_str(wanted).map_err(|_| nonsense())?;
                let opened = match (archive, index) {
                    (Some(file), None) => Opened::Archive(file),
                    (None, Some(index)) => Opened::Layout { index, blobs },
                    (Some(_), Some(_)) | (None, None) => return Err(nonsense()),
                };
                return Ok(Handed { opened, into: into.ok_or_else(nonsense)?, wanted });
            }
        }
    }
}

fn next(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = rustix::net::recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let rights = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok((message.bytes, rights))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_is_handed_over_arrives() {
        let dir = tempfile::tempdir().unwrap();
        let into = crate::tree::open_directory(dir.path()).unwrap();
        let file = || tempfile::tempfile().unwrap();
        let digest = "ab".repeat(32);
        let opened = Opened::Layout { index: file(), blobs: [(digest.clone(), file())].into() };
        let wanted = Wanted { reference: Some("13".to_owned()), have: [digest.clone()].into() };
        let (ours, theirs) = pair().unwrap();
        send(&ours, &opened, into.as_fd(), &wanted).unwrap();
        let handed = receive(&theirs).unwrap();
        assert_eq!(handed.wanted, wanted);
        assert!(matches!(handed.opened, Opened::Layout { blobs, .. } if blobs.contains_key(&digest)));
        packet(ours.as_fd(), "into", None).unwrap();
        assert!(receive(&theirs).is_err());
        drop(ours);
        assert!(receive(&theirs).is_err());
    }
}
