//! Each fault planted into the facts of a process that is as it should be, one at a time.

use std::collections::BTreeMap;

use roles::Role;
use roles::grant::Namespace;
use roles::seal::filter_count;

use super::compare::compare;
use super::compare_sandbox;
use super::facts::{Expected, ExpectedMount, Facts, Family, Fd, Kind, Mount, Peer, Target, Thread};

const UID: u32 = 70_001;
const LAUNCHER: Kind = Kind::Role(Role::Launcher, 0);
const SUPERVISOR: Kind = Kind::Role(Role::Supervisor, 0);
const GATE: Kind = Kind::Role(Role::Gate, 0);

fn namespaces(own: &[&str], number: u64) -> BTreeMap<String, u64> {
    ["ipc", "mnt", "net", "pid", "uts", "user", "cgroup", "time"]
        .into_iter()
        .map(|kind| (kind.to_string(), if own.contains(&kind) { number } else { 1 }))
        .collect()
}

fn file(path: &str, writable: bool) -> Target {
    Target::File { path: path.to_string(), writable }
}

fn unix(peers: &[Kind]) -> Target {
    Target::Socket {
        family: Family::Unix { listening: false, path: String::new() },
        peers: peers.iter().map(|kind| Peer::Member(*kind)).collect(),
        shared_with: Vec::new(),
    }
}

fn thread(filters: u32) -> Thread {
    Thread {
        uids: vec![UID; 4],
        gids: vec![UID; 4],
        groups: Vec::new(),
        capabilities: [0; 5],
        no_new_privs: true,
        seccomp_mode: 2,
        seccomp_filters: filters,
    }
}

/// A role as it should be.
fn sound(role: Role) -> (Facts, Expected) {
    let row = role.row();
    let own: Vec<&str> = row.namespaces.iter().map(|namespace| namespace.proc_name()).collect();
    let log = format!("/root/var/log/{}-1.log", row.name);
    let fd = |number, target| Fd { number, target };
    let facts = Facts {
        pid: 42,
        kind: Kind::Role(role, 1),
        threads: vec![thread(filter_count(row))],
        namespaces: namespaces(&own, 2),
        mounts: vec![Mount {
            point: "/".into(),
            options: ["ro", "nosuid", "nodev", "noexec"].map(str::to_owned).into(),
            fs_type: "tmpfs".into(),
            identity: Some((1, 1)),
        }],
        fds: vec![
            fd(0, file("/dev/null", false)),
            fd(1, file(&log, true)),
            fd(2, file(&log, true)),
            fd(3, unix(&[LAUNCHER])),
            fd(4, unix(&[LAUNCHER, SUPERVISOR])),
            fd(5, Target::Anonymous("eventpoll".into())),
            fd(6, unix(&[GATE])),
        ],
        limits: [
            ("Max core file size", Some(1)),
            ("Max address space", row.limits.address_space_bytes),
            ("Max open files", Some(row.limits.open_files)),
            ("Max processes", row.limits.processes),
            ("Max file size", row.limits.file_size_bytes),
        ]
        .into_iter()
        .map(|(name, bound)| (name.to_string(), (bound, bound)))
        .collect(),
        environment: Vec::new(),
        cgroup: "/".into(),
        cgroup_bounds: None,
        label: String::new(),
        children: Vec::new(),
        pss_kib: None,
    };
    let floor =
        ExpectedMount { options: &["ro", "nosuid", "nodev", "noexec"], optional: false, mapped: false, identity: None };
    let expected = Expected {
        ids: Some((UID, UID)),
        filters_base: 0,
        launcher_namespaces: namespaces(&[], 0),
        mounts: BTreeMap::from([("/".to_string(), floor)]),
        log: log.into(),
        audit_log: "/root/var/audit/audit.log".into(),
        listener: "/root/run/chela.sock".into(),
        has_cgroups: false,
    };
    (facts, expected)
}

/// Plants one fault in a brain and expects one line that has these words.
#[track_caller]
fn found(words: &str, plant: impl FnOnce(&mut Facts, &mut Expected)) {
    let (mut facts, mut expected) = sound(Role::Brain);
    plant(&mut facts, &mut expected);
    let lines: Vec<String> =
        compare(&facts, Role::Brain.row(), &expected).into_iter().map(|deviation| deviation.what).collect();
    assert!(lines.len() == 1 && lines[0].contains(words), "{words:?}: {lines:?}");
}

#[test]
fn a_sound_brain_has_no_deviation() {
    let (facts, expected) = sound(Role::Brain);
    assert_eq!(compare(&facts, Role::Brain.row(), &expected), []);
}

