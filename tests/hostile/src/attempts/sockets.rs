//! Ways out over sockets, and ways of passing descriptors.

use super::{Attempt, Behind, PRIVILEGE, call, n};
use crate::given::{place, place_bytes};

const AF_UNIX: u64 = libc::AF_UNIX as u64;
const AF_INET: u64 = libc::AF_INET as u64;
const STREAM: u64 = libc::SOCK_STREAM as u64;
const ADDRESS_BYTES: u64 = 16;
const DONTWAIT: u64 = libc::MSG_DONTWAIT as u64;

/// Without a network beside its own loopback, or aimed at a socket that is no such thing.
const NOBODY_THERE: Behind = Behind::Kernel(&[
    libc::ECONNREFUSED,
    libc::ENETUNREACH,
    libc::EISCONN,
    libc::EINVAL,
    libc::EAFNOSUPPORT,
    libc::EACCES,
    libc::EPERM,
]);

/// In the order of socket(2)'s manual.
#[rustfmt::skip]
pub const ATTEMPTS: &[Attempt] = &[
    call("socket_tcp", "talks TCP", "socket", |_| [AF_INET, STREAM, 0, 0, 0, 0]),
    call("socket_tcp6", "talks TCP over IPv6", "socket", |_| [10, STREAM, 0, 0, 0, 0]),
    call("socket_udp", "talks UDP", "socket", |_| [AF_INET, 2, 0, 0, 0, 0]),
    call("socket_raw", "forges packets", "socket", |_| [AF_INET, 3, 1, 0, 0, 0]).behind(PRIVILEGE),
    call("socket_mptcp", "talks TCP past rules on TCP", "socket", |_| [AF_INET, STREAM, 262, 0, 0, 0]),
    call("socket_sctp", "talks SCTP", "socket", |_| [AF_INET, STREAM, 132, 0, 0, 0]),
    call("socket_packet", "reads the wire", "socket", |_| [17, 3, 0x300, 0, 0, 0]).behind(PRIVILEGE),
    call("socket_netlink", "changes routes", "socket", |_| [16, 3, 0, 0, 0, 0]),
    call("socket_unix", "reaches local services", "socket", |_| [AF_UNIX, STREAM, 0, 0, 0, 0]),
    call("socket_vsock", "reaches a hypervisor", "socket", |_| [40, STREAM, 0, 0, 0, 0]),
    call("socket_alg", "drives the kernel's ciphers", "socket", |_| [38, 5, 0, 0, 0, 0]),
    call("socketpair", "makes sockets of its own", "socketpair", |_| [AF_UNIX, STREAM, 0, place(&[0]), 0, 0]),
    call("bind", "takes a port", "bind", |g| [n(g.tcp), any_port(), ADDRESS_BYTES, 0, 0, 0]),
    call("listen", "waits for strangers", "listen", |g| [n(g.bound), 1, 0, 0, 0, 0]),
    call("accept", "lets a stranger in", "accept", |g| [n(g.listener), 0, 0, 0, 0, 0]),
    call("accept4", "lets a stranger in", "accept4", |g| [n(g.listener), 0, 0, 0, 0, 0]),
    call("connect_tcp", "reaches a server", "connect", |g| [n(g.tcp), g.loopback(), ADDRESS_BYTES, 0, 0, 0])
        .behind(NOBODY_THERE),
    call("connect_abstract", "reaches a service of the host", "connect", |g| {
        let (address, length) = g.abstract_socket();
        [n(g.unix), address, length, 0, 0, 0]
    }).behind(NOBODY_THERE),
    call("sendto_fast_open", "connects without connect", "sendto", |g| {
        [n(g.tcp), place(&[0]), 1, libc::MSG_FASTOPEN as u64, g.loopback(), ADDRESS_BYTES]
    }).behind(NOBODY_THERE),
    call("set_fast_open", "has the next write connect", "setsockopt", |g| [n(g.tcp), 6, 30, place(&[1]), 4, 0]),
    call("set_priority_of_root", "a priority for root alone", "setsockopt", |g| [n(g.tcp), 1, 12, place(&[7]), 4, 0])
        .behind(PRIVILEGE),
    call("send_descriptor", "passes a descriptor on", "sendmsg", |g| [n(g.stream), sending(), 0, 0, 0, 0]),
    call("send_descriptors", "passes descriptors on", "sendmmsg", |g| [n(g.stream), sending(), 1, 0, 0, 0]),
    call("receive_descriptor", "is passed a descriptor", "recvmsg", |g| [n(g.stream), receiving(), DONTWAIT, 0, 0, 0]),
    // After it has closed its line, its edge can have the line's number, on which descriptors may arrive.
    call("copy_descriptor", "has a descriptor under a number of its choice", "fcntl", |g| [n(g.stream), 0, 3, 0, 0, 0]),
    call("receive_descriptors", "is passed descriptors", "recvmmsg", |g| {
        [n(g.stream), receiving(), 1, DONTWAIT, 0, 0]
    }),
];

fn any_port() -> u64 {
    place(&[AF_INET | 0x0100_007f << 32, 0])
}

/// A message of one byte with descriptor 0 in it; long enough to be the one of `sendmmsg`, too.
fn sending() -> u64 {
    // Length 20, SOL_SOCKET, SCM_RIGHTS, and the number.
    let control = place(&[20, 1 | 1 << 32, 0]);
    message(place_bytes(b"x"), control, 24)
}

fn receiving() -> u64 {
    message(place(&[0]), place(&[0; 8]), 64)
}

/// A `struct mmsghdr`, which begins with a `struct msghdr`.
fn message(byte: u64, control: u64, control_bytes: u64) -> u64 {
    let vector = place(&[byte, 1]);
    place(&[0, 0, vector, 1, control, control_bytes, 0, 0])
}

/// What passes a descriptor over the socket: the control has one waiting at its own end.
pub fn passing(socket: i32) -> [u64; 6] {
    [n(socket), sending(), 0, 0, 0, 0]
}
