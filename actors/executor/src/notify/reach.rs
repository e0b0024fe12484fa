//! Whom a command tried to reach. Its network is empty, so whatever is read here decides nothing: a thread that changes an
//! address after it was looked at has reached nobody either.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits::{HOST_BYTES, HOSTS};

use super::caller::{Caller, Memory};
use super::sys::Notice;

/// `struct sockaddr_in6`; a longer address is of another family.
const ADDRESS_BYTES: usize = 28;
/// Messages of one sendmmsg that are looked at.
const MESSAGES: u64 = 16;
/// Bytes of a `struct mmsghdr`, and of the part of a `struct msghdr` that says where the address is.
const MESSAGE_BYTES: u64 = 64;
const HEADER_BYTES: usize = 12;

/// Hosts, in the order in which they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// A name, or a name or address with port and protocol.
    pub hosts: Vec<String>,
    /// Hosts beyond those.
    pub more: u64,
}

/// What became of a host that was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Added {
    /// It is listed now.
    New,
    /// It was listed already.
    Known,
    /// There is no room for it.
    Counted,
}

impl Reached {
    /// Adds one, unless it is there. What is too much is counted.
    pub fn add(&mut self, host: String) -> Added {
        if self.hosts.contains(&host) {
            return Added::Known;
        }
        if self.hosts.len() >= HOSTS || host.len() > HOST_BYTES {
            self.more = self.more.saturating_add(1);
            return Added::Counted;
        }
        self.hosts.push(host);
        Added::New
    }

    /// Without names that were looked up and then reached.
    pub fn finish(mut self) -> Reached {
        let reached = |host: &str| host.rsplit_once(':').map(|(name, _)| name.to_owned());
        let names: BTreeSet<String> = self.hosts.iter().filter_map(|host| reached(host)).collect();
        self.hosts.retain(|host| host.contains(':') || !names.contains(host));
        self
    }
}

/// The addresses outside that a call names, and its socket's protocol.
pub fn targets(notice: &Notice) -> Option<(Vec<SocketAddr>, String)> {
    let caller = Caller(notice.thread);
    let memory = caller.memory()?;
    let [socket, second, third, _, fifth, sixth] = notice.arguments;
    let found: Vec<SocketAddr> = match notice.number {
        libc::SYS_connect => address(&memory, second, third).into_iter().collect(),
        libc::SYS_sendto => address(&memory, fifth, sixth).into_iter().collect(),
        libc::SYS_sendmsg => of_message(&memory, second).into_iter().collect(),
        libc::SYS_sendmmsg => {
            let each = (0..third.min(MESSAGES)).map(|at| second.saturating_add(at * MESSAGE_BYTES));
            each.filter_map(|at| of_message(&memory, at)).collect()
        }
        _ => return None,
    };
    let outside: Vec<SocketAddr> = found.into_iter().filter(is_outside).collect();
    (!outside.is_empty()).then(|| (outside, caller.protocol(socket as i32)))
}

fn of_message(memory: &Memory, at: u64) -> Option<SocketAddr> {
    let mut header = [0; HEADER_BYTES];
    if memory.bytes(at, &mut header)? < HEADER_BYTES {
        return None;
    }
    let [a, b, c, d, e, f, g, h, length @ ..] = header;
    address(memory, u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from(u32::from_le_bytes(length)))
}

fn address(memory: &Memory, at: u64, length: u64) -> Option<SocketAddr> {
    let mut bytes = [0; ADDRESS_BYTES];
    let wanted = ADDRESS_BYTES.min(usize::try_from(length).ok()?);
    let got = memory.bytes(at, &mut bytes[..wanted])?;
    parse(&bytes[..got])
}

/// A `struct sockaddr` of IPv4 or IPv6.
fn parse(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    let address = match i32::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(address.to_canonical(), port))
}

fn is_outside(address: &SocketAddr) -> bool {
    let address = address.ip();
    !address.is_loopback() && !address.is_unspecified()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let four = [2, 0, 1, 187, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&four), Some("192.0.2.7:443".parse().unwrap()));
        let mut six = [0; 28];
        (six[0], six[3]) = (10, 80);
        six[8..24].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(parse(&six), Some("[2001:db8::1]:80".parse().unwrap()));
        six[8..24].copy_from_slice(&"::ffff:127.0.0.1".parse::<Ipv6Addr>().unwrap().octets());
        assert!(!is_outside(&parse(&six).unwrap()));
        for bytes in [&b""[..], b"\x02\0", b"\x02\0\x01\xbb\x7f", b"\x01\0/tmp/socket", &six[..20]] {
            assert_eq!(parse(bytes), None);
        }
    }

    #[test]
    fn hosts_are_bounded() {
        let mut reached = Reached::default();
        for number in 0..HOSTS + 5 {
            let host = format!("host{number}.example:443/tcp");
            let (first, again) =
                if number < HOSTS { (Added::New, Added::Known) } else { (Added::Counted, Added::Counted) };
            assert_eq!((reached.add(host.clone()), reached.add(host)), (first, again));
        }
        reached.add("x".repeat(HOST_BYTES + 1));
        assert_eq!((reached.hosts.len(), reached.more), (HOSTS, 11));
    }

    #[test]
    fn a_name_that_was_reached_is_said_once() {
        let mut reached = Reached::default();
        for host in ["example.com", "example.com:443/tcp", "other.example", "[2001:db8::1]:53/udp"] {
            reached.add(host.to_owned());
        }
        assert_eq!(reached.finish().hosts, ["example.com:443/tcp", "other.example", "[2001:db8::1]:53/udp"]);
    }
}
