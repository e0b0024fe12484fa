//! Sockets by inode number: family from the tables of /proc/net, the other end of a Unix socket from the kernel's socket
//! diagnosis (sock_diag(7)), who holds which from every process's descriptors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

use super::errors::AuditError;
use super::facts::{Family, Kind, Peer};
use super::proc;

/// Tables of sockets that can be reached over a network.
const INET: [&str; 9] = ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp"];
/// State of a listening TCP socket, and of a connected one, in these tables.
const LISTENS: &str = "0A";
const CONNECTED: &str = "01";
/// Flag of a listening Unix socket in /proc/net/unix.
const ACCEPTS: u64 = 1 << 16;

/// The host's Unix sockets and who holds what.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Process id of chelad.
    launcher: u32,
    /// Inode number of a Unix socket to that of its other end.
    other_end: BTreeMap<u64, u64>,
    /// Unix sockets of the host's network namespace: whether they listen, and their path.
    host_unix: BTreeMap<u64, (bool, String)>,
    /// Inode number to the processes that hold it.
    holders: BTreeMap<u64, BTreeSet<u32>>,
    /// Process of the tree to what it is.
    kinds: BTreeMap<u32, Kind>,
}

impl Sockets {
    /// Looks at every process of the host. `launcher` is in the namespace in which edges are made.
    pub fn collect(launcher: u32, kinds: BTreeMap<u32, Kind>) -> Result<Sockets, AuditError> {
        let other_end = diagnose().map_err(|e| AuditError::Sockets(e.to_string()))?;
        let mut holders: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for pid in proc::parents().into_keys() {
            for (_, target) in links(pid) {
                if let Some(inode) = inode_of(&target) {
                    holders.entry(inode).or_default().insert(pid);
                }
            }
        }
        Ok(Sockets { launcher, other_end, host_unix: unix_table(launcher), holders, kinds })
    }

    /// The family of a socket that process `pid` holds, who holds its other end, and who else holds this one.
    pub fn look(&self, pid: u32, inode: u64) -> (Family, Vec<Peer>, Vec<Peer>) {
        let peers = self.other_end.get(&inode).map(|other| self.who(*other, None)).unwrap_or_default();
        (self.family(pid, inode), peers, self.who(inode, Some(pid)))
    }

    fn who(&self, inode: u64, but: Option<u32>) -> Vec<Peer> {
        let holders = self.holders.get(&inode).into_iter().flatten().filter(|pid| Some(**pid) != but);
        let peers = holders.map(|pid| self.kinds.get(pid).map_or(Peer::Outside, |kind| Peer::Member(*kind)));
        peers.collect::<BTreeSet<Peer>>().into_iter().collect()
    }

    fn family(&self, pid: u32, inode: u64) -> Family {
        if let Some((listening, path)) = self.host_unix.get(&inode) {
            return Family::Unix { listening: *listening, path: path.clone() };
        }
        if unix_table(pid).contains_key(&inode) {
            return Family::UnixOwn;
        }
        // A socket stays in the namespace that it was made in: one that was handed over may be the host's.
        inet(pid, inode).or_else(|| inet(self.launcher, inode)).unwrap_or(Family::Other)
    }
}

fn inet(pid: u32, inode: u64) -> Option<Family> {
    INET.into_iter().find_map(|protocol| {
        let table = proc::text(pid, &format!("net/{protocol}"))?;
        let state = table.lines().skip(1).find_map(|line| inet_state(line, inode))?;
        let listening = if protocol.starts_with("tcp") { state == LISTENS } else { state != CONNECTED };
        Some(Family::Inet { protocol, listening })
    })
}

