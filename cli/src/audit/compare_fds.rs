//! Descriptors against a row: the declared numbers, what a runtime makes for itself, edges by who holds their other end.

use roles::Role;
use roles::fd;
use roles::grant::{Access, DescriptorKind, Edge, Network, Processes, Row, Until};
use roles::invariants::grants_syscall;

use super::facts::{Expected, Facts, Family, Fd, Kind, Peer, Target};

const NULL: &str = "/dev/null";

/// Adds a line for each descriptor that the row does not account for, and for each that is missing.
pub fn descriptors(facts: &Facts, row: &Row, expected: &Expected, found: &mut Vec<String>) {
    for descriptor in &facts.fds {
        if let Some(wrong) = wrong(descriptor, row, expected) {
            found.push(format!("descriptor {}: {wrong}", descriptor.number));
        }
    }
    if row.role == Role::Launcher {
        return;
    }
    let numbered = row.descriptors.iter().filter_map(|d| d.number);
    for number in [0, 1, 2].into_iter().chain(numbered) {
        if !facts.fds.iter().any(|d| d.number == number) {
            found.push(format!("descriptor {number} is closed; the table says that it is open"));
        }
    }
    let edges = facts.fds.iter().filter(|d| is_edge(d, row, expected)).count();
    if matches!(row.edge, Edge::Gate) && edges > 1 {
        found.push(format!("holds {edges} edges to the gate; the table says one"));
    }
}

fn is_edge(descriptor: &Fd, row: &Row, expected: &Expected) -> bool {
    let numbered = row.descriptors.iter().any(|d| d.number == Some(descriptor.number));
    !numbered
        && matches!(descriptor.target, Target::Socket { family: Family::Unix { .. }, .. })
        && wrong(descriptor, row, expected).is_none()
}

/// What is wrong with it, if anything.
fn wrong(descriptor: &Fd, row: &Row, expected: &Expected) -> Option<String> {
    match &descriptor.target {
        Target::Socket { family, peers, shared_with } => {
            shared(shared_with, row).or_else(|| socket(descriptor.number, family, peers, row, expected))
        }
        Target::File { path, writable } => file(descriptor.number, path, *writable, row, expected),
        Target::Pipe => pipe(row),
        Target::Anonymous(name) => anonymous(name, row),
    }
}

/// The launcher keeps copies of what it made; nobody else does.
fn shared(with: &[Peer], row: &Row) -> Option<String> {
    let strangers: Vec<Peer> =
        with.iter().copied().filter(|p| !matches!(p, Peer::Member(k) if is_launcher(*k))).collect();
    (row.role != Role::Launcher && !strangers.is_empty())
        .then(|| format!("a socket that [{}] holds too; each end is one process's", names(&strangers)))
}

fn pipe(row: &Row) -> Option<String> {
    // The launcher learns from a pipe how a start went; an executor reads its sandboxes' output from pipes.
    let may = matches!(row.processes, Processes::Roles { .. } | Processes::Sandboxes { .. });
    (!may && !grants_syscall(row, "pipe2")).then(|| "a pipe; the table grants none".to_string())
}

fn anonymous(name: &str, row: &Row) -> Option<String> {
    let call = match name {
        "eventpoll" => "epoll_create1",
        "eventfd" => "eventfd2",
        "pidfd" => "pidfd_open",
        "signalfd" => "signalfd4",
        _ => "",
    };
    let launchers_own = row.role == Role::Launcher && matches!(name, "eventpoll" | "pidfd" | "signalfd");
    (!launchers_own && (call.is_empty() || !grants_syscall(row, call)))
        .then(|| format!("{name}; the table grants no call that makes one"))
}

fn file(number: i32, path: &str, writable: bool, row: &Row, expected: &Expected) -> Option<String> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    if row.role == Role::Launcher {
        return launcher_file(number, path, writable, expected);
    }
    match number {
        0 if path == NULL => return None,
        0 => return Some(format!("{path}; the table says {NULL}")),
        1 | 2 if expected.log.as_os_str() == path || set_aside(path, expected) => return None,
        1 | 2 => return Some(format!("{path}; the table says {}", expected.log.display())),
        fd::AUDIT_LOG if declares(row, DescriptorKind::AuditLog) && expected.audit_log.as_os_str() == path => {
            return None;
        }
        _ => {}
    }
    let granted = row.files.iter().filter(|grant| grant.until == Until::Exit).any(|grant| {
        let inside = path == grant.inside || path.strip_prefix(grant.inside).is_some_and(|rest| rest.starts_with('/'));
        inside && (!writable || may_write(grant.access))
    });
    let how = if writable { "open to write" } else { "open to read" };
    (!granted).then(|| format!("{path}, {how}; the table does not grant it"))
}

