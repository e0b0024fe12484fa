//! What must hold for every row. A table in which one of these fails does not compile.

use crate::TABLE;
use crate::grant::{Account, Edge, Landlock, Namespace, Network, Processes, Role, Row};

const fn has_namespace(row: &Row, wanted: Namespace) -> bool {
    let mut i = 0;
    while i < row.namespaces.len() {
        if row.namespaces[i] as u8 == wanted as u8 {
            return true;
        }
        i += 1;
    }
    false
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether any group of the row grants the system call `name`.
pub const fn grants_syscall(row: &Row, name: &str) -> bool {
    let mut g = 0;
    while g < row.syscalls.len() {
        let mut i = 0;
        while i < row.syscalls[g].len() {
            if same(row.syscalls[g][i].name, name) {
                return true;
            }
            i += 1;
        }
        g += 1;
    }
    false
}

const fn check_why(why: &str) {
    assert!(!why.is_empty(), "every grant says why");
}

const fn check_whys(row: &Row) {
    check_why(row.purpose);
    check_why(row.if_taken_over);
    check_why(row.limits.why);
    match row.account {
        Account::Root { why } | Account::Named { why, .. } | Account::PerSlot { why, .. } => check_why(why),
    }
    let mut i = 0;
    while i < row.files.len() {
        check_why(row.files[i].why);
        i += 1;
    }
    i = 0;
    while i < row.capabilities.len() {
        check_why(row.capabilities[i].why);
        i += 1;
    }
    i = 0;
    while i < row.answered.len() {
        check_why(row.answered[i].why);
        i += 1;
    }
    let mut g = 0;
    while g < row.syscalls.len() {
        i = 0;
        while i < row.syscalls[g].len() {
            check_why(row.syscalls[g][i].why);
            i += 1;
        }
        g += 1;
    }
}

const fn check_privileges(row: &Row) {
    let launcher = row.role as u8 == Role::Launcher as u8;
    assert!(launcher || row.capabilities.is_empty(), "no capability anywhere but the launcher");
    assert!(launcher || !matches!(row.account, Account::Root { .. }), "nobody but the launcher runs as root");
    match row.network {
        Network::Egress { .. } => {
            assert!(row.role as u8 == Role::Connector as u8, "no role but the connector has network");
        }
        Network::Unused { .. } => assert!(launcher, "only the launcher may leave the host's network unused"),
        Network::None => {
            assert!(has_namespace(row, Namespace::Network), "no network means an empty network namespace");
            assert!(!grants_syscall(row, "connect"), "no network means no connect");
        }
    }
    match row.processes {
        Processes::None => assert!(!grants_syscall(row, "execve"), "no processes means no exec"),
        Processes::Sandboxes { .. } => {
            assert!(row.role as u8 == Role::Executor as u8, "nobody but the executor starts sandboxes");
        }
        Processes::Roles { .. } => assert!(launcher, "nobody but the launcher starts roles"),
    }
    assert!(!grants_syscall(row, "listen"), "no role listens");
    assert!(!grants_syscall(row, "bind"), "no role binds");
    assert!(!grants_syscall(row, "ptrace"), "no role traces another");
    assert!(!grants_syscall(row, "sendmmsg"), "no role passes descriptors by a call whose use no filter sees");
    assert!(!grants_syscall(row, "recvmmsg"), "no role is passed descriptors by a call whose use no filter sees");
    assert!(!grants_syscall(row, "io_uring_setup"), "no role bypasses its filter by io_uring");
    if !launcher {
        assert!(!row.syscalls.is_empty(), "every role has an allow-list");
        assert!(has_namespace(row, Namespace::Mount), "every role has a root of its own");
        assert!(has_namespace(row, Namespace::Pid), "every role sees only itself");
        assert!(has_namespace(row, Namespace::Ipc), "every role has its own System V IPC");
        assert!(has_namespace(row, Namespace::Uts), "every role has its own host name");
        assert!(!matches!(row.landlock, Landlock::None { .. }), "every role has a Landlock ruleset");
    }
    match row.edge {
        Edge::Hub { .. } => assert!(row.role as u8 == Role::Gate as u8, "the gate alone is the hub"),
        Edge::None { .. } => {
            assert!(launcher || row.role as u8 == Role::Supervisor as u8, "launcher and supervisor alone have no edge")
        }
        Edge::Gate => {}
    }
}

const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].role as usize == i, "rows stand in the order of the role numbers");
        check_whys(&TABLE[i]);
        check_privileges(&TABLE[i]);
        i += 1;
    }
};
