//! The seal, from inside: each case is a child process (this program again) that seals itself to a row and then does one
//! thing. It must be killed by SIGSYS, or the thing must fail with exactly one error number, or work.
#![deny(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod sys;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use kit::seal::{LandlockVersion, SealError, seal_at};
use nix::errno::Errno;
use roles::grant::{Access, FileGrant, Network, Source, SyscallGrant, Until};
use roles::rows::common::{FILES_READ, LIFE, RUNTIME, THREADS, any};
use roles::{Role, Row};

/// What must come of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// The kernel killed the process for the system call.
    Killed,
    /// The system call failed with this error number.
    Failed(Errno),
    /// It worked.
    Worked,
}

struct Case {
    name: &'static str,
    row: fn() -> Row,
    landlock: LandlockVersion,
    attempt: fn() -> nix::Result<()>,
    expected: Outcome,
}

const NEWEST: LandlockVersion = LandlockVersion::Newest;

const fn case(name: &'static str, row: fn() -> Row, attempt: fn() -> nix::Result<()>, expected: Outcome) -> Case {
    Case { name, row, landlock: NEWEST, attempt, expected }
}

const fn older(version: i32, case: Case) -> Case {
    Case { landlock: LandlockVersion::AtMost(version), ..case }
}

/// A row of the table without its files, which this machine's root directory does not have.
fn without_files(role: Role) -> Row {
    Row { files: &[], ..*role.row() }
}

fn brain() -> Row {
    without_files(Role::Brain)
}

fn connector() -> Row {
    without_files(Role::Connector)
}

fn model() -> Row {
    without_files(Role::Model)
}

/// Calls that no row has, so that Landlock alone stands in the way.
const LOOSE: &[SyscallGrant] = &[
    any("socket", "test"),
    any("bind", "test"),
    any("listen", "test"),
    any("connect", "test"),
    any("kill", "test"),
    any("getppid", "test"),
    any("unlink", "test"),
    any("mkdir", "test"),
    any("rename", "test"),
    any("ftruncate", "test"),
    any("execve", "test"),
];

/// No role: everything that Landlock alone must deny can be tried in it.
fn loose() -> Row {
    const DIRECTORY: FileGrant = FileGrant {
        source: Source::Host("/run"),
        inside: "/run",
        access: Access::ReadWrite,
        until: Until::Exit,
        optional: false,
        why: "test",
    };
    const FILES: &[FileGrant] = &[
        DIRECTORY,
        FileGrant { inside: "/etc/passwd", access: Access::Read, ..DIRECTORY },
        FileGrant { inside: "/usr", access: Access::ReadExecute, until: Until::Sealed, ..DIRECTORY },
        FileGrant { inside: "/no-such-file", optional: true, ..DIRECTORY },
    ];
    Row { files: FILES, syscalls: &[LIFE, RUNTIME, FILES_READ, THREADS, LOOSE], answered: &[], ..*Role::Memory.row() }
}

fn loose_with_egress() -> Row {
    Row { network: Network::Egress { why: "test" }, ..loose() }
}

fn gone() -> Row {
    const FILES: &[FileGrant] = &[FileGrant {
        source: Source::Host("/no-such-file"),
        inside: "/no-such-file",
        access: Access::Read,
        until: Until::Exit,
        optional: false,
        why: "test",
    }];
    Row { files: FILES, ..brain() }
}