/// Numbers and targets of a process's descriptors.
pub fn links(pid: u32) -> Vec<(i32, String)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let mut found: Vec<(i32, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// The inode number of `socket:[N]`.
pub fn inode_of(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// `Num RefCount Protocol Flags Type St Inode Path`
fn unix_table(pid: u32) -> BTreeMap<u64, (bool, String)> {
    let table = proc::text(pid, "net/unix").unwrap_or_default();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flags = u64::from_str_radix(fields.get(3)?, 16).ok()?;
        let path = fields.get(7..).unwrap_or_default().join(" ");
        Some((fields.get(6)?.parse().ok()?, (flags & ACCEPTS != 0, path)))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// The state of the socket with that inode number, if the line is its.
fn inet_state(line: &str, inode: u64) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    (fields.get(9)?.parse() == Ok(inode)).then(|| fields.get(3).map(|state| (*state).to_string()))?
}

// Numbers from the kernel's headers: linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_AND_DUMP: u16 = 0x1 | 0x300;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const SHOW_PEER: u32 = 0x4;
const ATTRIBUTE_PEER: u16 = 2;
const HEADER_BYTES: usize = 16;
const UNIX_MESSAGE_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
const BUFFER_BYTES: usize = 1 << 18;

/// Asks the kernel for every Unix socket of this network namespace: inode number to that of its other end.
fn diagnose() -> nix::Result<BTreeMap<u64, u64>> {
    let asked = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    sendto(asked.as_raw_fd(), &request(), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut found = BTreeMap::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = recv(asked.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if read_messages(&buffer[..length], &mut found)? {
            return Ok(found);
        }
    }
}

fn request() -> Vec<u8> {
    let mut bytes = Vec::new();
    let body_bytes = 24;
    bytes.extend((HEADER_BYTES as u32 + body_bytes).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST_AND_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    // struct unix_diag_req: family, protocol, padding, states (all), inode, show, cookie.
    bytes.extend([AddressFamily::Unix as u8, 0, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(SHOW_PEER.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Whether the last message was among them.
fn read_messages(mut bytes: &[u8], found: &mut BTreeMap<u64, u64>) -> nix::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        if length < HEADER_BYTES || length > bytes.len() {
            return Err(nix::errno::Errno::EBADMSG);
        }
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = u32_at(bytes, HEADER_BYTES).unwrap_or_default() as i32;
                return Err(nix::errno::Errno::from_raw(-code));
            }
            _ => read_socket(&bytes[HEADER_BYTES..length], found),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn read_socket(message: &[u8], found: &mut BTreeMap<u64, u64>) {
    let Some(inode) = u32_at(message, 4) else { return };
    let mut attributes = message.get(UNIX_MESSAGE_BYTES..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        if length < ATTRIBUTE_HEADER_BYTES {
            return;
        }
        if kind == ATTRIBUTE_PEER
            && let Some(other) = u32_at(attributes, ATTRIBUTE_HEADER_BYTES)
        {
            found.insert(u64::from(inode), u64::from(other));
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn inode(stream: &UnixStream) -> u64 {
        fs::metadata(format!("/proc/self/fd/{}", stream.as_raw_fd())).expect("an open descriptor").ino()
    }

    #[test]
    fn the_kernel_says_who_is_at_the_other_end() {
        let (one, other) = UnixStream::pair().expect("a socketpair");
        let me = std::process::id();
        let kinds = BTreeMap::from([(me, Kind::Stranger)]);
        let sockets = Sockets::collect(me, kinds).expect("socket diagnosis");
        assert_eq!(sockets.other_end.get(&inode(&one)), Some(&inode(&other)));
        let (family, peers, shared) = sockets.look(me, inode(&one));
        assert_eq!(family, Family::Unix { listening: false, path: String::new() });
        assert_eq!(peers, [Peer::Member(Kind::Stranger)]);
        assert!(shared.is_empty(), "{shared:?}");
    }

    #[test]
    fn a_listening_inet_socket_is_told_from_a_connected_one() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let me = std::process::id();
        let sockets = Sockets::collect(me, BTreeMap::new()).expect("socket diagnosis");
        let inode = |fd: i32| fs::metadata(format!("/proc/self/fd/{fd}")).expect("an open descriptor").ino();
        let family = |fd: i32| sockets.look(me, inode(fd)).0;
        assert_eq!(family(listener.as_raw_fd()), Family::Inet { protocol: "tcp", listening: true });
        assert_eq!(family(client.as_raw_fd()), Family::Inet { protocol: "tcp", listening: false });
    }

    #[test]
    fn a_message_that_lies_about_its_length_is_an_error_not_a_panic() {
        let mut bytes = vec![0; 64];
        bytes[0] = 200;
        assert!(read_messages(&bytes, &mut BTreeMap::new()).is_err());
        bytes[0] = 3;
        assert!(read_messages(&bytes, &mut BTreeMap::new()).is_err());
        assert_eq!(read_messages(&bytes[..3], &mut BTreeMap::new()), Ok(false));
    }
}