#[test]
fn an_extra_capability_is_found_in_every_set() {
    for (set, name) in super::facts::CAPABILITY_SETS.into_iter().enumerate() {
        found(&format!("{name} holds CAP_NET_RAW"), |facts, _| facts.threads[0].capabilities[set] = 1 << 13);
    }
}

#[test]
fn a_second_thread_is_looked_at_too() {
    found("CapEff holds CAP_SYS_ADMIN", |facts, _| {
        let mut second = facts.threads[0].clone();
        second.capabilities[2] = 1 << 21;
        facts.threads.push(second);
    });
}

#[test]
fn a_wrong_account_or_group_is_found() {
    found("user ids", |facts, _| facts.threads[0].uids[2] = 0);
    found("group ids", |facts, _| facts.threads[0].gids[1] = 0);
    found("supplementary groups [27]", |facts, _| facts.threads[0].groups = vec![27]);
    found("no account", |_, expected| expected.ids = None);
}

#[test]
fn a_missing_seal_is_found() {
    found("no_new_privs", |facts, _| facts.threads[0].no_new_privs = false);
    found("seccomp mode 0", |facts, _| facts.threads[0].seccomp_mode = 0);
    found("1 seccomp filters", |facts, _| facts.threads[0].seccomp_filters = 1);
    found("3 seccomp filters", |facts, _| facts.threads[0].seccomp_filters = 3);
    found("the table makes 4", |_, expected| expected.filters_base = 2);
}

#[test]
fn a_shared_namespace_is_found() {
    for namespace in Namespace::ALL {
        let name = namespace.proc_name();
        found(&format!("shares the {name} namespace"), |facts, expected| {
            let launchers = expected.launcher_namespaces[name];
            facts.namespaces.insert(name.to_string(), launchers);
        });
    }
    found("user namespace of its own", |facts, _| {
        facts.namespaces.insert("user".into(), 9);
    });
}

#[test]
fn an_extra_or_loose_mount_is_found() {
    let home = Mount { point: "/home".into(), options: vec!["rw".into()], fs_type: "ext4".into(), identity: None };
    found("/home is mounted (ext4, writable)", |facts, _| facts.mounts.push(home));
    found("/ is mounted without ro", |facts, _| facts.mounts[0].options[0] = "rw".into());
    found("/ is mounted over a second time", |facts, _| facts.mounts.push(facts.mounts[0].clone()));
    found("/ is not mounted", |facts, _| facts.mounts.clear());
    found("another file or directory", |_, expected| {
        if let Some(floor) = expected.mounts.get_mut("/") {
            floor.identity = Some((1, 2));
        }
    });
}

#[test]
fn a_directory_whose_owner_is_not_mapped_is_found_and_so_is_one_mapped_unasked() {
    let mapped = "idmapped".to_string();
    found("with owners mapped; the table says as they are", |facts, _| facts.mounts[0].options.push(mapped));
    found("without its owner mapped", |_, expected| {
        if let Some(floor) = expected.mounts.get_mut("/") {
            floor.mapped = true;
        }
    });
}

#[test]
fn an_undeclared_descriptor_is_found() {
    let plant = |target: Target| move |facts: &mut Facts, _: &mut Expected| facts.fds.push(Fd { number: 9, target });
    found("descriptor 9: /etc/shadow, open to read", plant(file("/etc/shadow", false)));
    found("descriptor 9: a pipe", plant(Target::Pipe));
    found("descriptor 9: pidfd", plant(Target::Anonymous("pidfd".into())));
    found("descriptor 9: io_uring", plant(Target::Anonymous("io_uring".into())));
    found("holds 2 edges", plant(unix(&[GATE])));
    found("leads to [memory 1]", plant(unix(&[Kind::Role(Role::Memory, 1)])));
    found("descriptor 4 is closed", |facts, _| facts.fds.retain(|fd| fd.number != 4));
    found("descriptor 1: /etc/motd", |facts, _| facts.fds[1].target = file("/etc/motd", true));
    found("descriptor 3: a Unix socket", |facts, _| facts.fds[3].target = unix(&[GATE]));
    found("holds too", |facts, _| {
        if let Target::Socket { shared_with, .. } = &mut facts.fds[6].target {
            shared_with.push(Peer::Member(Kind::Role(Role::Memory, 1)));
        }
    });
}

#[test]
fn a_socket_of_another_family_is_found() {
    let socket = |family| Target::Socket { family, peers: Vec::new(), shared_with: Vec::new() };
    for (family, words) in [
        (Family::Inet { protocol: "tcp", listening: false }, "a tcp socket; the table grants no network"),
        (Family::Inet { protocol: "udp6", listening: true }, "a udp6 socket that listens"),
        (Family::Other, "a family that the table grants nobody"),
        (Family::UnixOwn, "that the launcher did not make"),
    ] {
        found(words, |facts, _| facts.fds.push(Fd { number: 9, target: socket(family) }));
    }
}

