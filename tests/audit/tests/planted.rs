//! Faults planted into real processes, one at a time: `chela audit` must say exactly what was planted.
//!
//! The test stands for chelad: it holds the lock of a root and starts a process that the audit takes for a brain. The same
//! process without the fault is audited first; what the fault adds to the lines is what must be found.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use harness::{Home, wait_for};
use nix::fcntl::{Flock, FlockArg};

/// One test at a time is chelad.
static ALONE: Mutex<()> = Mutex::new(());

const TOOLS: &str = "unshare --mount --net --ipc --uts";
const PLAIN: &str = "--clear-groups --bounding-set=-all --inh-caps=-all";

/// Dropped in this order: the ids can't be given back while somebody holds the lock.
struct Stage {
    _lock: Flock<File>,
    home: Home,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let home = Home::new(name).unwrap();
        let mut file = File::create(home.root().join("run/chelad.lock")).unwrap();
        write!(file, "{}", std::process::id()).unwrap();
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| e).unwrap();
        home.place("chela-brain", env!("CARGO_BIN_EXE_sleeper").as_ref()).unwrap();
        Stage { _lock: lock, home }
    }

    /// What the audit says of a process that is started by `namespaces`, `before` in a shell, and `privileges`.
    fn lines(&self, namespaces: &str, before: &str, privileges: &str, stdin: Stdio) -> BTreeSet<String> {
        let uid = fs::metadata(self.home.root().join("var")).map(|_| "65533").unwrap();
        let program = self.home.libexec().join("chela-brain");
        let script = format!(
            "{before} exec setpriv --reuid {uid} --regid {uid} --no-new-privs {privileges} {} 0 $EXTRA",
            program.display()
        );
        let mut words = namespaces.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["sh", "-c", &script]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut child = command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let found = self.audited(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        found
    }

    fn audited(&self, child: &mut Child) -> BTreeSet<String> {
        let exe = format!("/proc/{}/exe", child.id());
        wait_for("the stand-in", Duration::from_secs(5), || {
            fs::read_link(&exe).is_ok_and(|path| path.ends_with("chela-brain")).then_some(())
        })
        .unwrap();
        // It has no seal, so there is always something to say of it, once the audit has seen it.
        wait_for("the audit to see the stand-in", Duration::from_secs(5), || {
            let report = self.home.chela_json(&["audit", "--no-probe"]).unwrap();
            let lines = report["deviations"].as_array().unwrap();
            let of_child = lines.iter().filter(|line| line["pid"] == child.id());
            let said: BTreeSet<_> = of_child.map(|line| line["what"].as_str().unwrap().to_string()).collect();
            (!said.is_empty()).then_some(said)
        })
        .unwrap()
    }

    /// The lines that the fault adds.
    #[track_caller]
    fn planted(&self, words: &[&str], namespaces: &str, before: &str, privileges: &str, stdin: Stdio) {
        let plain = self.lines(TOOLS, "", PLAIN, Stdio::null());
        let faulty = self.lines(namespaces, before, privileges, stdin);
        let added: Vec<&String> = faulty.difference(&plain).collect();
        for word in words {
            assert!(added.iter().any(|line| line.contains(word)), "{word:?} is not among the added lines {added:?}");
        }
        assert_eq!(added.len(), words.len(), "{added:#?}");
    }
}

#[test]
fn an_extra_capability_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-cap");
    let bounding = "--clear-groups --bounding-set=-all,+net_raw --inh-caps=-all";
    stage.planted(&["CapBnd holds CAP_NET_RAW"], TOOLS, "", bounding, Stdio::null());
    let ambient = "--clear-groups --inh-caps=-all,+net_raw --ambient-caps=+net_raw --bounding-set=-all,+net_raw";
    let sets = ["CapInh holds", "CapPrm holds", "CapEff holds", "CapBnd holds", "CapAmb holds"];
    stage.planted(&sets, TOOLS, "", ambient, Stdio::null());
}

#[test]
fn an_extra_group_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-group");
    let grouped = "--groups 27 --bounding-set=-all --inh-caps=-all";
    stage.planted(&["supplementary groups [27]"], TOOLS, "", grouped, Stdio::null());
}

#[test]
fn an_extra_descriptor_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-fd");
    stage.planted(&["descriptor 9: /etc/shadow, open to read"], TOOLS, "exec 9</etc/shadow;", PLAIN, Stdio::null());
}

#[test]
fn an_extra_mount_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-mount");
    let at = stage.home.scratch().join("planted");
    fs::create_dir(&at).unwrap();
    let mount = format!("mount -t tmpfs planted {};", at.display());
    stage.planted(&["planted is mounted (tmpfs, writable)"], TOOLS, &mount, PLAIN, Stdio::null());
}

#[test]
fn a_shared_namespace_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-ns");
    for (without, words) in [
        ("unshare --mount --ipc --uts", "shares the net namespace"),
        ("unshare --mount --net --uts", "shares the ipc namespace"),
        ("unshare --mount --net --ipc", "shares the uts namespace"),
    ] {
        stage.planted(&[words], without, "", PLAIN, Stdio::null());
    }
}

#[test]
fn an_inet_socket_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-inet");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    stage.planted(&["descriptor 0: a tcp socket that listens"], TOOLS, "", PLAIN, Stdio::from(OwnedFd::from(listener)));
}

#[test]
fn an_environment_is_found() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let stage = Stage::new("audit-env");
    stage.planted(&["PLANTED"], TOOLS, "export PLANTED=1;", PLAIN, Stdio::null());
}