use Outcome::{Failed, Killed, Worked};

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("what the list has works", brain, sys::write_log, Worked),
    case("a call that is not on the list", brain, sys::getppid, Killed),
    case("opening a file without the call", brain, sys::open_passwd, Killed),
    case("an inet socket", brain, sys::socket_tcp, Killed),
    case("executable memory", brain, sys::executable_memory, Killed),
    case("a process", brain, sys::fork, Killed),
    case("a thread", brain, sys::thread, Killed),
    case("clone3 is answered", brain, sys::clone3, Failed(Errno::ENOSYS)),
    case("sending a descriptor", brain, sys::sendmsg, Killed),
    case("receiving a descriptor on the line", brain, sys::recvmsg_line, Failed(Errno::ENOTSOCK)),
    case("receiving a descriptor elsewhere", brain, sys::recvmsg_other, Killed),
    case("receiving many at once elsewhere", brain, sys::recvmmsg_other, Killed),
    case("TCP fast open", brain, sys::sendto_fastopen, Killed),
    case("an ioctl", brain, sys::ioctl_tiocsti, Killed),
    case("undoing no-dump", brain, sys::set_dumpable, Killed),
    case("a second filter", brain, sys::seccomp, Killed),
    case("an io_uring", brain, sys::io_uring, Killed),
    case("a 32-bit number of another table", brain, sys::x32_getpid, Killed),
    case("threads where the row has them", model, sys::thread, Worked),
    case("a process where the row has threads", model, sys::fork, Killed),
    case("a namespace by the thread's call", model, sys::clone_namespace, Killed),
    case("outbound TCP in a connector", connector, sys::socket_tcp, Worked),
    case("outbound DNS in a connector", connector, sys::socket_udp, Worked),
    case("MPTCP in a connector", connector, sys::socket_mptcp, Killed),
    case("a raw socket in a connector", connector, sys::socket_raw, Killed),
    case("a Unix socket in a connector", connector, sys::socket_unix, Killed),
    case("a netlink socket in a connector", connector, sys::socket_netlink, Killed),
    case("bind in a connector", connector, sys::bind_tcp_answered, Failed(Errno::EPERM)),
    case("listen in a connector", connector, sys::listen, Killed),
    case("TCP_FASTOPEN_CONNECT in a connector", connector, sys::fastopen_connect, Killed),
    case("a file that is granted", loose, sys::open_passwd, Worked),
    case("writing a file granted to be read", loose, sys::write_passwd, Failed(Errno::EACCES)),
    case("a file that is not granted", loose, sys::open_shadow, Failed(Errno::EACCES)),
    case("the root directory", loose, sys::open_root, Failed(Errno::EACCES)),
    case("a file granted until the seal", loose, sys::open_usr, Failed(Errno::EACCES)),
    case("a file in a directory granted to be written", loose, sys::make_file, Worked),
    case("running a program in a directory not granted to be run", loose, sys::exec_run, Failed(Errno::EACCES)),
    case("TCP bind", loose, sys::bind_tcp, Failed(Errno::EACCES)),
    case("TCP connect", loose, sys::connect_tcp, Failed(Errno::EACCES)),
    case("TCP bind with egress", loose_with_egress, sys::bind_tcp, Failed(Errno::EACCES)),
    case("TCP connect with egress", loose_with_egress, sys::connect_tcp, Failed(Errno::ECONNREFUSED)),
    case("a signal to another process", loose, sys::signal_parent, Failed(Errno::EPERM)),
    case("an abstract socket of the host", loose, sys::connect_abstract, Failed(Errno::EPERM)),
    older(2, case("an older kernel still denies files", loose, sys::open_shadow, Failed(Errno::EACCES))),
    older(2, case("an older kernel still kills", brain, sys::socket_tcp, Killed)),
    older(3, case("an older kernel does not deny TCP bind", loose, sys::bind_tcp, Worked)),
    older(5, case("an older kernel does not deny signals", loose, sys::signal_parent, Worked)),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let ["attempt", name] = args[1..].iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return attempt(name);
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("seal: these tests need root, since a control must be able to do everything; run them as root");
        return ExitCode::FAILURE;
    }
    let _listener = sys::listen_abstract().unwrap();
    let mut failures = 0;
    for case in CASES {
        let seen = run(case.name);
        let passed = seen == case.expected;
        failures += usize::from(!passed);
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("{verdict:6} {}: {seen:?}, expected {:?}", case.name, case.expected);
    }
    for (name, check) in CHECKS {
        check();
        println!("ok     {name}");
    }
    println!("{} cases, {failures} failed", CASES.len() + CHECKS.len());
    ExitCode::from(u8::from(failures > 0))
}

/// Runs one case in a child and reads off what came of it.
fn run(name: &str) -> Outcome {
    let status = Command::new("/proc/self/exe").args(["attempt", name]).status().unwrap();
    match (status.code(), status.signal()) {
        (Some(0), _) => Worked,
        (Some(code), _) => Failed(Errno::from_raw(code)),
        (None, Some(signal)) if signal == nix::sys::signal::Signal::SIGSYS as i32 => Killed,
        (None, other) => panic!("{name}: died of signal {other:?}"),
    }
}

fn attempt(name: &str) -> ExitCode {
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    sys::null_device_as_line();
    if let Err(error) = seal_at(&(case.row)(), case.landlock) {
        panic!("{error}");
    }
    match (case.attempt)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => ExitCode::from(errno as i32 as u8),
    }
}

const CHECKS: &[(&str, fn())] = &[
    ("an older kernel's gaps are named", || {
        sys::in_child(|| {
            let report = seal_at(&brain(), LandlockVersion::AtMost(2)).unwrap();
            let missing: Vec<_> = report.missing().collect();
            assert_eq!(missing.len(), 4, "{missing:?}");
            assert!(missing.iter().any(|what| what.contains("TCP")));
            assert!(missing.iter().any(|what| what.contains("signals")));
        });
    }),
    ("a kernel without Landlock is refused", || {
        sys::in_child(|| {
            let error = seal_at(&brain(), LandlockVersion::AtMost(0)).unwrap_err();
            assert!(matches!(error, SealError::NoLandlock), "{error}");
        });
    }),
    ("a second thread is refused", || {
        sys::in_child(|| {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let other = std::thread::spawn(move || wait.recv());
            let error = seal_at(&brain(), NEWEST).unwrap_err();
            assert!(matches!(error, SealError::Threads(_)), "{error}");
            drop(go);
            other.join().unwrap().unwrap_err();
        });
    }),
    ("a missing file that is not optional is named", || {
        sys::in_child(|| {
            let error = seal_at(&gone(), NEWEST).unwrap_err().to_string();
            assert!(error.contains("/no-such-file"), "{error}");
        });
    }),
    ("a sealed process is sealed as the launcher looks for it", || {
        sys::in_child(|| {
            let status = std::fs::File::open("/proc/self/status").unwrap();
            seal_at(&brain(), NEWEST).unwrap();
            // Read by hand: the library would ask for the size first, which this row may not.
            let mut bytes = vec![0; 8192];
            let length = nix::unistd::read(&status, &mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes[..length]);
            for line in ["Seccomp:\t2", "Seccomp_filters:\t2", "NoNewPrivs:\t1"] {
                assert!(text.contains(line), "{text}");
            }
        });
    }),
];