#[test]
fn the_connector_may_connect_and_not_listen() {
    let (mut facts, expected) = sound(Role::Connector);
    let socket = |listening| Target::Socket {
        family: Family::Inet { protocol: "tcp", listening },
        peers: Vec::new(),
        shared_with: Vec::new(),
    };
    facts.fds.push(Fd { number: 9, target: socket(false) });
    assert_eq!(compare(&facts, Role::Connector.row(), &expected), []);
    facts.fds.push(Fd { number: 10, target: socket(true) });
    assert_eq!(compare(&facts, Role::Connector.row(), &expected).len(), 1);
}

#[test]
fn a_loose_limit_an_environment_and_a_child_are_found() {
    found("Max core file size: unlimited", |facts, _| {
        facts.limits.insert("Max core file size".into(), (None, None));
    });
    found("Max open files: 32 (hard 64)", |facts, _| {
        facts.limits.insert("Max open files".into(), (Some(32), Some(64)));
    });
    found("environment has PATH", |facts, _| facts.environment.push("PATH".into()));
    found("has children ([43])", |facts, _| facts.children.push(43));
    found("control group / has the bounds None", |_, expected| expected.has_cgroups = true);
}

/// A maker's and a sandbox's facts as they should be, with their executor's.
fn below_executor() -> (Facts, Facts, Facts, Expected) {
    let (executor, expected) = sound(Role::Executor);
    let shared = executor.namespaces.clone();
    let own = |kinds: &[&str]| {
        shared.iter().map(|(kind, n)| (kind.clone(), if kinds.contains(&kind.as_str()) { 7 } else { *n })).collect()
    };
    let base = Facts { mounts: Vec::new(), fds: Vec::new(), ..executor.clone() };
    let maker =
        Facts { kind: Kind::Maker(1), threads: vec![thread(1)], namespaces: own(&["user", "mnt"]), ..base.clone() };
    let sandbox = Facts {
        kind: Kind::Sandbox(1),
        threads: vec![thread(2)],
        namespaces: own(&["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]),
        ..base
    };
    (executor, maker, sandbox, expected)
}

#[test]
fn a_sound_sandbox_and_maker_have_no_deviation() {
    let (executor, maker, sandbox, expected) = below_executor();
    assert_eq!(compare_sandbox::maker(&maker, &expected, &executor), []);
    assert_eq!(compare_sandbox::sandbox(&sandbox, &expected, &executor), []);
}

#[test]
fn a_sandbox_that_shares_the_network_or_keeps_a_capability_is_found() {
    let (executor, _, mut sandbox, expected) = below_executor();
    sandbox.namespaces.insert("net".into(), executor.namespaces["net"]);
    sandbox.threads[0].capabilities[2] = 1 << 21;
    sandbox.threads[0].seccomp_filters = 1;
    sandbox.fds.push(Fd { number: 5, target: unix(&[GATE]) });
    let lines = compare_sandbox::sandbox(&sandbox, &expected, &executor);
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn a_sandbox_that_waits_is_capable_in_its_own_namespaces_only_and_once_filtered_of_nothing() {
    let (executor, _, mut sandbox, expected) = below_executor();
    sandbox.kind = Kind::Waiting(1);
    sandbox.threads[0].seccomp_filters -= 1;
    for set in [1, 2, 3] {
        sandbox.threads[0].capabilities[set] = !0 >> 23;
    }
    assert_eq!(compare_sandbox::waiting(&sandbox, &expected, &executor), []);
    let mut bad = sandbox.clone();
    bad.threads[0].capabilities[4] = 1;
    bad.namespaces.insert("user".into(), executor.namespaces["user"]);
    bad.fds.push(Fd { number: 5, target: unix(&[GATE]) });
    assert_eq!(compare_sandbox::waiting(&bad, &expected, &executor).len(), 3);
    sandbox.threads[0].seccomp_filters += 1;
    assert_eq!(compare_sandbox::waiting(&sandbox, &expected, &executor).len(), 3);
}

#[test]
fn a_maker_with_a_socket_of_the_host_is_found() {
    let (executor, mut maker, _, expected) = below_executor();
    maker.fds.push(Fd { number: 5, target: unix(&[GATE]) });
    maker.namespaces.insert("net".into(), 99);
    let lines = compare_sandbox::maker(&maker, &expected, &executor);
    assert_eq!(lines.len(), 2, "{lines:?}");
}
