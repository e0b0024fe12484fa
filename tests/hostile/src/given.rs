//! What an attacker has in hand: the control and a sandbox have real objects of every kind, so that an attempt fails for
//! no other reason than its refusal; a twin has its edge in the place of each.

use std::ffi::CString;
use std::os::fd::RawFd;

use crate::attempts::Target;

/// What an attempt is made with.
#[derive(Clone, Debug)]
pub struct Given {
    /// A connected Unix stream socket; for the control, with a descriptor on its way to it.
    pub stream: RawFd,
    /// A fresh TCP socket.
    pub tcp: RawFd,
    /// A TCP socket that is bound.
    pub bound: RawFd,
    /// A listening socket at which somebody waits.
    pub listener: RawFd,
    /// A fresh Unix stream socket.
    pub unix: RawFd,
    /// A terminal.
    pub terminal: RawFd,
    /// A namespace.
    pub namespace: RawFd,
    /// A mount that is nowhere mounted.
    pub mount: RawFd,
    /// The other process's descriptor.
    pub pidfd: RawFd,
    /// A file that root owns and this process has open.
    pub log: RawFd,
    /// A page of memory of its own.
    pub page: u64,
    /// The other process's number.
    pub victim: i32,
    /// An address in the other process.
    pub address: u64,
    /// The port of the listener on the loopback.
    pub port: u16,
    /// Name of a listening abstract socket of the host.
    pub abstract_name: String,
    /// The target, ending with a zero.
    pub path: CString,
    /// A name beside the target that nothing has.
    pub beside: CString,
    /// The service's root directory on the host.
    pub root: String,
    /// What [`Target::Inside`] is below.
    pub inside: String,
}

impl Given {
    /// With the same descriptor, an edge, in the place of every object.
    pub fn only(edge: RawFd) -> Given {
        Given {
            stream: edge,
            tcp: edge,
            bound: edge,
            listener: edge,
            unix: edge,
            terminal: edge,
            namespace: edge,
            mount: edge,
            pidfd: edge,
            log: libc::STDERR_FILENO,
            page: (place(&[0; 1024]) + 4095) & !4095,
            victim: 1,
            address: 0,
            port: 0,
            abstract_name: String::new(),
            path: CString::default(),
            beside: CString::default(),
            root: String::new(),
            inside: String::new(),
        }
    }

    /// Aims at a target.
    pub fn aim(&mut self, target: Target) {
        let path = match target {
            Target::Nothing => String::new(),
            Target::Host(path) => path.to_owned(),
            Target::Root(path) => format!("{}/{path}", self.root),
            Target::Inside(path) => format!("{}{path}", self.inside),
            Target::OfVictim(file) => format!("/proc/{}/{file}", self.victim),
        };
        self.beside = CString::new(format!("{path}-beside")).unwrap_or_default();
        self.path = CString::new(path).unwrap_or_default();
    }

    /// The target's address.
    pub fn path(&self) -> u64 {
        self.path.as_ptr() as u64
    }

    /// The address of the name beside the target.
    pub fn beside(&self) -> u64 {
        self.beside.as_ptr() as u64
    }

    /// Address of a socket address on the loopback: the listener's.
    pub fn loopback(&self) -> u64 {
        let [high, low] = self.port.to_be_bytes();
        place(&[u64::from_le_bytes([libc::AF_INET as u8, 0, high, low, 127, 0, 0, 1]), 0])
    }

    /// Address and length of the abstract socket's address.
    pub fn abstract_socket(&self) -> (u64, u64) {
        let mut bytes = vec![libc::AF_UNIX as u8, 0, 0];
        bytes.extend(self.abstract_name.as_bytes());
        let length = bytes.len() as u64;
        bytes.resize(128, 0);
        (place_bytes(&bytes), length)
    }
}

/// Puts words where the kernel may read and write them, for the rest of this process's short life.
pub fn place(words: &[u64]) -> u64 {
    Box::leak(words.to_vec().into_boxed_slice()).as_mut_ptr() as u64
}

/// As [`place`], bytes.
pub fn place_bytes(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    place(&words.collect::<Vec<_>>())
}
