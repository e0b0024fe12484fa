//! The launcher and the gate, as this test plays them: plain blocking calls.

use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, send, sendmsg, socketpair};
use roles::fd;
use roles::launch::EdgeGiven;
use schema::codec;
use schema::edge::Frame;
use schema::edge::control::{FromRole, ToRole};
use schema::limits::CONTROL_PACKET_BYTES;

use crate::sys;

/// How a role is started.
#[derive(Default)]
pub struct How {
    /// Under account 0.
    pub as_root: bool,
    /// One more descriptor of this number.
    pub extra: Option<i32>,
}

/// A started role and the other ends of its lines.
pub struct Started {
    pub child: Child,
    pub line: OwnedFd,
    pub control: OwnedFd,
}

/// The gate's end of an edge.
pub struct Peer(UnixStream);

const NOBODY: u32 = 65534;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

pub fn by_hand(args: &[&str]) -> Child {
    command(args).spawn().unwrap()
}

fn packets() -> (OwnedFd, OwnedFd) {
    let kind = SockType::SeqPacket;
    socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap()
}

pub fn start(slot: &str, change: impl FnOnce(&mut How)) -> Started {
    let mut how = How::default();
    change(&mut how);
    let (line, its_line) = packets();
    let (control, its_control) = packets();
    let mut wanted = vec![(its_line.as_raw_fd(), fd::LINE), (its_control.as_raw_fd(), fd::CONTROL)];
    wanted.extend(how.extra.map(|number| (its_line.as_raw_fd(), number)));
    let mut command = command(&[slot]);
    if !how.as_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    sys::give(&mut command, wanted, 64);
    let child = command.spawn().unwrap();
    Started { child, line, control }
}

/// Waits for the end: its status and what it wrote to its log.
pub fn outcome(mut child: Child) -> (ExitStatus, String) {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap(), said)
}

fn packet(fd: &OwnedFd) -> Vec<u8> {
    sys::wait_readable(fd, Duration::from_secs(10));
    let mut bytes = vec![0; CONTROL_PACKET_BYTES];
    let length = recv(fd.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
    bytes.truncate(length);
    bytes
}

impl Started {
    pub fn line_says(&self) -> Vec<u8> {
        packet(&self.line)
    }

    pub fn line_send(&self, bytes: &[u8]) {
        send(self.line.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL).unwrap();
    }

    pub fn control_says(&self) -> FromRole {
        codec::decode(&packet(&self.control), CONTROL_PACKET_BYTES).unwrap()
    }

    pub fn control_send(&self, bytes: &[u8]) {
        send(self.control.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL).unwrap();
    }

    pub fn tell(&self, message: &ToRole) {
        self.control_send(&codec::encode(message, CONTROL_PACKET_BYTES).unwrap());
    }

    pub fn give_edge(&self, given: EdgeGiven) -> Peer {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let record = given.to_bytes();
        let numbers = [theirs.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&numbers)];
        let parts = [IoSlice::new(&record)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.line.as_raw_fd(), &parts, &rights, flags, None).unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Peer(ours)
    }
}

impl Peer {
    pub fn hello(&mut self) {
        self.send(&Frame::Hello { fingerprint: schema::FINGERPRINT });
    }

    pub fn send(&mut self, frame: &Frame<String>) {
        self.0.write_all(&codec::frame(frame, 1 << 16).unwrap()).unwrap();
    }

    pub fn read(&mut self) -> Frame<String> {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix).unwrap();
        let mut body = vec![0; codec::body_length(prefix, 1 << 16).unwrap()];
        self.0.read_exact(&mut body).unwrap();
        codec::decode(&body, 1 << 16).unwrap()
    }
}
