//! `chela-connector`: one a link, the only role with network, outbound only.

use super::common::{EPERM, FILES_READ, LIFE, LINE_AND_CONTROL, NO_CLONE3, RUNTIME, is, masked, only};
use crate::grant::{
    Access, Account, Edge, FileGrant, Landlock, Limits, Namespace, Network, Processes, Role, Row, Slots, Source,
    SyscallAnswer, SyscallGrant, Until,
};
use crate::limits::{LINK_MAX, LINK_OFFSET, LOG_ONLY_FILE_BYTES, SMALL_ADDRESS_SPACE_BYTES};

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
/// All but SOCK_NONBLOCK and SOCK_CLOEXEC.
const TYPE_MASK: u64 = 0xffff_ffff ^ 0o4000 ^ 0o2000000;
const IPPROTO_TCP: u64 = 6;
const IPPROTO_UDP: u64 = 17;

const INET: &str = "outbound TCP to its link's servers; no MPTCP, no raw socket, no other family";
const DNS: &str = "outbound DNS from a connected, unbound socket";

const OUTBOUND: &[SyscallGrant] = &[
    only("socket", &[is(0, AF_INET), masked(1, TYPE_MASK, SOCK_STREAM), is(2, 0)], INET),
    only("socket", &[is(0, AF_INET), masked(1, TYPE_MASK, SOCK_STREAM), is(2, IPPROTO_TCP)], INET),
    only("socket", &[is(0, AF_INET6), masked(1, TYPE_MASK, SOCK_STREAM), is(2, 0)], INET),
    only("socket", &[is(0, AF_INET6), masked(1, TYPE_MASK, SOCK_STREAM), is(2, IPPROTO_TCP)], INET),
    only("socket", &[is(0, AF_INET), masked(1, TYPE_MASK, SOCK_DGRAM), is(2, 0)], DNS),
    only("socket", &[is(0, AF_INET), masked(1, TYPE_MASK, SOCK_DGRAM), is(2, IPPROTO_UDP)], DNS),
    only("socket", &[is(0, AF_INET6), masked(1, TYPE_MASK, SOCK_DGRAM), is(2, 0)], DNS),
    only("socket", &[is(0, AF_INET6), masked(1, TYPE_MASK, SOCK_DGRAM), is(2, IPPROTO_UDP)], DNS),
    only("connect", &[], "outbound; the firewall rule of its account bounds where to"),
    only("setsockopt", &[is(1, IPPROTO_TCP), is(2, 1)], "TCP_NODELAY; not TCP_FASTOPEN_CONNECT"),
    only("setsockopt", &[is(1, 1), is(2, 9)], "SO_KEEPALIVE"),
    only("getpeername", &[], "which server answered"),
    only("getsockname", &[], "which of its addresses is used"),
];

/// Its row.
pub const ROW: Row = Row {
    role: Role::Connector,
    name: "connector",
    binary: "chela-connector",
    purpose: "Carries one link: a channel's account or a provider.",
    if_taken_over: "Sees and forges the traffic of its own link; reads no memory and no file, runs nothing.",
    slots: Slots::Each { first: 1, last: LINK_MAX },
    account: Account::PerSlot {
        offset: LINK_OFFSET,
        stride: 1,
        why: "an account a link, so that the firewall can tell links apart and no link reads another's state",
    },
    capabilities: &[],
    network: Network::Egress { why: "the one way out: outbound connections, never bind, listen or accept" },
    processes: Processes::None,
    edge: Edge::Gate,
    namespaces: &[Namespace::Mount, Namespace::Pid, Namespace::Ipc, Namespace::Uts],
    files: &[
        FileGrant {
            source: Source::Host("/etc/resolv.conf"),
            inside: "/etc/resolv.conf",
            access: Access::Read,
            until: Until::Exit,
            optional: true,
            why: "which name servers to ask",
        },
        FileGrant {
            source: Source::Host("/etc/hosts"),
            inside: "/etc/hosts",
            access: Access::Read,
            until: Until::Exit,
            optional: true,
            why: "names that the operator fixed",
        },
        FileGrant {
            source: Source::Host("/etc/ssl/certs"),
            inside: "/etc/ssl/certs",
            access: Access::Read,
            until: Until::Exit,
            optional: true,
            why: "whom TLS trusts",
        },
        FileGrant {
            source: Source::Slot { parent: "var/links", leaf: "" },
            inside: "/state",
            access: Access::ReadWrite,
            until: Until::Exit,
            optional: false,
            why: "its own link's state: positions in a channel, keys of a session",
        },
    ],
    descriptors: LINE_AND_CONTROL,
    landlock: Landlock::Full,
    syscalls: &[LIFE, RUNTIME, FILES_READ, OUTBOUND],
    answered: &[
        NO_CLONE3,
        SyscallAnswer { name: "bind", errno: EPERM, why: "resolvers try it before they fall back; it never works" },
    ],
    limits: Limits {
        address_space_bytes: Some(SMALL_ADDRESS_SPACE_BYTES),
        open_files: 256,
        processes: Some(8),
        file_size_bytes: Some(LOG_ONLY_FILE_BYTES),
        cgroup_memory_bytes: 128 << 20,
        cgroup_tasks: 8,
        why: "a handful of connections",
    },
};
