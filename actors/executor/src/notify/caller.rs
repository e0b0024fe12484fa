//! A thread that waits in a call: what its arguments point to. Everything read here is the command's, and it may have
//! changed it meanwhile: nothing that is decided by it gives a right.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

/// A path of the kernel's, with its final zero.
const PATH_BYTES: usize = libc::PATH_MAX as usize;
/// Most paths are shorter.
const SHORT_PATH_BYTES: usize = 256;

/// The kernel's name of a protocol.
const PROTOCOL_BYTES: usize = 32;

/// The thread.
#[derive(Clone, Copy)]
pub struct Caller(pub u32);

impl Caller {
    /// Its memory. `None` where it can't be read: it is gone, or its program may not be looked into.
    pub fn memory(self) -> Option<Memory> {
        File::open(format!("/proc/{}/mem", self.0)).ok().map(Memory)
    }

    /// The name of the program that it runs, with a line's end.
    pub fn program(self) -> Option<Vec<u8>> {
        std::fs::read(format!("/proc/{}/comm", self.0)).ok()
    }

    /// A path from here to where it means by `path` from `dir`.
    pub fn place(self, dir: i32, path: &CStr) -> Option<CString> {
        if path.to_bytes().starts_with(b"/") {
            return Some(path.to_owned());
        }
        CString::new([self.dir(dir).as_bytes(), b"/", path.to_bytes()].concat()).ok()
    }

    /// The directory that `path` starts from.
    pub fn base(self, dir: i32, path: &CStr) -> Option<OwnedFd> {
        let from = if path.to_bytes().starts_with(b"/") { "/".to_owned() } else { self.dir(dir) };
        open(from.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok()
    }

    /// The protocol of a socket of its, in small letters.
    pub fn protocol(self, socket: i32) -> String {
        let mut name = [0; PROTOCOL_BYTES];
        let length = rustix::fs::getxattr(self.dir(socket), c"system.sockprotoname", &mut name).unwrap_or(0);
        let name = name[..length].split(|byte| *byte == 0 || *byte == b'v').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"tcp") { "tcp".to_owned() } else { "udp".to_owned() }
    }

    fn dir(self, dir: i32) -> String {
        match dir {
            libc::AT_FDCWD => format!("/proc/{}/cwd", self.0),
            number => format!("/proc/{}/fd/{number}", self.0),
        }
    }
}

/// Its memory.
pub struct Memory(File);

impl Memory {
    /// The path at that address.
    pub fn path(&self, address: u64) -> Option<CString> {
        [SHORT_PATH_BYTES, PATH_BYTES].into_iter().find_map(|bytes| {
            let mut buffer = vec![0; bytes];
            let length = self.bytes(address, &mut buffer)?;
            CStr::from_bytes_until_nul(&buffer[..length]).ok().map(CStr::to_owned)
        })
    }

    /// As many bytes as there are from that address on, at most so many.
    pub fn bytes(&self, address: u64, buffer: &mut [u8]) -> Option<usize> {
        self.0.read_at(buffer, address).ok()
    }
}