/// A log stream that was renamed when it had grown large.
fn set_aside(path: &str, expected: &Expected) -> bool {
    path.strip_suffix(".1").is_some_and(|path| expected.log.as_os_str() == path)
}

/// Its own standard streams and program descriptors are the service manager's and its own business; what it writes is not.
fn launcher_file(number: i32, path: &str, writable: bool, expected: &Expected) -> Option<String> {
    let root = expected.audit_log.ancestors().nth(3);
    let own = root.is_some_and(|root| path.starts_with(&*root.to_string_lossy()));
    (number > 2 && writable && !own && path != NULL)
        .then(|| format!("{path}, open to write; the launcher writes below its root directory only"))
}

fn declares(row: &Row, kind: DescriptorKind) -> bool {
    row.descriptors.iter().any(|d| d.what == kind)
}

fn may_write(access: Access) -> bool {
    match access {
        Access::ReadWrite | Access::ReadWriteExecute | Access::Device => true,
        Access::Read | Access::ReadExecute => false,
    }
}

fn socket(number: i32, family: &Family, peers: &[Peer], row: &Row, expected: &Expected) -> Option<String> {
    match family {
        Family::Inet { protocol, listening: true } => {
            Some(format!("a {protocol} socket that listens; no role listens"))
        }
        Family::Inet { protocol, listening: false } => match row.network {
            Network::Egress { .. } => None,
            Network::None | Network::Unused { .. } => Some(format!("a {protocol} socket; the table grants no network")),
        },
        Family::Other => Some("a socket of a family that the table grants nobody".to_string()),
        Family::UnixOwn => match (number, row.processes) {
            (fd::MAKER, Processes::Sandboxes { .. }) => None,
            _ => Some("a Unix socket that the launcher did not make".to_string()),
        },
        Family::Unix { listening, path } => unix(number, *listening, path, peers, row, expected),
    }
}

fn unix(number: i32, listening: bool, path: &str, peers: &[Peer], row: &Row, expected: &Expected) -> Option<String> {
    let on_listener = expected.listener.as_os_str() == path || expected.listener.ends_with(path);
    if row.role == Role::Launcher {
        return (listening && !on_listener)
            .then(|| format!("listens on {path}; the table says {}", expected.listener.display()));
    }
    let held_by =
        |kind: fn(Kind) -> bool| !peers.is_empty() && peers.iter().all(|p| matches!(p, Peer::Member(k) if kind(*k)));
    let declared = row.descriptors.iter().find(|d| d.number == Some(number)).map(|d| d.what);
    let fine = match declared {
        Some(DescriptorKind::Line) => !listening && held_by(is_launcher),
        // The launcher keeps a copy of the supervisor's end, so that a role does not notice a new supervisor.
        Some(DescriptorKind::Control) => !listening && held_by(is_launcher_or_supervisor),
        Some(DescriptorKind::Listener) => listening && on_listener,
        Some(DescriptorKind::Edge | DescriptorKind::AuditLog) => false,
        None => match row.edge {
            Edge::Gate => !listening && path.is_empty() && held_by(is_gate),
            // Edges, whose other ends roles hold; and people, whom it accepted on its listener.
            Edge::Hub { .. } => !listening && (on_listener && !path.is_empty() || held_by(is_role)),
            // Control lines, which it received from the launcher.
            Edge::None { .. } => !listening && path.is_empty() && held_by(is_role),
        },
    };
    // An end whose other end is gone is about to be closed: its holder has been told, or is being told.
    let hung_up = peers.is_empty() && !listening && path.is_empty();
    let is_closing = hung_up && declared.is_none();
    (!(fine || is_closing)).then(|| describe(listening, path, peers))
}

fn describe(listening: bool, path: &str, peers: &[Peer]) -> String {
    let place = if path.is_empty() { String::new() } else { format!(" at {path}") };
    let verb = if listening { "listens" } else { "leads" };
    format!("a Unix socket{place} that {verb} to [{}]; the table does not grant it", names(peers))
}

fn names(peers: &[Peer]) -> String {
    let names = peers.iter().map(|peer| match peer {
        Peer::Member(kind) => kind.name(),
        Peer::Outside => "a process outside the tree".to_string(),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn is_launcher(kind: Kind) -> bool {
    matches!(kind, Kind::Role(Role::Launcher, _))
}

fn is_launcher_or_supervisor(kind: Kind) -> bool {
    matches!(kind, Kind::Role(Role::Launcher | Role::Supervisor, _))
}

fn is_gate(kind: Kind) -> bool {
    matches!(kind, Kind::Role(Role::Gate, _))
}

fn is_role(kind: Kind) -> bool {
    match kind {
        Kind::Role(role, _) => role != Role::Launcher,
        Kind::Maker(_) | Kind::Waiting(_) | Kind::Sandbox(_) | Kind::Stranger => false,
    }
}
